package machine

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	api "github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configdiff"
	"github.com/siderolabs/talos/pkg/machinery/config/container"

	"example.invalid/lab/sim/internal/nodeconfig"
)

// liveMachineFields are the fields of .machine that take effect without a reboot, as named in the v1alpha1 types.
var liveMachineFields = []string{
	"MachineCA", "MachineAcceptedCAs", "MachineTime", "MachineCertSANs", "MachineInstall", "MachineNetwork", "MachineSysfs",
	"MachineSysctls", "MachineLogging", "MachineControlPlane", "MachineKubelet", "MachineKernel", "MachineRegistries", "MachinePods",
	"MachineSeccompProfiles", "MachineNodeAnnotations", "MachineNodeLabels", "MachineNodeTaints",
}

// liveFeatureFields are the same of .machine.features.
var liveFeatureFields = []string{
	"KubernetesTalosAPIAccessConfig", "KubePrismSupport", "HostDNSSupport", "ImageCacheSupport", "FeatureNodeAddressSortAlgorithm",
}

// LiveChange tells whether a configuration can replace another without a reboot; the error carries the difference.
func LiveChange(current, wanted config.Provider) error {
	switch {
	case current == nil:
		return errors.New("no current config")
	case current.RawV1Alpha1() == nil:
		return errors.New("current config is not v1alpha1")
	case wanted.RawV1Alpha1() == nil:
		return errors.New("new config is not v1alpha1")
	}

	before, after := current.RawV1Alpha1(), wanted.RawV1Alpha1().DeepCopy()
	after.ConfigDebug, after.ClusterConfig = before.ConfigDebug, before.ClusterConfig

	copyFields(after.MachineConfig, before.MachineConfig, liveMachineFields)

	if after.MachineConfig != nil && before.MachineConfig != nil {
		copyFields(after.MachineConfig.MachineFeatures, before.MachineConfig.MachineFeatures, liveFeatureFields)
	}

	if reflect.DeepEqual(before, after) {
		return nil
	}

	diff, err := configdiff.DiffConfigs(container.NewV1Alpha1(before), container.NewV1Alpha1(after))
	if err != nil {
		return fmt.Errorf("error calculating diff: %w", err)
	}

	return fmt.Errorf("this config change can't be applied in immediate mode\ndiff:\n%s", diff)
}

func copyFields[T any](to, from *T, names []string) {
	if to == nil || from == nil {
		return
	}

	target, source := reflect.ValueOf(to).Elem(), reflect.ValueOf(from).Elem()
	for _, name := range names {
		target.FieldByName(name).Set(source.FieldByName(name))
	}
}

// Apply carries out a validated configuration in one of the modes try, no-reboot, staged and reboot.
func (b *Boot) Apply(provider config.Provider, mode api.ApplyConfigurationRequest_Mode, tryFor time.Duration) error {
	data, err := provider.Bytes()
	if err != nil {
		return err
	}

	b.mu.Lock()
	maintenance := b.node == nil
	b.mu.Unlock()

	switch mode {
	case api.ApplyConfigurationRequest_STAGED:
		return b.Machine.Disk.StageConfig(data)
	case api.ApplyConfigurationRequest_REBOOT:
		if err := b.Machine.Disk.SetConfig(data); err != nil {
			return err
		}

		return b.Submit(Request{Kind: Reboot})
	case api.ApplyConfigurationRequest_TRY:
		b.revertAfter(tryFor)
	default:
		if err := b.Machine.Disk.SetConfig(data); err != nil {
			return err
		}
	}

	return b.use(provider, maintenance)
}

// use makes the configuration the active one.
func (b *Boot) use(provider config.Provider, maintenance bool) error {
	if maintenance && !provider.CompleteForBoot() {
		return nil // partial documents are kept until the rest arrives
	}

	node, err := nodeconfig.New(provider, b.Machine.Hardware)
	if err != nil {
		return err
	}

	old := b.Node()

	if err := b.activate(node); err != nil {
		return err
	}

	if maintenance {
		b.complete.Do(func() { close(b.applied) })

		return nil
	}

	if !reflect.DeepEqual(old.Listen(), node.Listen()) || old.Hostname != node.Hostname {
		// The answer of this call must go out before its connection's address goes away.
		time.AfterFunc(settle, func() { b.front.refresh(true) })
	}

	b.refresh()

	return nil
}

// revertAfter goes back to the configuration on disk unless another apply comes first.
func (b *Boot) revertAfter(d time.Duration) {
	b.stopRollback()

	b.mu.Lock()
	defer b.mu.Unlock()

	b.rollback = time.AfterFunc(d, func() {
		b.Console.Printf("reverting to the configuration before try")

		data, err := b.Machine.Disk.Config()
		if err != nil || data == nil {
			return
		}

		node, err := nodeconfig.Read(data, b.Machine.Hardware)
		if err == nil {
			err = b.use(node.Provider, false)
		}

		b.report(err)
	})
}

// CancelRollback ends a pending try, as any other apply does.
func (b *Boot) CancelRollback() { b.stopRollback() }

func (b *Boot) stopRollback() {
	b.mu.Lock()
	defer b.mu.Unlock()

	if b.rollback != nil {
		b.rollback.Stop()
		b.rollback = nil
	}
}

// Installed tells whether the system disk holds Talos.
func (b *Boot) Installed() bool {
	state, err := b.Machine.Disk.State()

	return err == nil && state.InstalledVersion != ""
}
