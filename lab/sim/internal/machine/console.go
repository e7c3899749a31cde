package machine

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"
)

// Console is the kernel log of a boot, which `talosctl dmesg` reads.
type Console struct {
	log *slog.Logger

	mu     sync.Mutex
	lines  []string
	wakeup chan struct{}
}

const consoleLines = 1000

func newConsole(log *slog.Logger) *Console {
	return &Console{log: log, wakeup: make(chan struct{})}
}

// Printf writes a line, once when it repeats the line before.
func (c *Console) Printf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)

	c.mu.Lock()
	defer c.mu.Unlock()

	if len(c.lines) > 0 && endsWith(c.lines[len(c.lines)-1], text) {
		return
	}

	c.log.Info(text)
	c.lines = append(c.lines, fmt.Sprintf("user: warning: [%s]: [talos] %s\n", time.Now().UTC().Format(time.RFC3339Nano), text))
	c.lines = c.lines[max(0, len(c.lines)-consoleLines):]

	close(c.wakeup)
	c.wakeup = make(chan struct{})
}

func endsWith(line, text string) bool {
	tail := "[talos] " + text + "\n"

	return len(line) >= len(tail) && line[len(line)-len(tail):] == tail
}

// Read sends the lines, from the end only when asked, and follows when asked.
func (c *Console) Read(ctx context.Context, follow, tail bool, send func(line string) error) error {
	position := 0
	if tail {
		position = math.MaxInt
	}

	for {
		batch, wakeup := c.since(&position)

		for _, line := range batch {
			if err := send(line); err != nil {
				return err
			}
		}

		if !follow {
			return nil
		}

		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wakeup:
		}
	}
}

// since returns the lines after the position, which it moves to the end.
func (c *Console) since(position *int) ([]string, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()

	batch := slices.Clone(c.lines[min(*position, len(c.lines)):])
	*position = len(c.lines)

	return batch, c.wakeup
}
