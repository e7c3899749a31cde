package sim_test

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	talos "github.com/siderolabs/talos/pkg/machinery/config/machine"

	"example.invalid/lab/sim/internal/fixture"
	"example.invalid/lab/sim/internal/settings"
	"example.invalid/lab/sim/internal/sim"
)

const (
	patience    = 3 * time.Minute // for slow machines only; a test that passes is done much sooner
	callTimeout = time.Minute
	withoutCNI  = "cluster: {network: {cni: {name: none}}, proxy: {disabled: true}}"
)

// lab is a simulator with a control plane m1 and a worker m2, driven by the real talosctl.
type lab struct {
	t        *testing.T
	dir      string
	settings *settings.Settings
	cluster  *fixture.Cluster
	cp       string
	worker   string

	stop func()
}

// newLab takes a network of its own out of 127.0.0.0/8, so that runs side by side do not meet.
func newLab(t *testing.T, offset int, binaries settings.Binaries) *lab {
	t.Helper()

	dir := t.TempDir()
	network := fmt.Sprintf("127.%d.%d", 100+os.Getpid()%100, (os.Getpid()/100+offset)%250)
	l := &lab{t: t, dir: dir, cp: network + ".11", worker: network + ".12"}

	config := fmt.Sprintf(`{"stateDir": %q, "durations": {"boot": "200ms", "install": "200ms", "reboot": "200ms"},
		"machines": [{"id": "m1", "address": %q}, {"id": "m2", "address": %q}]}`, dir, l.cp, l.worker)

	s, err := settings.Parse([]byte(config))
	if err != nil {
		t.Fatal(err)
	}

	s.Binaries = binaries
	l.settings = s
	l.cluster = fixture.New(t, "https://"+l.cp+":6443")

	l.write("talosconfig", l.cluster.Talosconfig(t, l.cp))
	l.write("cp.yaml", l.config(talos.TypeControlPlane, "cp1"))
	l.write("worker.yaml", l.config(talos.TypeWorker, "w1"))
	l.start()
	t.Cleanup(func() { l.stop() })

	return l
}

func (l *lab) config(kind talos.Type, name string, patches ...string) []byte {
	l.t.Helper()

	patches = append(patches, withoutCNI, "apiVersion: v1alpha1\nkind: HostnameConfig\nauto: \"off\"\nhostname: "+name+"\n",
		"machine: {kubelet: {nodeIP: {validSubnets: ["+netip.MustParseAddr(l.cp).String()[:strings.LastIndex(l.cp, ".")]+".0/24]}}}")

	data, err := l.cluster.Config(l.t, kind, patches...).Bytes()
	if err != nil {
		l.t.Fatal(err)
	}

	return data
}

func (l *lab) write(name string, data []byte) {
	l.t.Helper()

	if err := os.WriteFile(l.file(name), data, 0o600); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) file(name string) string { return filepath.Join(l.dir, "test-"+name) }

// start runs the simulator and waits for its ready line.
func (l *lab) start() {
	l.t.Helper()

	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	out := &readyWriter{ready: ready}

	go func() { done <- sim.Run(ctx, l.settings, out) }()

	var once sync.Once

	l.stop = func() {
		once.Do(func() {
			cancel()

			if err := <-done; err != nil {
				l.t.Errorf("simulator: %v", err)
			}
		})
	}

	select {
	case <-ready:
	case err := <-done:
		done <- nil
		l.t.Fatalf("the simulator ended: %v", err)
	case <-time.After(patience):
		l.t.Fatal("the simulator never became ready")
	}
}

type readyWriter struct {
	ready chan struct{}
	once  sync.Once
}

func (w *readyWriter) Write(data []byte) (int, error) {
	if bytes.Contains(data, []byte("ready")) {
		w.once.Do(func() { close(w.ready) })
	}

	return len(data), nil
}

// answer is what a call of talosctl gave.
type answer struct {
	code   int
	stdout string
	stderr string
}

func (l *lab) talosctl(args ...string) answer {
	l.t.Helper()

	ctx, cancel := context.WithTimeout(l.t.Context(), callTimeout)
	defer cancel()

	var stdout, stderr bytes.Buffer

	cmd := exec.CommandContext(ctx, os.Getenv("TALOSCTL"), args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Env = append(os.Environ(), "TALOS_HOME="+l.dir)
	_ = cmd.Run() // the exit code is looked at by the caller

	return answer{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
}

// as calls talosctl as the cluster's administrator for one node.
func (l *lab) as(node string, args ...string) answer {
	l.t.Helper()

	return l.talosctl(append([]string{"--talosconfig", l.file("talosconfig"), "-e", node, "-n", node}, args...)...)
}

// expect fails unless the call ended with the code and said the words.
func (l *lab) expect(got answer, code int, words ...string) {
	l.t.Helper()

	if got.code != code {
		l.t.Errorf("exit code %d, want %d\n%s%s", got.code, code, got.stdout, got.stderr)
	}

	for _, word := range words {
		if !strings.Contains(got.stdout+got.stderr, word) {
			l.t.Errorf("%q is missing in:\n%s%s", word, got.stdout, got.stderr)
		}
	}
}

// eventually repeats a call until it succeeds and says the words.
func (l *lab) eventually(call func() answer, words ...string) answer {
	l.t.Helper()

	var last answer

	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		last = call()
		complete := last.code == 0

		for _, word := range words {
			complete = complete && strings.Contains(last.stdout+last.stderr, word)
		}

		if complete {
			return last
		}
	}

	l.t.Fatalf("never got %q; last answer (%d):\n%s%s", words, last.code, last.stdout, last.stderr)

	return last
}

func needs(t *testing.T, names ...string) {
	t.Helper()

	for _, name := range names {
		if os.Getenv(name) == "" {
			t.Skipf("set %s to the path of the program to run this test", name)
		}
	}
}
