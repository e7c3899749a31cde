// Package rpc holds what both plugins share: the handshake with the engine, cancellation, logging
// and the conversion of property maps. The protocol is pulumirpc.ResourceProvider of the Pulumi SDK.
package rpc

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// Factory makes the provider once the connection to the engine is known.
type Factory func(base *Base) pulumirpc.ResourceProviderServer

// Serve runs a plugin until the engine goes away and returns the exit code of the process.
//
// It prints the chosen port as the only line on stdout, which is what the engine waits for.
// SIGINT and SIGTERM end the operations in flight and then the server.
// With --version it says what it is instead.
func Serve(name, version string, newProvider Factory) int {
	version = installedVersion(os.Args[0], name, version)
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Printf("%s (stand-in of the lab, not the real plugin)\n", version)
		return 0
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, orphaned := context.WithCancel(ctx)
	defer orphaned()
	if len(os.Args) > 1 { // started by an engine, whose address is the argument
		go watchParent(ctx, orphaned)
	}
	base := NewBase(version)
	context.AfterFunc(ctx, base.Inflight.CancelAll)
	err := provider.MainContext(ctx, name,
		func(host *provider.HostClient) (pulumirpc.ResourceProviderServer, error) {
			if host != nil {
				base.Log.attach(host)
			}
			return newProvider(base), nil
		})
	if err != nil {
		fmt.Fprintf(os.Stderr, "pulumi-resource-%s: %v\n", name, err)
		return 1
	}
	return 0
}

// parentPoll is how soon a plugin notices that the engine was killed.
const parentPoll = time.Second

// watchParent calls orphaned once the process that started this one is gone. Without it a killed engine
// leaves its plugins, and the commands that they run, for minutes.
func watchParent(ctx context.Context, orphaned func()) {
	parent := os.Getppid()
	for ctx.Err() == nil && os.Getppid() == parent {
		select {
		case <-ctx.Done():
		case <-time.After(parentPoll):
		}
	}
	orphaned()
}
