// Package rpc holds what both plugins share: the handshake with the engine, cancellation, logging
// and the conversion of property maps. The protocol is pulumirpc.ResourceProvider of the Pulumi SDK.
package rpc

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// Factory makes the provider once the connection to the engine is known.
type Factory func(base *Base) pulumirpc.ResourceProviderServer

// Serve runs a plugin until the engine goes away and returns the exit code of the process.
//
// It prints the chosen port as the only line on stdout, which is what the engine waits for.
// SIGINT and SIGTERM end the operations in flight and then the server.
func Serve(name, version string, make Factory) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	base := NewBase(version)
	context.AfterFunc(ctx, base.Inflight.CancelAll)
	err := provider.MainContext(ctx, name,
		func(host *provider.HostClient) (pulumirpc.ResourceProviderServer, error) {
			if host != nil {
				base.Log.attach(host)
			}
			return make(base), nil
		})
	if err != nil {
		fmt.Fprintf(os.Stderr, "pulumi-resource-%s: %v\n", name, err)
		return 1
	}
	return 0
}
