package machine

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/role"

	"example.invalid/lab/sim/internal/apid"
	"example.invalid/lab/sim/internal/faults"
	"example.invalid/lab/sim/internal/nodeconfig"
	"example.invalid/lab/sim/internal/pki"
	"example.invalid/lab/sim/internal/services"
)

// front is what stands at the node's machine API port: apid, a fault, or nothing.
type front struct {
	boot *Boot

	mu     sync.Mutex
	open   func(ctx context.Context) error // how to open again after a fault or a new address
	server *apid.Server
	mute   []net.Listener

	attempt   sync.Mutex // guards interrupt
	interrupt context.CancelFunc
}

const retryListen = 500 * time.Millisecond

func (f *front) openMaintenance() error {
	return f.set(f.boot.ctx, func(context.Context) error { return f.serveMaintenance() })
}

func (f *front) openSecure(ctx context.Context) error { return f.set(ctx, f.serveSecure) }

func (f *front) set(ctx context.Context, open func(context.Context) error) error {
	ctx = f.begin(ctx)

	f.mu.Lock()
	defer f.mu.Unlock()

	f.open = open

	return f.reopen(ctx, true)
}

// begin ends an attempt to open that is still waiting, so that nobody waits behind it, and returns the context of the next one.
func (f *front) begin(ctx context.Context) context.Context {
	f.attempt.Lock()
	defer f.attempt.Unlock()

	if f.interrupt != nil {
		f.interrupt()
	}

	ctx, f.interrupt = context.WithCancel(ctx)

	return ctx
}

// refresh opens again after a fault was switched or addresses changed.
func (f *front) refresh(gracefully bool) {
	ctx := f.begin(f.boot.ctx)

	f.mu.Lock()
	defer f.mu.Unlock()

	if f.open == nil {
		return
	}

	if err := f.reopen(ctx, gracefully); err != nil && ctx.Err() == nil {
		f.boot.Console.Printf("apid: %v", err)
	}
}

func (f *front) stop(gracefully bool) {
	f.begin(f.boot.ctx)

	f.mu.Lock()
	defer f.mu.Unlock()

	f.open = nil
	f.closeLocked(gracefully)
}

func (f *front) closeLocked(gracefully bool) {
	if f.server != nil {
		if gracefully {
			f.server.Stop()
		} else {
			f.server.Kill()
		}
	}

	for _, listener := range f.mute {
		listener.Close() //nolint:errcheck
	}

	f.server, f.mute = nil, nil
}

func (f *front) reopen(ctx context.Context, gracefully bool) error {
	f.closeLocked(gracefully)

	switch set := f.boot.Machine.Faults; {
	case set.On(faults.RefuseConnections):
		return nil
	case set.On(faults.HalfOpen):
		return f.listenMute()
	default:
		return f.open(ctx)
	}
}

// listenMute accepts connections and never answers.
func (f *front) listenMute() error {
	listeners, err := apid.Listen(f.addresses(), f.boot.Machine.Settings.Ports.Apid)
	f.mute = listeners

	for _, listener := range listeners {
		go hold(listener)
	}

	return err
}

func hold(listener net.Listener) {
	var held []net.Conn

	for {
		conn, err := listener.Accept()
		if err != nil {
			break
		}

		held = append(held, conn)
	}

	for _, conn := range held {
		conn.Close() //nolint:errcheck
	}
}

func (f *front) addresses() []netip.Addr {
	if node := f.boot.Node(); node != nil {
		return node.Listen()
	}

	return []netip.Addr{f.boot.Machine.Hardware.Address}
}

func (f *front) serveMaintenance() error {
	authority, err := pki.NewAuthority("talos-maintenance")
	if err != nil {
		return err
	}

	addresses := f.addresses()

	certificate, err := issueTLS(authority, pki.Request{
		CommonName: "maintenance-service.talos.dev", Addresses: addresses, Names: []string{nodeconfig.DefaultHostname(f.boot.Machine.Hardware)},
		Usages: pki.Server,
	})
	if err != nil {
		return err
	}

	return f.listen(f.boot.ctx, apid.Config{Addresses: addresses, Certificate: certificate})
}

// serveSecure opens the API with certificates of the cluster's machine CA, as soon as something can sign them.
func (f *front) serveSecure(ctx context.Context) error {
	node := f.boot.Node()

	authority, err := f.authority(ctx, node)
	if err != nil {
		return err
	}

	config, err := f.secureConfig(node, authority)
	if err != nil {
		return err
	}

	if err := f.listen(ctx, config); err != nil {
		return err
	}

	f.boot.Services.Set("apid", services.Running, "Health check successful", services.Healthy)

	return nil
}

func (f *front) authority(ctx context.Context, node *nodeconfig.Node) (*pki.Authority, error) {
	switch {
	case f.boot.Machine.Faults.On(faults.ForeignCluster):
		return pki.NewAuthority("talos")
	case node.ControlPlane():
		return pki.Load(node.Provider.Machine().Security().IssuingCA())
	default:
		return f.boot.Machine.Clusters.Get(node.ClusterKey()).Authority(ctx, node)
	}
}

func (f *front) secureConfig(node *nodeconfig.Node, authority *pki.Authority) (apid.Config, error) {
	request := pki.Request{CommonName: node.Hostname, Addresses: node.Listen(), Names: []string{node.Hostname}, Usages: pki.Server}
	for _, san := range node.Provider.Machine().Security().CertSANs() {
		if address, err := netip.ParseAddr(san); err == nil {
			request.Addresses = append(request.Addresses, address)
		} else {
			request.Names = append(request.Names, san)
		}
	}

	certificate, err := issueTLS(authority, request)
	if err != nil {
		return apid.Config{}, err
	}

	accepted := [][]byte{authority.PEM}
	if !f.boot.Machine.Faults.On(faults.ForeignCluster) {
		for _, ca := range node.Provider.Machine().Security().AcceptedCAs() {
			accepted = append(accepted, ca.Crt)
		}
	}

	config := apid.Config{
		Addresses: node.Listen(), Certificate: certificate, ClientCAs: pki.Pool(accepted...),
	}

	if node.ControlPlane() {
		config.Peers, err = f.peers(node, authority)
	}

	return config, err
}

// peers lets control planes forward to other nodes, with a certificate that may speak for its caller.
func (f *front) peers(node *nodeconfig.Node, authority *pki.Authority) (*apid.Peers, error) {
	certificate, err := issueTLS(authority, pki.Request{
		CommonName: node.Hostname, Organizations: []string{string(role.Impersonator)}, Usages: pki.Client,
	})
	if err != nil {
		return nil, err
	}

	config := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{certificate}, RootCAs: pki.Pool(authority.PEM)}

	return apid.NewPeers(f.boot.Machine.Settings.Ports.Apid, config, f.boot.Machine.Clusters.Get(node.ClusterKey()).Resolve), nil
}

// listen keeps trying: an address of another node that is still shutting down becomes free.
func (f *front) listen(ctx context.Context, config apid.Config) error {
	config.Port, config.Local = f.boot.Machine.Settings.Ports.Apid, f.boot.Dial
	if len(config.Addresses) == 0 {
		f.boot.Console.Printf("the configuration leaves no address in 127.0.0.0/8: the node cannot be reached")

		return nil
	}

	for {
		server, err := apid.Start(config)
		if err == nil {
			f.server = server

			return nil
		}

		f.boot.Console.Printf("apid: %v", err)

		if waitErr := wait(ctx, retryListen); waitErr != nil {
			return err
		}
	}
}

func issueTLS(authority *pki.Authority, request pki.Request) (tls.Certificate, error) {
	pair, err := authority.Issue(request)
	if err != nil {
		return tls.Certificate{}, err
	}

	return pair.TLS()
}
