package cluster

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"example.invalid/lab/sim/internal/apid"
)

// proxy forwards TCP connections to an API server that answers: the role of the virtual address, and of KubePrism.
type proxy struct {
	listener net.Listener
	backends func() []string

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	next  atomic.Uint32
}

const dialTimeout = 2 * time.Second

func startProxy(address netip.Addr, port int, backends func() []string) (*proxy, error) {
	listeners, err := apid.Listen([]netip.Addr{address}, port)
	if err != nil {
		return nil, err
	}

	p := &proxy{listener: listeners[0], backends: backends, conns: map[net.Conn]struct{}{}}
	go p.accept()

	return p, nil
}

func (p *proxy) port() int {
	_, text, _ := net.SplitHostPort(p.listener.Addr().String())
	port, _ := strconv.Atoi(text)

	return port
}

func (p *proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}

		if err == nil {
			go p.forward(conn)
		}
	}
}

func (p *proxy) forward(client net.Conn) {
	defer client.Close() //nolint:errcheck

	server, err := p.dial()
	if err != nil {
		return
	}
	defer server.Close() //nolint:errcheck

	p.track(client, true)
	defer p.track(client, false)

	done := make(chan struct{}, 2)
	pipe := func(to, from net.Conn) {
		io.Copy(to, from) //nolint:errcheck // the end of the connection
		done <- struct{}{}
	}

	go pipe(server, client)
	go pipe(client, server)
	<-done
}

// dial tries the backends in turn, starting at a different one each time.
func (p *proxy) dial() (net.Conn, error) {
	backends := p.backends()
	start := int(p.next.Add(1))

	for i := range backends {
		conn, err := net.DialTimeout("tcp", backends[(start+i)%len(backends)], dialTimeout)
		if err == nil {
			return conn, nil
		}
	}

	return nil, errors.New("no API server answers")
}

func (p *proxy) track(conn net.Conn, open bool) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if open {
		p.conns[conn] = struct{}{}
	} else {
		delete(p.conns, conn)
	}
}

func (p *proxy) close() {
	p.listener.Close() //nolint:errcheck

	p.mu.Lock()
	defer p.mu.Unlock()

	for conn := range p.conns {
		conn.Close() //nolint:errcheck
	}
}

// backends are the API servers that answer, the leader's first.
func (c *Cluster) backends() []string {
	var addresses []string

	for _, node := range c.ControlPlanes() {
		if !node.APIReady() {
			continue
		}

		if address, ok := node.ServingAddress(); ok {
			addresses = append(addresses, net.JoinHostPort(address.String(), strconv.Itoa(c.settings.Ports.APIServer)))
		}
	}

	return addresses
}

// vips keeps a listener on each virtual address of the cluster while an API server answers.
type vips struct {
	open   map[netip.Addr]*proxy
	warned map[netip.Addr]bool
}

func newVIPs() *vips { return &vips{open: map[netip.Addr]*proxy{}, warned: map[netip.Addr]bool{}} }

func (v *vips) reconcile(c *Cluster) {
	wanted := c.virtualAddresses()

	for address, open := range v.open {
		if !wanted[address] {
			open.close()
			delete(v.open, address)
		}
	}

	for address := range wanted {
		if v.open[address] == nil {
			v.listen(c, address)
		}
	}
}

// virtualAddresses the cluster should have now; none before an API server answers.
func (c *Cluster) virtualAddresses() map[netip.Addr]bool {
	wanted := map[netip.Addr]bool{}

	if !c.APIReady() {
		return wanted
	}

	for _, node := range c.ControlPlanes() {
		for _, address := range node.Config().VIPs {
			wanted[address] = true
		}
	}

	return wanted
}

func (v *vips) listen(c *Cluster, address netip.Addr) {
	if !address.IsLoopback() {
		if !v.warned[address] {
			c.log.Warn("virtual address is not in 127.0.0.0/8: nothing listens there", "address", address)
		}

		v.warned[address] = true

		return
	}

	opened, err := startProxy(address, c.settings.Ports.APIServer, c.backends)
	if err != nil {
		c.log.Error("virtual address", "error", err)

		return
	}

	v.open[address] = opened
}

func (v *vips) close() {
	for _, open := range v.open {
		open.close()
	}
}
