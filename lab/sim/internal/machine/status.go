package machine

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cosi-project/runtime/pkg/safe"
	api "github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/resources/k8s"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	timeres "github.com/siderolabs/talos/pkg/machinery/resources/time"
	"github.com/siderolabs/talos/pkg/machinery/resources/v1alpha1"

	"example.invalid/lab/sim/internal/faults"
	"example.invalid/lab/sim/internal/services"
)

func (b *Boot) setStage(stage runtime.MachineStage) {
	b.mu.Lock()
	changed := b.stage != stage
	b.stage = stage
	b.mu.Unlock()

	if changed {
		b.Console.Printf("stage %s", stage)
		b.refresh()
	}
}

func (b *Boot) serviceChanged(id string, event *api.ServiceStateEvent) {
	b.Events.Publish(event, "")

	resource := v1alpha1.NewService(id)

	var err error

	if event.GetAction() == services.Running {
		*resource.TypedSpec() = v1alpha1.ServiceSpec{
			Running: true, Healthy: event.GetHealth().GetHealthy(), Unknown: event.GetHealth().GetUnknown(),
		}
		err = b.Resources.Put(b.ctx, resource)
	} else {
		err = b.Resources.Remove(b.ctx, resource.Metadata())
	}

	b.report(err)
	b.refresh()
}

func (b *Boot) report(err error) {
	if err != nil && b.ctx.Err() == nil {
		b.Console.Printf("publish: %v", err)
	}
}

// refresh recomputes machinestatus and tells the event stream of a change.
func (b *Boot) refresh() {
	b.statusLock.Lock()
	defer b.statusLock.Unlock()

	status := runtime.NewMachineStatus()
	spec := status.TypedSpec()
	spec.Stage = b.Stage()
	spec.Status.UnmetConditions = b.unmet(spec.Stage)
	spec.Status.Ready = len(spec.Status.UnmetConditions) == 0

	old, err := safe.StateGetByID[*runtime.MachineStatus](b.ctx, b.Resources, runtime.MachineStatusID)
	if err == nil && old.TypedSpec().Stage == spec.Stage && slices.Equal(old.TypedSpec().Status.UnmetConditions, spec.Status.UnmetConditions) {
		return
	}

	b.report(b.Resources.Put(b.ctx, status))
	b.Events.Publish(statusEvent(spec), "")
	b.maybeRunning()
}

func statusEvent(spec *runtime.MachineStatusSpec) *api.MachineStatusEvent {
	event := &api.MachineStatusEvent{
		Stage:  api.MachineStatusEvent_MachineStage(spec.Stage),
		Status: &api.MachineStatusEvent_MachineStatus{Ready: spec.Status.Ready},
	}

	for _, condition := range spec.Status.UnmetConditions {
		event.Status.UnmetConditions = append(event.Status.UnmetConditions,
			&api.MachineStatusEvent_MachineStatus_UnmetCondition{Name: condition.Name, Reason: condition.Reason})
	}

	return event
}

func (b *Boot) unmet(stage runtime.MachineStage) []runtime.UnmetCondition {
	if stage != runtime.MachineStageBooting && stage != runtime.MachineStageRunning {
		return nil
	}

	var unmet []runtime.UnmetCondition

	for _, check := range []struct {
		name string
		run  func() error
	}{
		{"time", b.checkTime}, {"services", b.checkServices}, {"staticPods", b.checkStaticPods}, {"nodeReady", b.checkNode},
	} {
		if err := check.run(); err != nil {
			unmet = append(unmet, runtime.UnmetCondition{Name: check.name, Reason: err.Error()})
		}
	}

	return unmet
}

func (b *Boot) checkTime() error {
	if b.Machine.Faults.On(faults.ClockNotSynced) {
		return errors.New("time is not synced")
	}

	return nil
}

// requiredServices are those a configured node cannot be ready without.
func (b *Boot) requiredServices() []string {
	required := []string{"apid", "machined", "kubelet"}
	if node := b.Node(); node != nil && node.ControlPlane() {
		required = append(required, "etcd", "trustd")
	}

	return required
}

func (b *Boot) checkServices() error {
	var problems []string

	for _, info := range b.Services.List() {
		if info.GetState() == "Running" && !info.GetHealth().GetUnknown() && !info.GetHealth().GetHealthy() {
			problems = append(problems, info.GetId()+" not healthy")
		}
	}

	for _, id := range b.requiredServices() {
		if !b.Services.Is(id, services.Running) {
			problems = append(problems, id+" not running")
		}
	}

	if len(problems) == 0 {
		return nil
	}

	return errors.New(strings.Join(problems, ", "))
}

func (b *Boot) checkStaticPods() error {
	pods, err := safe.StateListAll[*k8s.StaticPodStatus](b.ctx, b.Resources)
	if err != nil {
		return err
	}

	var problems []string

	for pod := range pods.All() {
		if phase, ok := pod.TypedSpec().PodStatus["phase"].(string); ok && phase != "Running" {
			problems = append(problems, pod.Metadata().ID()+" "+strings.ToLower(phase))
		}
	}

	if len(problems) == 0 {
		return nil
	}

	return errors.New(strings.Join(problems, ", "))
}

func (b *Boot) checkNode() error {
	node := b.Node()
	if node == nil || node.Provider.Machine().Kubelet().SkipNodeRegistration() {
		return nil
	}

	status, err := safe.StateGetByID[*k8s.NodeStatus](b.ctx, b.Resources, node.Hostname)

	switch {
	case err != nil:
		return fmt.Errorf("node %q status is not available yet", node.Hostname)
	case !status.TypedSpec().NodeReady:
		return fmt.Errorf("node %q is not ready", node.Hostname)
	default:
		return nil
	}
}

// maybeRunning ends the boot sequence once every service has come up.
func (b *Boot) maybeRunning() {
	if b.Stage() != runtime.MachineStageBooting || b.Member() == nil || !b.BootstrapAllowed() {
		return
	}

	for _, id := range b.requiredServices() {
		if !b.Services.Healthy(id) {
			return
		}
	}

	b.mu.Lock()
	b.stage = runtime.MachineStageRunning
	b.mu.Unlock()

	b.announce("boot", api.SequenceEvent_STOP, "")
	b.Console.Printf("boot sequence: done")

	go b.refresh()
}

// startSystemServices marks what runs on every node, configured or not.
func (b *Boot) startSystemServices() {
	for _, id := range []string{"auditd", "containerd", "dashboard", "machined", "syslogd", "udevd"} {
		b.Services.Set(id, services.Running, "Health check successful", services.Healthy)
	}

	synced := timeres.NewStatus()
	*synced.TypedSpec() = timeres.StatusSpec{Synced: !b.Machine.Faults.On(faults.ClockNotSynced)}
	b.report(b.Resources.Put(context.Background(), synced))
}

// startServices brings up the services of a configured node after the boot time.
func (b *Boot) startServices() {
	if wait(b.ctx, b.Machine.Settings.Durations.Boot.Std()) != nil {
		return
	}

	b.mu.Lock()
	b.bootable = true
	b.mu.Unlock()

	b.Services.Set("cri", services.Running, "Health check successful", services.Healthy)

	if b.Node().ControlPlane() {
		b.Services.Set("trustd", services.Running, "Health check successful", services.Healthy)
		b.Services.Set("etcd", services.Preparing, "Running pre state", services.Unknown)
	}

	b.Services.Set("kubelet", services.Running, "Health check successful", services.Healthy)

	if err := b.Member().Start(b.ctx); err != nil {
		b.Console.Printf("services: %v", err)
	}

	b.refresh()
	b.maybeRunning()
}

func (b *Boot) faultChanged(name string) {
	switch name {
	case faults.RefuseConnections, faults.HalfOpen, faults.ForeignCluster:
		go b.front.refresh(false)
	case faults.ClockNotSynced:
		synced := timeres.NewStatus()
		synced.TypedSpec().Synced = !b.Machine.Faults.On(name)
		b.report(b.Resources.Put(b.ctx, synced))
		b.refresh()
	}
}

func newNodeID() string {
	id := make([]byte, 32)
	_, _ = rand.Read(id) // never fails

	return base64.RawURLEncoding.EncodeToString(id)
}

// Ready is machinestatus' ready.
func (b *Boot) Ready() bool {
	status, err := safe.StateGetByID[*runtime.MachineStatus](b.ctx, b.Resources, runtime.MachineStatusID)

	return err == nil && status.TypedSpec().Status.Ready
}
