// Package apid is the network side of a node's machine API: TLS, roles, and forwarding to other nodes.
package apid

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/siderolabs/grpc-proxy/proxy"
	"github.com/siderolabs/talos/pkg/grpc/middleware/authz"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"google.golang.org/grpc"
)

// Config describes one apid.
type Config struct {
	Addresses   []netip.Addr
	Port        int
	Certificate tls.Certificate
	// ClientCAs makes client certificates required; nil is maintenance mode: anyone, as a reader.
	ClientCAs *x509.CertPool
	// Peers, when set, lets this node forward calls to other nodes.
	Peers *Peers
	// Local dials the node's own machined.
	Local func(context.Context) (net.Conn, error)
}

// Server is a running apid.
type Server struct {
	grpc  *grpc.Server
	local *localBackend
	peers *Peers
}

const stopGrace = 500 * time.Millisecond

// Start listens on all addresses or fails with an error that names the one in use.
func Start(config Config) (*Server, error) {
	listeners, err := Listen(config.Addresses, config.Port)
	if err != nil {
		return nil, err
	}

	local, err := newLocalBackend(config.Local)
	if err != nil {
		return nil, err
	}

	server := &Server{local: local, peers: config.Peers}
	server.grpc = newGRPC(config, &director{local: local, peers: config.Peers, routing: config.ClientCAs != nil, addresses: config.Addresses})

	for _, listener := range listeners {
		go server.grpc.Serve(listener) //nolint:errcheck // ends with Stop
	}

	return server, nil
}

// Stop ends the server; calls under way get a moment to finish.
func (s *Server) Stop() {
	var once sync.WaitGroup

	once.Go(s.grpc.GracefulStop)

	timer := time.AfterFunc(stopGrace, s.grpc.Stop)
	once.Wait()
	timer.Stop()
	s.local.close()

	if s.peers != nil {
		s.peers.Close()
	}
}

// Kill cuts every connection at once, as a power loss does.
func (s *Server) Kill() {
	s.grpc.Stop()
	s.local.close()

	if s.peers != nil {
		s.peers.Close()
	}
}

func newGRPC(config Config, director *director) *grpc.Server {
	mode := authz.Enabled

	if config.ClientCAs == nil {
		mode = authz.ReadOnly
	}

	injector := &authz.Injector{Mode: mode}

	return grpc.NewServer(
		grpc.Creds(newCredentials(serverTLS(config))),
		grpc.ForceServerCodecV2(proxy.Codec()),
		grpc.UnknownServiceHandler(proxy.TransparentHandler(director.direct, proxy.WithStreamedDetector(streamed))),
		grpc.MaxRecvMsgSize(constants.GRPCMaxMessageSize),
		grpc.StreamInterceptor(injector.StreamInterceptor()),
		grpc.SharedWriteBuffer(true),
	)
}

func serverTLS(config Config) *tls.Config {
	settings := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{config.Certificate}}
	if config.ClientCAs != nil {
		settings.ClientAuth, settings.ClientCAs = tls.RequireAndVerifyClientCert, config.ClientCAs
		settings.VerifyPeerCertificate = onlyClientUsage
	}

	return settings
}

// onlyClientUsage refuses certificates that are good for more than client authentication, as apid does.
func onlyClientUsage(_ [][]byte, chains [][]*x509.Certificate) error {
	if len(chains) == 0 {
		return errors.New("no verified chains")
	}

	for _, cert := range chains[0] {
		if !cert.IsCA && !slices.Equal(cert.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) {
			return fmt.Errorf("certificate %q is missing the client auth extended key usage", cert.Subject)
		}
	}

	return nil
}

// Listen opens a TCP listener on each address; on failure none stays open.
func Listen(addresses []netip.Addr, port int) ([]net.Listener, error) {
	var listeners []net.Listener

	for _, address := range addresses {
		listener, err := net.Listen("tcp", net.JoinHostPort(address.String(), strconv.Itoa(port)))
		if err != nil {
			for _, opened := range listeners {
				opened.Close() //nolint:errcheck
			}

			return nil, Explain(err, address, port)
		}

		listeners = append(listeners, listener)
	}

	return listeners, nil
}

// Explain turns a failed bind into one line that says what to do.
func Explain(err error, address netip.Addr, port int) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s:%d is already in use: stop the process that listens there (another lab?) or change the machine's address", address, port)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s:%d cannot be used: this system has no such address; the lab needs Linux, where all of 127.0.0.0/8 is the loopback", address, port)
	default:
		return fmt.Errorf("%s:%d: %w", address, port, err)
	}
}
