package machine

import (
	"errors"
	"net"
	"net/netip"
	"strings"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/dustin/go-humanize"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/block"
	"github.com/siderolabs/talos/pkg/machinery/resources/cluster"
	"github.com/siderolabs/talos/pkg/machinery/resources/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/hardware"
	"github.com/siderolabs/talos/pkg/machinery/resources/k8s"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"

	"example.invalid/lab/sim/internal/nodeconfig"
)

const (
	sectorSize = 512
	mtu        = 1500
	// systemShare is what Talos's own partitions take of the disk, in bytes; EPHEMERAL has the rest.
	systemShare = 3 << 30
)

func (b *Boot) put(wanted ...resource.Resource) error {
	var faults []error
	for _, r := range wanted {
		faults = append(faults, b.Resources.Put(b.ctx, r))
	}

	return errors.Join(faults...)
}

// publishHardware writes what a machine knows without a configuration.
func (b *Boot) publishHardware() error {
	hw := b.Machine.Hardware

	version := runtime.NewVersion()
	version.TypedSpec().Version, version.TypedSpec().Name = b.Version, "Talos"

	system := hardware.NewSystemInformation(hardware.SystemInformationID)
	*system.TypedSpec() = hardware.SystemInformationSpec{Manufacturer: "lab", ProductName: "talos-sim", SerialNumber: hw.ID, UUID: systemUUID(hw.MAC)}

	platform := runtime.NewPlatformMetadataSpec(runtime.NamespaceName, runtime.PlatformMetadataID)
	platform.TypedSpec().Platform = "metal"

	memory := hardware.NewMemoryModuleInfo("DIMM-0")
	memory.TypedSpec().Size = uint32(hw.Memory >> 20)

	processor := hardware.NewProcessorInfo("CPU-0")
	*processor.TypedSpec() = hardware.ProcessorSpec{Socket: "CPU 0", Manufacturer: "lab", CoreCount: 4, CoreEnabled: 4, ThreadCount: 4}

	if err := b.put(version, system, platform, memory, processor); err != nil {
		return err
	}

	return errors.Join(b.publishDisks(), b.publishNetwork(nodeconfig.HardwareLinks(hw), nodeconfig.DefaultHostname(hw)))
}

func systemUUID(mac string) string {
	digits := strings.ReplaceAll(mac, ":", "")

	return "00000000-0000-4000-8000-" + digits
}

func (b *Boot) publishDisks() error {
	var disks []resource.Resource

	for _, disk := range b.Machine.Hardware.Disks {
		id := strings.TrimPrefix(disk.Path, "/dev/")
		r := block.NewDisk(block.NamespaceName, id)
		*r.TypedSpec() = block.DiskSpec{
			DevPath: disk.Path, Size: disk.Size, PrettySize: humanize.Bytes(disk.Size), IOSize: sectorSize, SectorSize: sectorSize,
			Model: disk.Model, Serial: disk.Serial, Transport: "virtio", SubSystem: "/sys/class/block", BusPath: "/pci0000:00/" + id,
		}
		disks = append(disks, r)
	}

	return b.Resources.Replace(b.ctx, &block.Disk{}, disks...)
}

// publishVolumes writes the system disk and its volumes of an installed machine.
func (b *Boot) publishVolumes() error {
	disk := b.Machine.Hardware.Disks[0]

	system := block.NewSystemDisk(block.NamespaceName, block.SystemDiskID)
	*system.TypedSpec() = block.SystemDiskSpec{DiskID: strings.TrimPrefix(disk.Path, "/dev/"), DevPath: disk.Path}

	volumes := []resource.Resource{system}

	for i, label := range []string{constants.MetaPartitionLabel, constants.StatePartitionLabel, constants.EphemeralPartitionLabel} {
		volume := block.NewVolumeStatus(block.NamespaceName, label)
		spec := volume.TypedSpec()
		spec.Phase, spec.Type = block.VolumePhaseReady, block.VolumeTypePartition
		spec.PartitionIndex = i + 4
		spec.ParentLocation, spec.Location = disk.Path, disk.Path+string(rune('4'+i))
		spec.MountLocation, spec.Filesystem = spec.Location, block.FilesystemTypeXFS
		spec.Size = 100 << 20

		if label == constants.EphemeralPartitionLabel {
			spec.Size = disk.Size - min(disk.Size, systemShare)
		}

		spec.PrettySize = humanize.Bytes(spec.Size)
		volumes = append(volumes, volume)
	}

	return b.put(volumes...)
}

// publishNetwork writes links, addresses and the host name.
func (b *Boot) publishNetwork(links []nodeconfig.Link, name string) error {
	var statuses, addresses, all []resource.Resource

	node := network.NewNodeAddress(network.NamespaceName, network.NodeAddressDefaultID)
	current := network.NewNodeAddress(network.NamespaceName, network.NodeAddressCurrentID)
	routed := network.NewNodeAddress(network.NamespaceName, network.NodeAddressRoutedID)

	for i, link := range links {
		statuses = append(statuses, linkStatus(i, link))

		for _, prefix := range link.Addresses {
			addresses = append(addresses, addressStatus(i, link.Name, prefix))
			current.TypedSpec().Addresses = append(current.TypedSpec().Addresses, prefix)
		}
	}

	if len(current.TypedSpec().Addresses) > 0 {
		node.TypedSpec().Addresses = current.TypedSpec().Addresses[:1]
	}

	routed.TypedSpec().Addresses = current.TypedSpec().Addresses

	host := network.NewHostnameStatus(network.NamespaceName, network.HostnameID)
	host.TypedSpec().Hostname = name

	status := network.NewStatus(network.NamespaceName, network.StatusID)
	*status.TypedSpec() = network.StatusSpec{AddressReady: true, ConnectivityReady: true, HostnameReady: true, EtcFilesReady: true}

	all = append(all, node, current, routed, host, status)

	return errors.Join(
		b.Resources.Replace(b.ctx, &network.LinkStatus{}, statuses...),
		b.Resources.Replace(b.ctx, &network.AddressStatus{}, addresses...),
		b.put(all...),
	)
}

func linkStatus(position int, link nodeconfig.Link) resource.Resource {
	mac, _ := net.ParseMAC(link.MAC) // a bad address shows as none
	r := network.NewLinkStatus(network.NamespaceName, link.Name)
	*r.TypedSpec() = network.LinkStatusSpec{
		Alias: link.Alias, Index: uint32(position + 2), Type: nethelpers.LinkEther, Kind: link.Kind, MTU: mtu,
		HardwareAddr: nethelpers.HardwareAddr(mac), PermanentAddr: nethelpers.HardwareAddr(mac),
		OperationalState: nethelpers.OperStateUp, LinkState: true, QueueDisc: "noqueue",
	}

	if link.Alias != "" {
		r.TypedSpec().AltNames = []string{link.Alias}
	}

	if link.Kind == "" {
		r.TypedSpec().Driver, r.TypedSpec().BusPath = "virtio_net", "virtio"+string(rune('0'+position%10))
	} else {
		r.TypedSpec().PermanentAddr = nil
	}

	if link.VLANID != 0 {
		r.TypedSpec().VLAN = network.VLANSpec{VID: link.VLANID, Protocol: nethelpers.VLANProtocol8021Q}
	}

	return r
}

func addressStatus(position int, link string, prefix netip.Prefix) resource.Resource {
	r := network.NewAddressStatus(network.NamespaceName, network.AddressID(link, prefix))
	*r.TypedSpec() = network.AddressStatusSpec{
		Address: prefix, Local: prefix.Addr(), LinkIndex: uint32(position + 2), LinkName: link,
		Family: nethelpers.FamilyInet4, Scope: nethelpers.ScopeGlobal,
	}

	if prefix.Addr().Is6() {
		r.TypedSpec().Family = nethelpers.FamilyInet6
	}

	return r
}

// publishConfig writes what follows from the active machine configuration.
func (b *Boot) publishConfig(node *nodeconfig.Node) error {
	active := config.NewMachineConfig(node.Provider)
	persistent := config.NewMachineConfigWithID(node.Provider, config.PersistentID)

	kind := config.NewMachineType()
	kind.SetMachineType(node.Type)

	name := k8s.NewNodename(k8s.NamespaceName, k8s.NodenameID)
	name.TypedSpec().Nodename = node.Hostname
	name.TypedSpec().SkipNodeRegistration = node.Provider.Machine().Kubelet().SkipNodeRegistration()

	info := cluster.NewInfo()
	*info.TypedSpec() = cluster.InfoSpec{ClusterID: node.Provider.Cluster().ID(), ClusterName: node.Provider.Cluster().Name()}

	ips := k8s.NewNodeIP(k8s.NamespaceName, k8s.KubeletID)
	if ip, ok := node.NodeIP(); ok {
		ips.TypedSpec().Addresses = []netip.Addr{ip}
	}

	faults := []error{b.put(active, persistent, kind, name, info, ips), b.publishNetwork(node.Links, node.Hostname), b.publishVolumes()}
	if node.ControlPlane() {
		faults = append(faults, b.publishControlPlane(node))
	}

	return errors.Join(faults...)
}

func (b *Boot) publishControlPlane(node *nodeconfig.Node) error {
	clusterConfig := node.Provider.Cluster()

	root := secrets.NewOSRoot(secrets.OSRootID)
	root.TypedSpec().IssuingCA = node.Provider.Machine().Security().IssuingCA()
	root.TypedSpec().AcceptedCAs = node.Provider.Machine().Security().AcceptedCAs()

	bootstrap := k8s.NewBootstrapManifestsConfig()
	*bootstrap.TypedSpec() = k8s.BootstrapManifestsConfigSpec{
		Server: clusterConfig.Endpoint().String(), ClusterDomain: clusterConfig.Network().DNSDomain(),
		PodCIDRs: clusterConfig.Network().PodCIDRs(), ProxyEnabled: clusterConfig.Proxy().Enabled(), ProxyImage: clusterConfig.Proxy().Image(),
		CoreDNSEnabled: clusterConfig.CoreDNS().Enabled(), CoreDNSImage: clusterConfig.CoreDNS().Image(),
		FlannelEnabled: clusterConfig.Network().CNI().Name() == constants.FlannelCNI, CNIName: clusterConfig.Network().CNI().Name(),
	}

	return b.put(root, bootstrap)
}

func (b *Boot) publishIdentity(id string) {
	identity := cluster.NewIdentity(cluster.NamespaceName, cluster.LocalIdentity)
	identity.TypedSpec().NodeID = id
	b.report(b.put(identity))
}
