package rpc

import (
	"context"
	"sync/atomic"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
)

// Sink receives log lines. *provider.HostClient is one.
type Sink interface {
	Log(ctx context.Context, sev diag.Severity, urn resource.URN, msg string) error
	LogStatus(ctx context.Context, sev diag.Severity, urn resource.URN, msg string) error
}

// Logger sends log lines to the engine, and drops them while no engine is attached.
type Logger struct{ sink atomic.Pointer[Sink] }

func (l *Logger) attach(host *provider.HostClient) { l.To(host) }

// To makes sink the receiver of all further lines.
func (l *Logger) To(sink Sink) { l.sink.Store(&sink) }

// Line logs a line that stays in the output of the run.
func (l *Logger) Line(ctx context.Context, sev diag.Severity, urn, msg string) {
	if sink := l.sink.Load(); sink != nil {
		// A log line that the engine no longer takes must not fail the operation.
		_ = (*sink).Log(context.WithoutCancel(ctx), sev, resource.URN(urn), msg)
	}
}

// Status logs a line for the progress display of one resource.
func (l *Logger) Status(ctx context.Context, sev diag.Severity, urn, msg string) {
	if sink := l.sink.Load(); sink != nil {
		_ = (*sink).LogStatus(context.WithoutCancel(ctx), sev, resource.URN(urn), msg)
	}
}
