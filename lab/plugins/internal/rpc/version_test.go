package rpc

import "testing"

func TestInstalledVersion(t *testing.T) {
	for program, want := range map[string]string{
		"/home/plugins/resource-command-v1.2.1/pulumi-resource-command":      "1.2.1",
		"/home/plugins/resource-command-v1.2.1-beta/pulumi-resource-command": "1.2.1-beta",
		"/home/plugins/resource-command-vx/pulumi-resource-command":          "0.0.0-lab",
		"/home/plugins/resource-docker-v1.2.1/pulumi-resource-command":       "0.0.0-lab",
		"pulumi-resource-command": "0.0.0-lab",
	} {
		if got := installedVersion(program, "command", "0.0.0-lab"); got != want {
			t.Errorf("%s gives %q, want %q", program, got, want)
		}
	}
}
