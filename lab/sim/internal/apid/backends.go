package apid

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/siderolabs/grpc-proxy/proxy"
	"github.com/siderolabs/talos/pkg/grpc/middleware/authz"
	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

func callOptions() grpc.DialOption {
	return grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(constants.GRPCMaxMessageSize), grpc.ForceCodecV2(proxy.Codec()))
}

// outgoing carries the caller's metadata and roles on to the next server.
func outgoing(ctx context.Context) (context.Context, metadata.MD) {
	md, _ := metadata.FromIncomingContext(ctx)
	md = md.Copy()
	authz.SetMetadata(md, authz.GetRoles(ctx))

	return metadata.NewOutgoingContext(ctx, md), md
}

// localBackend is the node's own machined.
type localBackend struct{ conn *grpc.ClientConn }

func newLocalBackend(dial func(context.Context) (net.Conn, error)) (*localBackend, error) {
	conn, err := grpc.NewClient("passthrough:machined", callOptions(),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(), grpc.WithSharedWriteBuffer(true),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return dial(ctx) }))

	return &localBackend{conn: conn}, err
}

func (b *localBackend) close() { b.conn.Close() } //nolint:errcheck

func (b *localBackend) String() string { return "machined" }

func (b *localBackend) GetConnection(ctx context.Context, _ string) (context.Context, *grpc.ClientConn, error) {
	ctx, _ = outgoing(ctx)

	return ctx, b.conn, nil
}

func (b *localBackend) AppendInfo(_ bool, response []byte) ([]byte, error) { return response, nil }

func (b *localBackend) BuildError(bool, error) ([]byte, error) { return nil, nil }

// Peers are the other nodes this node's apid can forward to.
type Peers struct {
	port    int
	tls     *tls.Config
	resolve func(name string) string

	mu    sync.Mutex
	known map[string]*peer
}

// NewPeers dials with the given TLS identity; resolve maps a member's host name to its address and leaves the rest alone.
func NewPeers(port int, config *tls.Config, resolve func(string) string) *Peers {
	return &Peers{port: port, tls: config, resolve: resolve, known: map[string]*peer{}}
}

// Close ends the connections.
func (p *Peers) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()

	for _, known := range p.known {
		known.conn.Close() //nolint:errcheck
	}

	clear(p.known)
}

func (p *Peers) backend(target string) (proxy.Backend, error) {
	if _, _, err := net.SplitHostPort(target); target == "" || err == nil {
		return nil, status.Errorf(codes.Internal, "invalid target %q", target)
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	if known := p.known[target]; known != nil {
		return known, nil
	}

	delays := backoff.DefaultConfig
	delays.MaxDelay = 15 * time.Second

	conn, err := grpc.NewClient("passthrough:"+net.JoinHostPort(p.resolve(target), strconv.Itoa(p.port)), callOptions(),
		grpc.WithTransportCredentials(credentials.NewTLS(p.tls)), grpc.WithNoProxy(), grpc.WithSharedWriteBuffer(true),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: delays, MinConnectTimeout: 20 * time.Second}))
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}

	p.known[target] = &peer{target: target, conn: conn}

	return p.known[target], nil
}

// peer is another node's apid. Its answers are marked with the node they came from.
type peer struct {
	target string
	conn   *grpc.ClientConn
}

func (p *peer) String() string { return p.target }

func (p *peer) GetConnection(ctx context.Context, _ string) (context.Context, *grpc.ClientConn, error) {
	ctx, md := outgoing(ctx)

	from := md[":authority"]
	if len(from) == 0 {
		from = []string{"unknown"}
	}

	md.Set("proxyfrom", from...)
	delete(md, ":authority")
	delete(md, "node")
	delete(md, "nodes")

	return metadata.NewOutgoingContext(ctx, md), p.conn, nil
}

// AppendInfo adds the node's name to an answer it only knows as bytes. Appending a field to a serialized message sets that
// field; a unary answer wraps its only message in field 1, whose length must then be written again.
func (p *peer) AppendInfo(streaming bool, response []byte) ([]byte, error) {
	mark, err := proto.Marshal(&common.Empty{Metadata: &common.Metadata{Hostname: p.target}})
	if err != nil || streaming {
		return append(response, mark...), err
	}

	number, kind, header := protowire.ConsumeTag(response)
	if header < 0 {
		return nil, protowire.ParseError(header)
	}

	if number != 1 || kind != protowire.BytesType {
		return nil, fmt.Errorf("unexpected field %d in an answer of %s", number, p.target)
	}

	_, length := protowire.ConsumeVarint(response[header:])
	if length < 0 {
		return nil, protowire.ParseError(length)
	}

	message := append(response[header+length:len(response):len(response)], mark...)

	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), message), nil
}

// BuildError makes the message by which one of several nodes reports that it failed.
func (p *peer) BuildError(streaming bool, failure error) ([]byte, error) {
	message := &common.Empty{Metadata: &common.Metadata{
		Hostname: p.target, Error: failure.Error(), Status: status.Convert(failure).Proto(),
	}}

	if streaming {
		return proto.Marshal(message)
	}

	return proto.Marshal(&common.EmptyResponse{Messages: []*common.Empty{message}})
}
