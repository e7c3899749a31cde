package nodeconfig_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/config/machine"

	"example.invalid/lab/sim/internal/fixture"
	"example.invalid/lab/sim/internal/nodeconfig"
	"example.invalid/lab/sim/internal/settings"
)

const endpoint = "https://127.0.30.10:6443"

var hardware = settings.Machine{
	ID: "m1", Address: netip.MustParseAddr("127.0.30.111"), Prefix: 24, MAC: "02:00:00:00:00:01",
	Links: []settings.Link{{Name: "eth0", MAC: "02:00:00:00:00:01"}, {Name: "eth1", MAC: "02:00:00:00:00:99"}},
}

const hostnameDoc = "apiVersion: v1alpha1\nkind: HostnameConfig\nauto: \"off\"\nhostname: cp1.lab.invalid\n"

func addresses(texts ...string) []netip.Addr {
	list := []netip.Addr{}
	for _, text := range texts {
		list = append(list, netip.MustParseAddr(text))
	}

	return list
}

func TestAddresses(t *testing.T) {
	t.Parallel()

	cluster := fixture.New(t, endpoint)

	for name, test := range map[string]struct {
		patches []string
		listen  []netip.Addr
	}{
		"DHCP keeps the address": {nil, addresses("127.0.30.111")},
		"a static address replaces DHCP": {
			[]string{"apiVersion: v1alpha1\nkind: LinkConfig\nname: eth0\naddresses: [{address: 127.0.30.11/24}]\n"},
			addresses("127.0.30.11"),
		},
		"by alias": {
			[]string{
				"apiVersion: v1alpha1\nkind: LinkAliasConfig\nname: lan0\nselector: {match: 'mac(link.permanent_addr) == \"02:00:00:00:00:01\"'}\n" +
					"---\napiVersion: v1alpha1\nkind: LinkConfig\nname: lan0\naddresses: [{address: 127.0.30.12/24}]\n",
			},
			addresses("127.0.30.12"),
		},
		"an alias of another machine's link": {
			[]string{
				"apiVersion: v1alpha1\nkind: LinkAliasConfig\nname: lan0\nselector: {match: 'mac(link.permanent_addr) == \"02:00:00:00:00:55\"'}\n" +
					"---\napiVersion: v1alpha1\nkind: LinkConfig\nname: lan0\naddresses: [{address: 127.0.30.12/24}]\n",
			},
			nil,
		},
		"DHCP switched on again": {
			[]string{
				"apiVersion: v1alpha1\nkind: LinkConfig\nname: eth1\naddresses: [{address: 127.0.31.11/24}]\n" +
					"---\napiVersion: v1alpha1\nkind: DHCPv4Config\nname: eth0\n",
			},
			addresses("127.0.30.111", "127.0.31.11"),
		},
		"addresses outside of the loopback are not bound": {
			[]string{
				"apiVersion: v1alpha1\nkind: LinkConfig\nname: eth0\naddresses: [{address: 127.0.30.11/24}]\n" +
					"---\napiVersion: v1alpha1\nkind: VLANConfig\nname: vlan50\nvlanID: 50\nparent: eth0\naddresses: [{address: 10.0.50.11/24}]\n",
			},
			addresses("127.0.30.11"),
		},
		"v1alpha1 interfaces": {
			[]string{"machine: {network: {interfaces: [{interface: eth0, addresses: [127.0.30.13/24], dhcp: false}]}}"},
			addresses("127.0.30.13"),
		},
		"v1alpha1 selector with a VLAN": {
			[]string{"machine: {network: {interfaces: [{deviceSelector: {hardwareAddr: '02:00:00:00:00:01'}, dhcp: true, vlans: [{vlanId: 50, addresses: [127.0.50.13/24]}]}]}}"},
			addresses("127.0.30.111", "127.0.50.13"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			node, err := nodeconfig.New(cluster.Config(t, machine.TypeControlPlane, test.patches...), hardware)
			if err != nil {
				t.Fatal(err)
			}

			if got := node.Listen(); !slices.Equal(got, test.listen) {
				t.Errorf("listens on %v, want %v", got, test.listen)
			}
		})
	}
}

func TestVLANIsALink(t *testing.T) {
	t.Parallel()

	config := fixture.New(t, endpoint).Config(t, machine.TypeWorker,
		"apiVersion: v1alpha1\nkind: VLANConfig\nname: vlan50\nvlanID: 50\nparent: eth0\naddresses: [{address: 10.0.50.11/24}]\n")

	node, err := nodeconfig.New(config, hardware)
	if err != nil {
		t.Fatal(err)
	}

	vlan := node.Links[len(node.Links)-1]
	if vlan.Name != "vlan50" || vlan.Kind != "vlan" || vlan.VLANID != 50 || vlan.Parent != "eth0" || vlan.MAC != hardware.MAC {
		t.Errorf("VLAN link: %+v", vlan)
	}
}

func TestVirtualAddressIsNotTheNodes(t *testing.T) {
	t.Parallel()

	config := fixture.New(t, endpoint).Config(t, machine.TypeControlPlane, hostnameDoc,
		"apiVersion: v1alpha1\nkind: LinkConfig\nname: eth0\naddresses: [{address: 127.0.30.11/24}]\n---\n"+
			"apiVersion: v1alpha1\nkind: Layer2VIPConfig\nname: 127.0.30.10\nlink: eth0\n")

	node, err := nodeconfig.New(config, hardware)
	if err != nil {
		t.Fatal(err)
	}

	if !slices.Equal(node.VIPs, addresses("127.0.30.10")) || !slices.Equal(node.Listen(), addresses("127.0.30.11")) {
		t.Errorf("virtual %v, own %v", node.VIPs, node.Listen())
	}

	if node.Hostname != "cp1" {
		t.Errorf("host name %q, want cp1", node.Hostname)
	}
}

func TestNodeIP(t *testing.T) {
	t.Parallel()

	links := "apiVersion: v1alpha1\nkind: LinkConfig\nname: eth0\naddresses: [{address: 127.0.30.11/24}, {address: 10.0.50.11/24}]\n"
	cluster := fixture.New(t, endpoint)

	for subnets, want := range map[string]string{
		"[]":                "10.0.50.11", // the lowest address, as on Talos
		"[127.0.30.0/24]":   "127.0.30.11",
		"['!10.0.50.0/24']": "127.0.30.11",
		"[192.168.0.0/16]":  "",
	} {
		config := cluster.Config(t, machine.TypeWorker, links, "machine: {kubelet: {nodeIP: {validSubnets: "+subnets+"}}}")

		node, err := nodeconfig.New(config, hardware)
		if err != nil {
			t.Fatal(err)
		}

		ip, ok := node.NodeIP()
		if ok != (want != "") || (ok && ip.String() != want) {
			t.Errorf("validSubnets %s: got %v %v, want %q", subnets, ip, ok, want)
		}
	}
}

func TestClusterKey(t *testing.T) {
	t.Parallel()

	one, other := fixture.New(t, endpoint), fixture.Foreign(t, endpoint)
	key := func(c *fixture.Cluster, kind machine.Type) string {
		node, err := nodeconfig.New(c.Config(t, kind), hardware)
		if err != nil {
			t.Fatal(err)
		}

		return node.ClusterKey()
	}

	if key(one, machine.TypeControlPlane) != key(one, machine.TypeWorker) {
		t.Error("a worker and a control plane of one cluster have different keys")
	}

	if key(one, machine.TypeWorker) == key(other, machine.TypeWorker) {
		t.Error("two clusters have the same key")
	}
}

func TestPartialConfiguration(t *testing.T) {
	t.Parallel()

	_, err := nodeconfig.Read([]byte(hostnameDoc), hardware)
	if err == nil || err.Error() != "the machine configuration has no v1alpha1 document" {
		t.Errorf("got %v", err)
	}
}
