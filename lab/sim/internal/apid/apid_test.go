package apid

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/common"
	api "github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"example.invalid/lab/sim/internal/pki"
)

func TestAnswersNameTheirNode(t *testing.T) {
	t.Parallel()

	p := &peer{target: "127.0.30.12"}

	answer, err := proto.Marshal(&api.HostnameResponse{Messages: []*api.Hostname{{Hostname: strings.Repeat("w", 200)}}})
	if err != nil {
		t.Fatal(err)
	}

	marked, err := p.AppendInfo(false, answer)
	if err != nil {
		t.Fatal(err)
	}

	var unary api.HostnameResponse
	if err := proto.Unmarshal(marked, &unary); err != nil {
		t.Fatal(err)
	}

	message := unary.GetMessages()[0]
	if message.GetMetadata().GetHostname() != "127.0.30.12" || message.GetHostname() != strings.Repeat("w", 200) {
		t.Errorf("unary answer became %v", message)
	}

	data, err := proto.Marshal(&common.Data{Bytes: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}

	if marked, err = p.AppendInfo(true, data); err != nil {
		t.Fatal(err)
	}

	var streamed common.Data
	if err := proto.Unmarshal(marked, &streamed); err != nil {
		t.Fatal(err)
	}

	if streamed.GetMetadata().GetHostname() != "127.0.30.12" || string(streamed.GetBytes()) != "x" {
		t.Errorf("streamed answer became %v", &streamed)
	}
}

func TestErrorsNameTheirNode(t *testing.T) {
	t.Parallel()

	p := &peer{target: "127.0.30.12"}

	encoded, err := p.BuildError(false, status.Error(codes.AlreadyExists, "etcd data directory is not empty"))
	if err != nil {
		t.Fatal(err)
	}

	var response api.BootstrapResponse
	if err := proto.Unmarshal(encoded, &response); err != nil {
		t.Fatal(err)
	}

	meta := response.GetMessages()[0].GetMetadata()
	if meta.GetHostname() != "127.0.30.12" || codes.Code(meta.GetStatus().GetCode()) != codes.AlreadyExists ||
		!strings.Contains(meta.GetError(), "etcd data directory is not empty") {
		t.Errorf("error became %v", meta)
	}
}

func TestRouting(t *testing.T) {
	t.Parallel()

	own := netip.MustParseAddr("127.0.30.11")
	local := &localBackend{}
	forwarding := &director{local: local, routing: true, addresses: []netip.Addr{own}, peers: NewPeers(1, &tls.Config{MinVersion: tls.VersionTLS13}, func(n string) string { return n })}
	worker := &director{local: local, routing: true, addresses: []netip.Addr{own}}
	maintenance := &director{local: local, addresses: []netip.Addr{own}}

	for name, test := range map[string]struct {
		director *director
		method   string
		md       metadata.MD
		targets  string
		message  string
	}{
		"no target":                    {forwarding, "/machine.MachineService/Version", metadata.MD{}, "machined", ""},
		"one node":                     {forwarding, "/cosi.resource.State/List", metadata.MD{"node": {"127.0.30.12"}}, "127.0.30.12", ""},
		"several nodes":                {forwarding, "/machine.MachineService/Version", metadata.MD{"nodes": {"127.0.30.12", "127.0.30.13"}}, "127.0.30.12 127.0.30.13", ""},
		"already forwarded":            {forwarding, "/machine.MachineService/Version", metadata.MD{"nodes": {"127.0.30.12"}, "proxyfrom": {"x"}}, "machined", ""},
		"COSI of several nodes":        {forwarding, "/cosi.resource.State/List", metadata.MD{"nodes": {"127.0.30.12"}}, "", "one-2-many proxying is not supported for method /cosi.resource.State/List"},
		"a worker about itself":        {worker, "/machine.MachineService/Version", metadata.MD{"nodes": {"127.0.30.11"}}, "machined", ""},
		"a worker about another":       {worker, "/machine.MachineService/Version", metadata.MD{"nodes": {"127.0.30.12"}}, "", "no request forwarding"},
		"maintenance answers itself":   {maintenance, "/machine.MachineService/Version", metadata.MD{"nodes": {"127.0.30.12"}}, "machined", ""},
		"two values for a single node": {forwarding, "/machine.MachineService/Version", metadata.MD{"node": {"a", "b"}}, "", "node metadata must be single-valued"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, backends, err := test.director.direct(metadata.NewIncomingContext(t.Context(), test.md), test.method)

			var targets []string
			for _, backend := range backends {
				targets = append(targets, backend.String())
			}

			if strings.Join(targets, " ") != test.targets || status.Convert(err).Message() != test.message {
				t.Errorf("targets %v, error %v", targets, err)
			}
		})
	}
}

// TestRefusalIsReadable lets a client without a certificate write before it reads: it must still learn why it was refused.
func TestRefusalIsReadable(t *testing.T) {
	t.Parallel()

	authority, err := pki.NewAuthority("talos")
	if err != nil {
		t.Fatal(err)
	}

	address := netip.MustParseAddr("127.0.0.1")

	pair, err := authority.Issue(pki.Request{Addresses: []netip.Addr{address}, Usages: pki.Server})
	if err != nil {
		t.Fatal(err)
	}

	certificate, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}

	port := freePort(t)

	server, err := Start(Config{
		Addresses: []netip.Addr{address}, Port: port, Certificate: certificate, ClientCAs: pki.Pool(authority.PEM),
		Local: func(context.Context) (net.Conn, error) { return nil, errors.New("not reached") },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()

	conn, err := tls.Dial("tcp", netip.AddrPortFrom(address, uint16(port)).String(), &tls.Config{
		RootCAs: pki.Pool(authority.PEM), NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS13,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck

	for range 3 {
		if _, err := conn.Write(make([]byte, 4096)); err != nil {
			t.Fatalf("the connection was reset: %v", err)
		}
	}

	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))

	if _, err := io.ReadAll(conn); err == nil || !strings.Contains(err.Error(), "tls: certificate required") {
		t.Errorf("got %v, want tls: certificate required", err)
	}
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck

	taken, err := netip.ParseAddrPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}

	_, err = Listen([]netip.Addr{taken.Addr()}, int(taken.Port()))

	want := taken.String() + " is already in use: stop the process that listens there (another lab?) or change the machine's address"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}

func freePort(t *testing.T) int {
	t.Helper()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck

	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("unexpected address %v", listener.Addr())
	}

	return address.Port
}
