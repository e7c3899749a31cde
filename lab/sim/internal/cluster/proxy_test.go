package cluster

import (
	"io"
	"net"
	"net/netip"
	"testing"
)

// backend accepts connections and greets with its name.
func backend(t *testing.T, name string) net.Listener {
	t.Helper()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}

			_, _ = conn.Write([]byte(name))
			_ = conn.Close()
		}
	}()

	t.Cleanup(func() { _ = listener.Close() })

	return listener
}

func greeting(t *testing.T, address string) string {
	t.Helper()

	conn, err := net.Dial("tcp", address)
	if err != nil {
		return ""
	}
	defer conn.Close() //nolint:errcheck

	data, _ := io.ReadAll(conn)

	return string(data)
}

func TestProxyMovesOn(t *testing.T) {
	t.Parallel()

	one, two := backend(t, "one"), backend(t, "two")

	front, err := startProxy(netip.MustParseAddr("127.0.0.1"), 0, func() []string {
		return []string{one.Addr().String(), two.Addr().String()}
	})
	if err != nil {
		t.Fatal(err)
	}

	address := front.listener.Addr().String()
	seen := map[string]bool{}

	for range 4 {
		seen[greeting(t, address)] = true
	}

	if !seen["one"] || !seen["two"] {
		t.Errorf("connections went to %v", seen)
	}

	_ = one.Close()

	for range 4 {
		if got := greeting(t, address); got != "two" {
			t.Errorf("after the first backend died a connection got %q", got)
		}
	}

	front.close()

	if got := greeting(t, address); got != "" {
		t.Errorf("a closed proxy still answers %q", got)
	}
}
