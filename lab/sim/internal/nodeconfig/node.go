// Package nodeconfig derives from a machine configuration what the simulator must do: addresses, name, role, cluster.
package nodeconfig

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"

	"example.invalid/lab/sim/internal/pki"
	"example.invalid/lab/sim/internal/settings"
)

// Node is a machine configuration read for one machine.
type Node struct {
	Provider config.Provider
	Type     machine.Type
	Hostname string
	Links    []Link
	VIPs     []netip.Addr
}

// Link is a network link as the configured node has it.
type Link struct {
	Name      string
	Alias     string
	MAC       string
	Kind      string // empty for a physical link, else the kernel's kind such as "vlan"
	VLANID    uint16
	Parent    string
	Addresses []netip.Prefix
}

var loopback = netip.MustParsePrefix("127.0.0.0/8")

// Read parses and derives; it does not validate.
func Read(data []byte, hardware settings.Machine) (*Node, error) {
	provider, err := configloader.NewFromBytes(data)
	if err != nil {
		return nil, err
	}

	return New(provider, hardware)
}

// New derives a Node; the configuration must hold the v1alpha1 document.
func New(provider config.Provider, hardware settings.Machine) (*Node, error) {
	if provider.Machine() == nil || provider.Cluster() == nil {
		return nil, fmt.Errorf("the machine configuration has no v1alpha1 document")
	}

	links, err := deriveLinks(provider, hardware)
	if err != nil {
		return nil, err
	}

	node := &Node{Provider: provider, Type: provider.Machine().Type(), Links: links, VIPs: virtualAddresses(provider)}
	node.Hostname = hostname(provider, hardware)

	return node, nil
}

// ControlPlane tells whether the node runs etcd and an API server.
func (n *Node) ControlPlane() bool { return n.Type.IsControlPlane() }

// ClusterKey identifies the cluster: the fingerprint of the machine CA.
func (n *Node) ClusterKey() string {
	if ca := n.Provider.Machine().Security().IssuingCA(); ca != nil && len(ca.Crt) > 0 {
		return pki.Fingerprint(ca.Crt)
	}

	for _, ca := range n.Provider.Machine().Security().AcceptedCAs() {
		return pki.Fingerprint(ca.Crt)
	}

	return ""
}

// Addresses are all addresses of the node, sorted as Talos sorts them.
func (n *Node) Addresses() []netip.Prefix {
	var all []netip.Prefix
	for _, link := range n.Links {
		all = append(all, link.Addresses...)
	}

	slices.SortStableFunc(all, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })

	return all
}

// Listen are the addresses the simulator can bind: those in 127.0.0.0/8.
func (n *Node) Listen() []netip.Addr {
	var bindable []netip.Addr

	for _, prefix := range n.Addresses() {
		if loopback.Contains(prefix.Addr()) && !slices.Contains(n.VIPs, prefix.Addr()) {
			bindable = append(bindable, prefix.Addr())
		}
	}

	return bindable
}

// NodeIP is the kubelet's InternalIP: the first address inside validSubnets.
func (n *Node) NodeIP() (netip.Addr, bool) {
	return n.pick(n.Provider.Machine().Kubelet().NodeIP().ValidSubnets())
}

// EtcdAddress is the address etcd advertises. One that cannot be bound gives way to the first that can.
func (n *Node) EtcdAddress() (netip.Addr, bool) {
	subnets := n.Provider.Cluster().Etcd().AdvertisedSubnets()

	for _, candidate := range n.Listen() {
		if len(subnets) == 0 || Matches(candidate, subnets) {
			return candidate, true
		}
	}

	return n.ServingAddress()
}

// ServingAddress is where the node's API server listens.
func (n *Node) ServingAddress() (netip.Addr, bool) {
	bindable := n.Listen()
	if ip, ok := n.NodeIP(); ok && slices.Contains(bindable, ip) {
		return ip, true
	}

	if len(bindable) == 0 {
		return netip.Addr{}, false
	}

	return bindable[0], true
}

func (n *Node) pick(subnets []string) (netip.Addr, bool) {
	excluded := slices.Concat(n.Provider.Cluster().Network().PodCIDRs(), n.Provider.Cluster().Network().ServiceCIDRs())

	for _, prefix := range n.Addresses() {
		ip := prefix.Addr()
		if slices.Contains(n.VIPs, ip) || insideAny(ip, excluded) {
			continue
		}

		if len(subnets) == 0 || Matches(ip, subnets) {
			return ip, true
		}
	}

	return netip.Addr{}, false
}

// Matches applies a Talos subnet list: entries with "!" exclude, and a list of only exclusions includes all else.
func Matches(ip netip.Addr, subnets []string) bool {
	included, onlyExclusions := false, true

	for _, subnet := range subnets {
		text, negative := strings.CutPrefix(subnet, "!")
		inside := insideAny(ip, []string{text})

		switch {
		case negative && inside:
			return false
		case !negative:
			onlyExclusions = false
			included = included || inside
		}
	}

	return included || onlyExclusions
}

func insideAny(ip netip.Addr, subnets []string) bool {
	for _, text := range subnets {
		if prefix, err := netip.ParsePrefix(text); err == nil && prefix.Contains(ip) {
			return true
		}
	}

	return false
}

func hostname(provider config.Provider, hardware settings.Machine) string {
	if doc := provider.NetworkHostnameConfig(); doc != nil && doc.Hostname() != "" {
		name, _, _ := strings.Cut(doc.Hostname(), ".")

		return name
	}

	return DefaultHostname(hardware)
}

// DefaultHostname is the name of a machine nobody named; it is stable over boots.
func DefaultHostname(hardware settings.Machine) string {
	digits := strings.ReplaceAll(hardware.MAC, ":", "")

	return "talos-" + digits[len(digits)-6:len(digits)-3] + "-" + digits[len(digits)-3:]
}
