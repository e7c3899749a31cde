package apid

import (
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"
)

// patient is TLS whose refusals reach the client. A server that closes right after its alert resets the connection when the client
// has already sent something, and the client then sees a broken pipe instead of the reason.
type patient struct {
	credentials.TransportCredentials
}

const linger = 2 * time.Second

func newCredentials(config *tls.Config) credentials.TransportCredentials {
	return patient{credentials.NewTLS(config)}
}

// ServerHandshake implements credentials.TransportCredentials.
func (p patient) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	held := &handshaking{Conn: conn}

	secured, info, err := p.TransportCredentials.ServerHandshake(held)
	if err == nil {
		held.done.Store(true)

		return secured, info, nil
	}

	go drain(conn)

	return nil, nil, credentials.ErrConnDispatched
}

// Clone implements credentials.TransportCredentials.
func (p patient) Clone() credentials.TransportCredentials {
	return patient{p.TransportCredentials.Clone()}
}

// handshaking keeps a failed handshake from closing the connection.
type handshaking struct {
	net.Conn

	done atomic.Bool
}

// Close implements net.Conn.
func (h *handshaking) Close() error {
	if h.done.Load() {
		return h.Conn.Close()
	}

	return nil
}

func drain(conn net.Conn) {
	defer conn.Close() //nolint:errcheck

	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // the client is told either way
	}

	_ = conn.SetReadDeadline(time.Now().Add(linger))
	_, _ = io.Copy(io.Discard, conn)
}
