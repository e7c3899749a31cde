"""What Cilium writes into the Kubernetes API, and what it means."""
