package rpc

import (
	"context"
	"time"
)

// Inflight ties operations to the Cancel call of the engine and to their own time limit.
type Inflight struct {
	base   context.Context
	cancel context.CancelFunc
}

// NewInflight returns an Inflight that nobody has cancelled.
func NewInflight() *Inflight {
	base, cancel := context.WithCancel(context.Background())
	return &Inflight{base: base, cancel: cancel}
}

// CancelAll ends the operations that run and those that come later.
func (f *Inflight) CancelAll() { f.cancel() }

// Derive returns a context that ends with parent, with CancelAll, or after timeout seconds.
// A timeout of 0 means none. The returned function must be called.
func (f *Inflight) Derive(parent context.Context, timeout float64) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	release := context.AfterFunc(f.base, cancel)
	end := func() { release(); cancel() }
	if timeout <= 0 {
		return ctx, end
	}
	limited, endLimit := context.WithTimeout(ctx, time.Duration(timeout*float64(time.Second)))
	return limited, func() { endLimit(); end() }
}
