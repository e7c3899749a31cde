"""talosctl as a client: its calls, what its answers mean, credentials, and what a TLS handshake shows."""
