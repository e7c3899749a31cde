package manifests_test

import (
	"slices"
	"testing"

	talos "github.com/siderolabs/talos/pkg/machinery/config/machine"

	"example.invalid/lab/sim/internal/fixture"
	"example.invalid/lab/sim/internal/manifests"
)

func TestRender(t *testing.T) {
	t.Parallel()

	cluster := fixture.New(t, "https://127.0.30.10:6443")

	for name, test := range map[string]struct {
		patch         string
		present, none []string
	}{
		"as generated":      {"machine: {nodeLabels: {a: b}}", []string{"DaemonSet/kube-proxy", "Deployment/coredns", "Service/kube-dns"}, nil},
		"without proxy":     {"cluster: {proxy: {disabled: true}}", []string{"Deployment/coredns"}, []string{"DaemonSet/kube-proxy", "ServiceAccount/kube-proxy"}},
		"without a DNS":     {"cluster: {coreDNS: {disabled: true}}", []string{"DaemonSet/kube-proxy"}, []string{"Deployment/coredns", "Service/kube-dns"}},
		"own service range": {"cluster: {network: {serviceSubnets: [172.20.0.0/16]}}", []string{"Service/kube-dns at 172.20.0.10"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			objects, err := manifests.Render(cluster.Config(t, talos.TypeControlPlane, test.patch))
			if err != nil {
				t.Fatal(err)
			}

			var names []string

			for _, object := range objects {
				names = append(names, object.GetKind()+"/"+object.GetName())

				if spec, ok := object.Object["spec"].(map[string]any); ok && object.GetKind() == "Service" {
					if address, ok := spec["clusterIP"].(string); ok {
						names = append(names, "Service/"+object.GetName()+" at "+address)
					}
				}
			}

			for _, wanted := range test.present {
				if !slices.Contains(names, wanted) {
					t.Errorf("%s is missing in %v", wanted, names)
				}
			}

			for _, unwanted := range test.none {
				if slices.Contains(names, unwanted) {
					t.Errorf("%s is there", unwanted)
				}
			}
		})
	}
}
