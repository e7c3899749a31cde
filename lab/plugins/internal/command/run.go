package command

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// Environment variables that carry the output of the previous run.
const (
	envStdout = "PULUMI_COMMAND_STDOUT"
	envStderr = "PULUMI_COMMAND_STDERR"
)

// Output is what a run printed, each without one trailing newline.
type Output struct{ Stdout, Stderr string }

// lineFunc takes one line that the command printed, without its newline.
type lineFunc func(line string)

// run executes one command and returns what it printed.
//
// The end of ctx kills the process but not its children: as in the real provider the call then
// lasts until every holder of the output pipes is gone. The error quotes the command and all that it
// printed, so a secret belongs in stdin or the environment, never in the command.
func run(ctx context.Context, command string, in Inputs, previous Output, emit lineFunc) (Output, error) {
	argv := append(shellOr(in.Interpreter), command)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = in.Dir
	cmd.Env = childEnv(in, previous)
	if in.Stdin != "" {
		cmd.Stdin = strings.NewReader(in.Stdin)
	}
	var stdout, stderr bytes.Buffer
	both := &lockedBuffer{}
	lines := newLineWriter(emit)
	cmd.Stdout = io.MultiWriter(writers(&stdout, both, lines, in.Logging, logStdout)...)
	cmd.Stderr = io.MultiWriter(writers(&stderr, both, lines, in.Logging, logStderr)...)
	err := cmd.Run()
	lines.close()
	if err != nil {
		return Output{}, fmt.Errorf("%w: running %q:\n%s", err, command, both.String())
	}
	return Output{Stdout: chomp(stdout.String()), Stderr: chomp(stderr.String())}, nil
}

func shellOr(interpreter []string) []string {
	if len(interpreter) == 0 {
		return []string{"/bin/sh", "-c"}
	}
	return append([]string(nil), interpreter...)
}

func childEnv(in Inputs, previous Output) []string {
	env := os.Environ()
	for name, value := range in.Environment {
		env = append(env, name+"="+value)
	}
	if in.PassPrevious && previous.Stdout != "" {
		env = append(env, envStdout+"="+previous.Stdout)
	}
	if in.PassPrevious && previous.Stderr != "" {
		env = append(env, envStderr+"="+previous.Stderr)
	}
	return env
}

func writers(own *bytes.Buffer, both, lines io.Writer, logging, stream string) []io.Writer {
	if logging == stream || logging == logBoth {
		return []io.Writer{own, both, lines}
	}
	return []io.Writer{own, both}
}

func chomp(s string) string { return strings.TrimSuffix(s, "\n") }

// lockedBuffer collects stdout and stderr in the order in which they arrive.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// lineWriter cuts what is written into lines and emits them from one goroutine.
type lineWriter struct {
	*io.PipeWriter
	done chan struct{}
}

func newLineWriter(emit lineFunc) *lineWriter {
	reader, writer := io.Pipe()
	w := &lineWriter{PipeWriter: writer, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		emitLines(bufio.NewReader(reader), emit)
	}()
	return w
}

func (w *lineWriter) close() {
	// Closing the write end of a pipe never fails.
	_ = w.PipeWriter.Close()
	<-w.done
}

func emitLines(r *bufio.Reader, emit lineFunc) {
	for {
		line, err := r.ReadString('\n')
		if line != "" {
			emit(strings.TrimSuffix(chomp(line), "\r"))
		}
		if errors.Is(err, io.EOF) {
			return
		}
	}
}
