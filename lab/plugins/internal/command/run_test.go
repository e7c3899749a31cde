package command

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"lab/plugins/internal/rpctest"
)

func TestInterpreterGetsTheCommandAsOneArgument(t *testing.T) {
	p, _ := newProvider(t)
	pwned := filepath.Join(t.TempDir(), "pwned")
	text := "10.0.50.11; touch " + pwned
	state := create(t, p, map[string]any{
		"interpreter": []any{"printf", "%s|"}, "create": text,
	})
	wantStdout(t, state, text+"|")
	if _, err := os.Stat(pwned); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a shell ran the command: %v", err)
	}
}

func TestWithoutInterpreterAShellRunsTheCommand(t *testing.T) {
	p, _ := newProvider(t)
	wantStdout(t, create(t, p, map[string]any{"create": "echo $((1 + 1))"}), "2")
}

func TestOneTrailingNewlineIsTrimmed(t *testing.T) {
	p, _ := newProvider(t)
	state := create(t, p, map[string]any{"create": `printf 'a\n\n'; printf 'b\n' >&2`})
	wantStdout(t, state, "a\n")
	if got := state["stderr"].StringValue(); got != "b" {
		t.Fatalf("stderr is %q, want b", got)
	}
}

func TestStdinEnvironmentAndDirReachTheCommand(t *testing.T) {
	t.Setenv("LAB_INHERITED", "kept")
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p, _ := newProvider(t)
	state := create(t, p, map[string]any{
		"create": "cat; pwd; echo $LAB_INHERITED $LAB_ADDED", "stdin": "in\n", "dir": dir,
		"environment": map[string]any{"LAB_ADDED": "added"},
	})
	wantStdout(t, state, "in\n"+dir+"\nkept added")
}

func TestFailureQuotesStatusCommandAndOutput(t *testing.T) {
	p, _ := newProvider(t)
	_, err := p.Create(t.Context(), &pulumirpc.CreateRequest{Urn: testURN, Properties: wire(t, map[string]any{
		"create": "echo out; echo err >&2; exit 3", "logging": "none",
	})})
	rpctest.WantError(t, err, `exit status 3: running "echo out; echo err >&2; exit 3":`, "out\n", "err\n")
}

func TestMissingProgramIsNamed(t *testing.T) {
	p, _ := newProvider(t)
	_, err := p.Create(t.Context(), &pulumirpc.CreateRequest{Urn: testURN, Properties: wire(t, map[string]any{
		"interpreter": []any{"lab-no-such-program"}, "create": "x",
	})})
	rpctest.WantError(t, err, `exec: "lab-no-such-program": executable file not found in $PATH: running "x"`)
}

func TestTimeoutKillsTheProcess(t *testing.T) {
	p, _ := newProvider(t)
	_, err := p.Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: testURN, Timeout: 0.1,
		Properties: wire(t, map[string]any{"interpreter": []any{"sleep"}, "create": "3600"}),
	})
	rpctest.WantError(t, err, `signal: killed: running "3600"`)
}

func TestCancelKillsTheProcessButWaitsForItsChildren(t *testing.T) {
	p, log := newProvider(t)
	log.seen = make(chan string, 8)
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := p.Create(t.Context(), &pulumirpc.CreateRequest{Urn: testURN, Properties: wire(t, map[string]any{
			"create": "(read x; echo late) <" + fifo + " & echo $$; wait",
		})})
		failed <- err
	}()
	pid, err := strconv.Atoi(<-log.seen)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Cancel(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for syscall.Kill(pid, 0) == nil {
		continue // until the shell is reaped
	}
	if err := os.WriteFile(fifo, []byte("go\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rpctest.WantError(t, <-failed, "signal: killed", "late\n")
}

func TestLoggingChoosesTheStreams(t *testing.T) {
	const script = "echo out; echo err >&2"
	for logging, want := range map[string][]string{
		"":                {"info step err", "info step out"},
		"stdoutAndStderr": {"info step err", "info step out"},
		"stdout":          {"info step out"},
		"stderr":          {"info step err"},
		"none":            nil,
	} {
		t.Run(logging, func(t *testing.T) {
			p, log := newProvider(t)
			inputs := map[string]any{"create": script}
			if logging != "" {
				inputs["logging"] = logging
			}
			create(t, p, inputs)
			slices.Sort(log.lines)
			if !slices.Equal(log.lines, want) {
				t.Fatalf("logged %q, want %q", log.lines, want)
			}
		})
	}
}

func TestAVeryLongLineIsLoggedWhole(t *testing.T) {
	p, log := newProvider(t)
	const length = 200_000
	create(t, p, map[string]any{"create": "head -c " + strconv.Itoa(length) + " /dev/zero | tr '\\0' x"})
	if len(log.lines) != 1 || strings.Count(log.lines[0], "x") != length {
		t.Fatalf("logged %d lines, want one of %d characters", len(log.lines), length)
	}
}
