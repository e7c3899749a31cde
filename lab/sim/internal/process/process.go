//go:build linux

// Package process runs the lab's real programs as children that never outlive the simulator.
package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Spec says what to run.
type Spec struct {
	Name    string // of the log file and in /status
	Path    string
	Args    []string
	Env     []string
	Dir     string
	Grace   time.Duration // between SIGTERM and SIGKILL, default 5 s
	Backoff time.Duration // before a restart, default 1 s
}

// Supervisor starts children from one locked thread: the kernel ties a child's death signal to the thread that made it.
type Supervisor struct {
	logs  string
	start chan startRequest
	mu    sync.Mutex
	alive map[string]int
}

type startRequest struct {
	cmd  *exec.Cmd
	done chan error
}

// NewSupervisor writes the children's output below the folder, in files only the user can read.
func NewSupervisor(logs string) (*Supervisor, error) {
	if err := os.MkdirAll(logs, 0o700); err != nil { // the state folder above it as well
		return nil, err
	}

	s := &Supervisor{logs: logs, start: make(chan startRequest), alive: map[string]int{}}
	go s.spawn()

	return s, nil
}

func (s *Supervisor) spawn() {
	runtime.LockOSThread()

	for request := range s.start {
		request.done <- request.cmd.Start()
	}
}

// Alive returns the children that run now: name to process id.
func (s *Supervisor) Alive() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()

	alive := make(map[string]int, len(s.alive))
	for name, pid := range s.alive {
		alive[name] = pid
	}

	return alive
}

// Keep runs the program, and again after each exit, until the context ends; then it stops the child.
func (s *Supervisor) Keep(ctx context.Context, spec Spec) {
	wait := spec.Backoff
	if wait == 0 {
		wait = time.Second
	}

	for ctx.Err() == nil {
		started := time.Now()

		err := s.Run(ctx, spec)
		if ctx.Err() != nil {
			return
		}

		slog.Warn("child ended, starting it again", "process", spec.Name, "error", err)

		if time.Since(started) > time.Minute {
			wait = max(spec.Backoff, time.Second)
		}

		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}

		wait = min(2*wait, 30*time.Second)
	}
}

// Run runs the program once; at the end of the context it gets SIGTERM and, after the grace time, SIGKILL.
func (s *Supervisor) Run(ctx context.Context, spec Spec) error {
	log, err := os.OpenFile(filepath.Join(s.logs, spec.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck

	cmd := exec.Command(spec.Path, spec.Args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = spec.Dir, log, log
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.logs}, spec.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}

	request := startRequest{cmd: cmd, done: make(chan error, 1)}
	s.start <- request

	if err := <-request.done; err != nil {
		return fmt.Errorf("start %s: %w", spec.Name, err)
	}

	s.note(spec.Name, cmd.Process.Pid)
	defer s.note(spec.Name, 0)

	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()

	select {
	case err := <-exited:
		return errors.Join(errors.New("exited by itself"), err)
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), ErrPowerCut) {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}

		return stop(cmd.Process.Pid, spec.Grace, exited)
	}
}

// ErrPowerCut as the cause of a context's end kills the child at once instead of asking it to stop.
var ErrPowerCut = errors.New("the power was cut")

// stop signals the child's process group, which Setpgid named after the child.
func stop(pid int, grace time.Duration, exited <-chan error) error {
	if grace == 0 {
		grace = 5 * time.Second
	}

	_ = syscall.Kill(-pid, syscall.SIGTERM)

	select {
	case <-exited:
	case <-time.After(grace):
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		<-exited
	}

	return nil
}

func (s *Supervisor) note(name string, pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if pid == 0 {
		delete(s.alive, name)
	} else {
		s.alive[name] = pid
	}
}
