package nodeconfig

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	networkpb "github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/network"
	"github.com/siderolabs/talos/pkg/machinery/cel/celenv"
	"github.com/siderolabs/talos/pkg/machinery/config"
	docs "github.com/siderolabs/talos/pkg/machinery/config/config"

	"example.invalid/lab/sim/internal/settings"
)

// HardwareLinks are the links of a machine without a configuration: DHCP on the first.
func HardwareLinks(hardware settings.Machine) []Link {
	links := make([]Link, 0, len(hardware.Links))
	for _, link := range hardware.Links {
		links = append(links, Link{Name: link.Name, MAC: link.MAC})
	}

	links[0].Addresses = []netip.Prefix{netip.PrefixFrom(hardware.Address, hardware.Prefix)}

	return links
}

func deriveLinks(provider config.Provider, hardware settings.Machine) ([]Link, error) {
	set := linkSet{links: HardwareLinks(hardware)}
	lease := set.links[0].Addresses
	set.links[0].Addresses = nil

	if err := set.applyAliases(provider.NetworkLinkAliasConfigs()); err != nil {
		return nil, err
	}

	set.applyDocuments(provider.NetworkCommonLinkConfigs())

	dhcp := provider.RunDefaultDHCPOperators()
	if dhcp {
		dhcp = set.applyDevices(provider.Machine().Network().Devices())
	} else {
		set.applyDevices(provider.Machine().Network().Devices())
	}

	for _, doc := range provider.NetworkDHCPv4Configs() {
		if link := set.find(doc.Name()); link != nil && link.Name == set.links[0].Name {
			dhcp = true
		}
	}

	if dhcp {
		set.links[0].Addresses = append(lease, set.links[0].Addresses...)
	}

	return set.links, nil
}

type linkSet struct{ links []Link }

// find resolves a kernel name or an alias; nil when no such link exists on this machine.
func (s *linkSet) find(name string) *Link {
	for i := range s.links {
		if s.links[i].Name == name || (s.links[i].Alias != "" && s.links[i].Alias == name) {
			return &s.links[i]
		}
	}

	return nil
}

func (s *linkSet) applyAliases(configs []docs.NetworkLinkAliasConfig) error {
	order := make([]int, len(s.links))
	for i := range order {
		order[i] = i
	}

	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(mac(s.links[a].MAC), mac(s.links[b].MAC)) })
	slices.SortFunc(configs, func(a, b docs.NetworkLinkAliasConfig) int { return strings.Compare(a.Name(), b.Name()) })

	for _, doc := range configs {
		matched, err := s.selected(doc, order)
		if err != nil {
			return err
		}

		// A fixed name that fits several links is ambiguous: Talos skips it.
		if len(matched) > 1 && !doc.IsPatternAlias() {
			continue
		}

		s.assign(doc, matched)
	}

	return nil
}

func (s *linkSet) selected(doc docs.NetworkLinkAliasConfig, order []int) ([]int, error) {
	var matched []int

	for _, i := range order {
		selector := doc.LinkSelector()

		fits, err := selector.EvalBool(celenv.LinkLocator(), map[string]any{"link": linkSpec(s.links[i])})
		if err != nil {
			return nil, err
		}

		if fits {
			matched = append(matched, i)
		}
	}

	return matched, nil
}

func (s *linkSet) assign(doc docs.NetworkLinkAliasConfig, matched []int) {
	counter := 0

	for _, i := range matched {
		if s.links[i].Alias != "" {
			continue
		}

		s.links[i].Alias = strings.Replace(doc.Name(), "%d", strconv.Itoa(counter), 1)
		counter++
	}
}

func linkSpec(link Link) *networkpb.LinkStatusSpec {
	return &networkpb.LinkStatusSpec{
		HardwareAddr: mac(link.MAC), PermanentAddr: mac(link.MAC), LinkState: true, Driver: "virtio_net",
	}
}

func mac(text string) []byte {
	address, err := net.ParseMAC(text)
	if err != nil {
		return nil
	}

	return address
}

func (s *linkSet) applyDocuments(configs []docs.NetworkCommonLinkConfig) {
	for _, doc := range configs {
		link := s.find(doc.Name())

		if vlan, ok := doc.(docs.NetworkVLANConfig); ok {
			link = s.addVLAN(doc.Name(), vlan.VLANID(), vlan.ParentLink())
		} else if _, ok := doc.(docs.NetworkDummyLinkConfig); ok && link == nil {
			s.links = append(s.links, Link{Name: doc.Name(), Kind: "dummy"})
			link = &s.links[len(s.links)-1]
		}

		if link == nil {
			continue
		}

		for _, address := range doc.Addresses() {
			link.Addresses = append(link.Addresses, address.Address())
		}
	}
}

// addVLAN returns nil when the parent link does not exist.
func (s *linkSet) addVLAN(name string, id uint16, parentName string) *Link {
	parent := s.find(parentName)
	if parent == nil {
		return nil
	}

	s.links = append(s.links, Link{Name: name, Kind: "vlan", VLANID: id, Parent: parent.Name, MAC: parent.MAC})

	return &s.links[len(s.links)-1]
}

// applyDevices applies machine.network.interfaces and tells whether DHCP stays on for the first link.
func (s *linkSet) applyDevices(devices []docs.Device) bool {
	dhcp := true

	for _, device := range devices {
		link := s.deviceLink(device)
		if link == nil || device.Ignore() {
			continue
		}

		if link.Name == s.links[0].Name {
			dhcp = device.DHCP()
		}

		name := link.Name
		link.Addresses = append(link.Addresses, prefixes(device.Addresses())...)

		for _, vlan := range device.Vlans() {
			if sub := s.addVLAN(name+"."+strconv.Itoa(int(vlan.ID())), vlan.ID(), name); sub != nil {
				sub.Addresses = prefixes(vlan.Addresses())
			}
		}
	}

	return dhcp
}

func (s *linkSet) deviceLink(device docs.Device) *Link {
	if device.Interface() != "" {
		return s.find(device.Interface())
	}

	selector := device.Selector()
	if selector == nil {
		return nil
	}

	for i := range s.links {
		for _, wanted := range []string{selector.HardwareAddress(), selector.PermanentAddress()} {
			if wanted != "" && strings.EqualFold(wanted, s.links[i].MAC) {
				return &s.links[i]
			}
		}
	}

	return nil
}

func prefixes(texts []string) []netip.Prefix {
	var parsed []netip.Prefix

	for _, text := range texts {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			parsed = append(parsed, prefix)
		} else if address, err := netip.ParseAddr(text); err == nil {
			parsed = append(parsed, netip.PrefixFrom(address, address.BitLen()))
		}
	}

	return parsed
}

func virtualAddresses(provider config.Provider) []netip.Addr {
	var vips []netip.Addr
	for _, doc := range provider.NetworkVirtualIPConfigs() {
		vips = append(vips, doc.VIP())
	}

	for _, device := range provider.Machine().Network().Devices() {
		vips = append(vips, deviceVIPs(device)...)
	}

	return vips
}

func deviceVIPs(device docs.Device) []netip.Addr {
	configs := []docs.VIPConfig{device.VIPConfig()}
	for _, vlan := range device.Vlans() {
		configs = append(configs, vlan.VIPConfig())
	}

	var vips []netip.Addr

	for _, vip := range configs {
		if vip == nil {
			continue
		}

		if address, err := netip.ParseAddr(vip.IP()); err == nil {
			vips = append(vips, address)
		}
	}

	return vips
}
