package cluster

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"example.invalid/lab/sim/internal/controlplane"
	"example.invalid/lab/sim/internal/pki"
)

const (
	readyProbe   = 300 * time.Millisecond
	readyRecheck = 5 * time.Second
)

// RestConfig is an administrator's access to the API behind the address.
func RestConfig(authorities *controlplane.Authorities, host string) (*rest.Config, error) {
	pair, err := authorities.Kubernetes.Issue(pki.Request{
		CommonName: "talos-lab", Organizations: []string{"system:masters"}, Usages: pki.Client,
	})
	if err != nil {
		return nil, err
	}

	return &rest.Config{
		Host: "https://" + host, QPS: 200, Burst: 400, Timeout: 0,
		TLSClientConfig: rest.TLSClientConfig{
			CAData: authorities.Kubernetes.PEM, CertData: pair.Cert, KeyData: pair.Key, ServerName: "kubernetes",
		},
	}, nil
}

// watchReady asks the API server of this node whether it is ready until the context ends.
func (n *Node) watchReady(ctx context.Context, address netip.Addr) {
	config, err := RestConfig(n.authority, fmt.Sprintf("%s:%d", address, n.cluster.settings.Ports.APIServer))
	if err != nil {
		n.Log("kube-apiserver probe: %v", err)

		return
	}

	config.Timeout = 3 * time.Second

	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		n.Log("kube-apiserver probe: %v", err)

		return
	}

	for ctx.Err() == nil {
		err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
		if ctx.Err() != nil {
			return
		}

		n.setReady(err == nil)

		interval := readyProbe
		if err == nil {
			interval = readyRecheck
		}

		select {
		case <-ctx.Done():
		case <-time.After(interval):
		}
	}
}
