// Package resources is the COSI resource state of one machine, with the resource types of Talos registered in it.
package resources

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/resource/meta"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"
	"github.com/cosi-project/runtime/pkg/state/registry"
	"github.com/siderolabs/talos/pkg/machinery/resources/block"
	"github.com/siderolabs/talos/pkg/machinery/resources/cluster"
	"github.com/siderolabs/talos/pkg/machinery/resources/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/cri"
	"github.com/siderolabs/talos/pkg/machinery/resources/etcd"
	"github.com/siderolabs/talos/pkg/machinery/resources/files"
	"github.com/siderolabs/talos/pkg/machinery/resources/hardware"
	"github.com/siderolabs/talos/pkg/machinery/resources/k8s"
	"github.com/siderolabs/talos/pkg/machinery/resources/kubespan"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/perf"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"
	"github.com/siderolabs/talos/pkg/machinery/resources/security"
	"github.com/siderolabs/talos/pkg/machinery/resources/time"
	"github.com/siderolabs/talos/pkg/machinery/resources/v1alpha1"
)

// State holds the resources of one boot of one machine.
type State struct {
	state.State
}

var namespaces = []string{
	v1alpha1.NamespaceName, cluster.NamespaceName, cluster.RawNamespaceName, config.NamespaceName, etcd.NamespaceName,
	files.NamespaceName, hardware.NamespaceName, k8s.NamespaceName, k8s.ControlPlaneNamespaceName, kubespan.NamespaceName,
	network.NamespaceName, network.ConfigNamespaceName, cri.NamespaceName, secrets.NamespaceName, security.NamespaceName,
	perf.NamespaceName,
}

// kinds are the types `talosctl get` knows on these nodes; those without a publisher are served empty, as on an idle node.
var kinds = []meta.ResourceWithRD{
	&block.Device{}, &block.DiscoveredVolume{}, &block.Disk{}, &block.MountStatus{}, &block.SystemDisk{},
	&block.UserDiskConfigStatus{}, &block.VolumeConfig{}, &block.VolumeStatus{},
	&cluster.Affiliate{}, &cluster.Config{}, &cluster.Identity{}, &cluster.Info{}, &cluster.Member{},
	&config.MachineConfig{}, &config.MachineType{},
	&etcd.Config{}, &etcd.PKIStatus{}, &etcd.Spec{}, &etcd.Member{},
	&files.EtcFileSpec{}, &files.EtcFileStatus{},
	&hardware.MemoryModule{}, &hardware.PCIDevice{}, &hardware.Processor{}, &hardware.SystemInformation{},
	&k8s.APIServerConfig{}, &k8s.BootstrapManifestsConfig{}, &k8s.ConfigStatus{}, &k8s.ControllerManagerConfig{},
	&k8s.Endpoint{}, &k8s.KubeletConfig{}, &k8s.KubeletSpec{}, &k8s.KubePrismConfig{}, &k8s.KubePrismEndpoints{},
	&k8s.KubePrismStatuses{}, &k8s.Manifest{}, &k8s.ManifestStatus{}, &k8s.NodeIP{}, &k8s.NodeIPConfig{}, &k8s.Nodename{},
	&k8s.NodeStatus{}, &k8s.SchedulerConfig{}, &k8s.SecretsStatus{}, &k8s.StaticPod{}, &k8s.StaticPodServerStatus{},
	&k8s.StaticPodStatus{},
	&kubespan.PeerStatus{},
	&network.AddressSpec{}, &network.AddressStatus{}, &network.HardwareAddr{}, &network.HostnameSpec{}, &network.HostnameStatus{},
	&network.LinkAliasSpec{}, &network.LinkSpec{}, &network.LinkStatus{}, &network.NodeAddress{}, &network.OperatorSpec{},
	&network.ResolverStatus{}, &network.RouteStatus{}, &network.Status{}, &network.TimeServerStatus{},
	&perf.CPU{}, &perf.Memory{},
	&runtime.Diagnostic{}, &runtime.ExtensionStatus{}, &runtime.KernelCmdline{}, &runtime.KernelParamStatus{},
	&runtime.MachineStatus{}, &runtime.MetaKey{}, &runtime.MountStatus{}, &runtime.PlatformMetadata{}, &runtime.SecurityState{},
	&runtime.Version{},
	&secrets.API{}, &secrets.CertSAN{}, &secrets.Etcd{}, &secrets.EtcdRoot{}, &secrets.Kubelet{}, &secrets.Kubernetes{},
	&secrets.KubernetesRoot{}, &secrets.OSRoot{}, &secrets.Trustd{},
	&time.AdjtimeStatus{}, &time.Status{},
	&v1alpha1.Service{},
}

// New makes an empty state.
func New(ctx context.Context) (*State, error) {
	core := state.WrapCore(namespaced.NewState(func(ns string) state.CoreState {
		return inmem.NewStateWithOptions(inmem.WithHistoryInitialCapacity(8), inmem.WithHistoryMaxCapacity(256))(ns)
	}))

	spaces, types := registry.NewNamespaceRegistry(core), registry.NewResourceRegistry(core)

	if err := spaces.RegisterDefault(ctx); err != nil {
		return nil, err
	}

	if err := types.RegisterDefault(ctx); err != nil {
		return nil, err
	}

	for _, name := range namespaces {
		if err := spaces.Register(ctx, name, ""); err != nil {
			return nil, fmt.Errorf("namespace %s: %w", name, err)
		}
	}

	for _, kind := range kinds {
		if err := types.Register(ctx, kind); err != nil {
			return nil, fmt.Errorf("resource %T: %w", kind, err)
		}
	}

	return &State{State: core}, nil
}

// Put creates the resource or brings it up to date.
func (s *State) Put(ctx context.Context, wanted resource.Resource) error {
	owner := ownerOf(wanted.Metadata().Type())

	existing, err := s.Get(ctx, wanted.Metadata())
	if state.IsNotFoundError(err) {
		return s.Create(ctx, wanted, state.WithCreateOwner(owner))
	}

	if err != nil {
		return err
	}

	if err = wanted.Metadata().SetOwner(owner); err != nil {
		return err
	}

	wanted.Metadata().SetVersion(existing.Metadata().Version())

	if resource.Equal(existing, wanted) {
		return nil
	}

	return s.Update(ctx, wanted, state.WithUpdateOwner(owner))
}

// ownerOf is shaped like the name of the controller that owns such a resource on a real node.
func ownerOf(kind resource.Type) string {
	name, group, _ := strings.Cut(kind, ".")
	group, _, _ = strings.Cut(group, ".")

	if stem, plural := strings.CutSuffix(name, "Statuses"); plural {
		name = stem + "Status"
	} else {
		name = strings.TrimSuffix(name, "s")
	}

	return group + "." + name + "Controller"
}

// Remove deletes the resource when it is there.
func (s *State) Remove(ctx context.Context, pointer resource.Pointer) error {
	err := s.Destroy(ctx, pointer, state.WithDestroyOwner(ownerOf(pointer.Type())))
	if err != nil && !state.IsNotFoundError(err) {
		return err
	}

	return nil
}

// Replace makes the resources of a type exactly the given ones.
func (s *State) Replace(ctx context.Context, kind meta.ResourceWithRD, wanted ...resource.Resource) error {
	definition := kind.ResourceDefinition()

	existing, err := s.List(ctx, resource.NewMetadata(definition.DefaultNamespace, definition.Type, "", resource.VersionUndefined))
	if err != nil {
		return err
	}

	for _, item := range existing.Items {
		keep := slices.ContainsFunc(wanted, func(r resource.Resource) bool { return r.Metadata().ID() == item.Metadata().ID() })
		if keep {
			continue
		}

		if err := s.Remove(ctx, item.Metadata()); err != nil {
			return err
		}
	}

	for _, item := range wanted {
		if err := s.Put(ctx, item); err != nil {
			return err
		}
	}

	return nil
}
