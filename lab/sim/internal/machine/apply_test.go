package machine_test

import (
	"strings"
	"testing"

	talos "github.com/siderolabs/talos/pkg/machinery/config/machine"

	"example.invalid/lab/sim/internal/fixture"
	"example.invalid/lab/sim/internal/machine"
)

func TestLiveChange(t *testing.T) {
	t.Parallel()

	cluster := fixture.New(t, "https://127.0.30.10:6443")
	before := cluster.Config(t, talos.TypeControlPlane)

	for name, test := range map[string]struct{ patch, message string }{
		"a label":      {"machine: {nodeLabels: {rack: a}}", ""},
		"cluster":      {"cluster: {allowSchedulingOnControlPlanes: true}", ""},
		"sysctl":       {"machine: {sysctls: {vm.swappiness: '1'}}", ""},
		"kubePrism":    {"machine: {features: {kubePrism: {enabled: true, port: 7446}}}", ""},
		"a file":       {"machine: {files: [{path: /var/etc/x, permissions: 0o644, op: create, content: x}]}", "this config change can't be applied in immediate mode\ndiff:\n"},
		"a disk quota": {"machine: {features: {diskQuotaSupport: false}}", "this config change can't be applied in immediate mode\ndiff:\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			err := machine.LiveChange(before, cluster.Config(t, talos.TypeControlPlane, test.patch))

			switch {
			case test.message == "" && err != nil:
				t.Errorf("needs a reboot: %v", err)
			case test.message != "" && (err == nil || !strings.HasPrefix(err.Error(), test.message)):
				t.Errorf("got %v, want %q", err, test.message)
			}
		})
	}

	if err := machine.LiveChange(nil, before); err == nil || err.Error() != "no current config" {
		t.Errorf("got %v", err)
	}
}
