package controlplane_test

import (
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	talos "github.com/siderolabs/talos/pkg/machinery/config/machine"

	"example.invalid/lab/sim/internal/controlplane"
	"example.invalid/lab/sim/internal/fixture"
	"example.invalid/lab/sim/internal/nodeconfig"
	"example.invalid/lab/sim/internal/settings"
)

var hardware = settings.Machine{
	ID: "m1", Address: netip.MustParseAddr("127.0.30.11"), Prefix: 24, MAC: "02:00:00:00:00:01",
	Links: []settings.Link{{Name: "eth0", MAC: "02:00:00:00:00:01"}},
}

func TestServingCertificate(t *testing.T) {
	t.Parallel()

	config := fixture.New(t, "https://api.lab.invalid:6443").Config(t, talos.TypeControlPlane,
		"cluster: {apiServer: {certSANs: [127.0.30.99]}}",
		"apiVersion: v1alpha1\nkind: Layer2VIPConfig\nname: 127.0.30.10\nlink: eth0\n")

	node, err := nodeconfig.New(config, hardware)
	if err != nil {
		t.Fatal(err)
	}

	authorities, err := controlplane.LoadAuthorities(config)
	if err != nil {
		t.Fatal(err)
	}

	dir := t.TempDir()
	if err := controlplane.WriteKubernetes(dir, node, authorities, "https://127.0.30.11:6443"); err != nil {
		t.Fatal(err)
	}

	data, err := os.ReadFile(filepath.Join(dir, "apiserver.crt"))
	if err != nil {
		t.Fatal(err)
	}

	block, _ := pem.Decode(data)

	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}

	for _, name := range []string{"127.0.30.10", "127.0.30.11", "127.0.30.99", "127.0.0.1", "10.96.0.1", "api.lab.invalid", "kubernetes.default.svc"} {
		if err := certificate.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}

	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}

	for _, entry := range entries {
		if info, err := entry.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", entry.Name(), info.Mode(), err)
		}
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()

	config := fixture.New(t, "https://127.0.30.10:6443").Config(t, talos.TypeControlPlane,
		"cluster: {network: {podSubnets: [10.100.0.0/16], serviceSubnets: [10.200.0.0/16]}}")

	args := controlplane.ServerArgs(config, controlplane.ServerOptions{
		Dir: "/pki", Address: netip.MustParseAddr("127.0.30.11"), Port: 6443, EtcdURL: "https://127.0.30.11:2379",
	})

	for _, wanted := range []string{
		"--bind-address=127.0.30.11", "--endpoint-reconciler-type=none", "--allow-privileged=true", "--authorization-mode=Node,RBAC",
		"--service-cluster-ip-range=10.200.0.0/16", "--service-account-issuer=https://127.0.30.10:6443",
	} {
		if !slices.Contains(args, wanted) {
			t.Errorf("kube-apiserver lacks %s", wanted)
		}
	}

	manager := strings.Join(controlplane.ManagerArgs(config, "/pki", netip.MustParseAddr("127.0.30.11")), " ")
	if !strings.Contains(manager, "--cluster-cidr=10.100.0.0/16") || !strings.Contains(manager, "--leader-elect=true") {
		t.Errorf("kube-controller-manager: %s", manager)
	}
}

func TestWorkerHasNoAuthorities(t *testing.T) {
	t.Parallel()

	_, err := controlplane.LoadAuthorities(fixture.New(t, "https://127.0.30.10:6443").Config(t, talos.TypeWorker))
	if err == nil || err.Error() != "cluster.ca: the configuration has no key of this certificate authority" {
		t.Errorf("got %v", err)
	}
}
