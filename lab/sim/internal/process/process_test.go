//go:build linux

package process_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.invalid/lab/sim/internal/process"
)

const helperDir = "TALOS_SIM_TEST_HELPER_DIR"

// TestMain lets the test binary play a simulator that is killed.
func TestMain(m *testing.M) {
	dir := os.Getenv(helperDir)
	if dir == "" {
		os.Exit(m.Run())
	}

	supervisor, err := process.NewSupervisor(dir)
	if err != nil {
		os.Exit(2)
	}

	go func() {
		for supervisor.Alive()["child"] == 0 {
			time.Sleep(10 * time.Millisecond)
		}

		_ = os.WriteFile(filepath.Join(dir, "pid"), []byte(strconv.Itoa(supervisor.Alive()["child"])), 0o600)
	}()

	_ = supervisor.Run(context.Background(), process.Spec{Name: "child", Path: "/bin/sleep", Args: []string{"600"}})
}

func TestChildrenDieWithTheSimulator(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	helper := exec.Command(os.Args[0])
	helper.Env = append(os.Environ(), helperDir+"="+dir)

	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}

	pid := 0

	eventually(t, "the child runs", func() bool {
		data, err := os.ReadFile(filepath.Join(dir, "pid"))
		if err == nil {
			pid, err = strconv.Atoi(string(data))
		}

		return err == nil
	})

	if err := helper.Process.Kill(); err != nil {
		t.Fatal(err)
	}

	_ = helper.Wait()

	eventually(t, "the child is gone", func() bool { return gone(pid) })
}

// gone tells that a process is no more, or only waits to be collected.
func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}

	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")

	return err != nil || strings.Contains(string(data), ") Z ")
}

func TestStopAndLogs(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()

	supervisor, err := process.NewSupervisor(dir)
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)

	go func() {
		done <- supervisor.Run(ctx, process.Spec{Name: "p", Path: "/bin/sh", Args: []string{"-c", "echo hello; exec sleep 600"}})
	}()

	log := filepath.Join(dir, "p.log")

	eventually(t, "the output is logged", func() bool {
		data, err := os.ReadFile(log)

		return err == nil && string(data) == "hello\n"
	})

	info, err := os.Stat(log)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("log: %v %v", info.Mode(), err)
	}

	cancel()

	if err := <-done; err != nil {
		t.Errorf("a stopped child is no error, got %v", err)
	}

	if alive := supervisor.Alive(); len(alive) != 0 {
		t.Errorf("still alive: %v", alive)
	}
}

func TestOwnExitIsAnError(t *testing.T) {
	t.Parallel()

	supervisor, err := process.NewSupervisor(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	err = supervisor.Run(t.Context(), process.Spec{Name: "p", Path: "/bin/sh", Args: []string{"-c", "exit 3"}})
	if err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v", err)
	}

	err = supervisor.Run(t.Context(), process.Spec{Name: "p", Path: "/no/such/program"})
	if err == nil || !strings.Contains(err.Error(), "start p: fork/exec /no/such/program") {
		t.Errorf("got %v", err)
	}
}

func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()

	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if check() {
			return
		}
	}

	t.Fatalf("waited in vain until %s", what)
}
