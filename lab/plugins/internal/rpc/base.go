package rpc

import (
	"context"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Base answers the methods that do not depend on the kind of provider. Providers embed it.
type Base struct {
	pulumirpc.UnimplementedResourceProviderServer

	Version  string    // what GetPluginInfo answers, without a leading v
	Log      *Logger   // to the engine
	Inflight *Inflight // operations that Cancel ends
}

// NewBase returns a Base that logs nowhere until the engine is attached.
func NewBase(version string) *Base {
	return &Base{Version: version, Log: &Logger{}, Inflight: NewInflight()}
}

// Handshake tells the engine which kinds of values the provider understands.
func (b *Base) Handshake(
	context.Context, *pulumirpc.ProviderHandshakeRequest,
) (*pulumirpc.ProviderHandshakeResponse, error) {
	return &pulumirpc.ProviderHandshakeResponse{
		AcceptSecrets: true, AcceptResources: true, AcceptOutputs: true,
	}, nil
}

// GetPluginInfo returns the version baked into the binary.
func (b *Base) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: b.Version}, nil
}

// Attach connects to an engine that was not known at start (PULUMI_DEBUG_PROVIDERS).
func (b *Base) Attach(_ context.Context, req *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	host, err := provider.NewHostClient(req.GetAddress())
	if err != nil {
		return nil, err
	}
	b.Log.attach(host)
	return &emptypb.Empty{}, nil
}

// Cancel ends every operation in flight.
func (b *Base) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	b.Inflight.CancelAll()
	return &emptypb.Empty{}, nil
}
