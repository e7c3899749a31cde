package settings_test

import (
	"strings"
	"testing"
	"time"

	"example.invalid/lab/sim/internal/settings"
)

const minimal = `{"stateDir": "state", "machines": [{"id": "m1", "address": "127.0.10.111"}]}`

func TestDefaults(t *testing.T) {
	t.Parallel()

	s, err := settings.Parse([]byte(minimal))
	if err != nil {
		t.Fatal(err)
	}

	m := s.Machines[0]
	if m.Prefix != 24 || m.MAC != "02:00:00:00:00:01" || len(m.Disks) != 1 || m.Links[0].Name != "eth0" || m.Links[0].MAC != m.MAC {
		t.Errorf("machine defaults: %+v", m)
	}

	if s.Ports.Apid != 50000 || s.Ports.APIServer != 6443 || s.Durations.Boot.Std() != time.Second {
		t.Errorf("defaults: %+v", s)
	}

	if !strings.HasSuffix(s.Socket, "/state/sim.sock") {
		t.Errorf("socket %q is not in the state folder", s.Socket)
	}
}

func TestFaultsAreNamed(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct{ config, message string }{
		"unknown key":   {`{"stateDir": "s", "machine": []}`, `unknown field "machine"`},
		"no state":      {`{"machines": []}`, "stateDir is required"},
		"no machines":   {`{"stateDir": "s"}`, "machines is empty"},
		"bad name":      {`{"stateDir": "s", "machines": [{"id": "M 1", "address": "127.0.0.9"}]}`, `machines[0].id "M 1" is not a name`},
		"real address":  {`{"stateDir": "s", "machines": [{"id": "a", "address": "10.0.0.9"}]}`, `machines[0].address "10.0.0.9" is not in 127.0.0.0/8`},
		"bad duration":  {`{"stateDir": "s", "durations": {"boot": "soon"}}`, `invalid duration "soon"`},
		"negative time": {`{"stateDir": "s", "durations": {"boot": "-1s"}}`, `duration "-1s" is negative`},
		"twice": {
			`{"stateDir": "s", "machines": [{"id": "a", "address": "127.0.0.9"}, {"id": "b", "address": "127.0.0.9"}]}`,
			"address 127.0.0.9 is used twice",
		},
		"long socket": {
			`{"stateDir": "s", "socket": "/` + strings.Repeat("x", 120) + `", "machines": [{"id": "a", "address": "127.0.0.9"}]}`,
			"longer than the 107 bytes",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := settings.Parse([]byte(test.config))
			if err == nil || !strings.Contains(err.Error(), test.message) {
				t.Errorf("got %v, want an error with %q", err, test.message)
			}
		})
	}
}
