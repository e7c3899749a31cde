"""What is asked of Talos, Kubernetes and Cilium, each fact once; standard library only."""
