package cluster

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"example.invalid/lab/sim/internal/controlplane"
	"example.invalid/lab/sim/internal/pki"
)

const (
	readyProbe   = 300 * time.Millisecond
	readyRecheck = 5 * time.Second
	startLimit   = 30 * time.Second
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

// startTurn waits until no other API server of the cluster is starting; the function it returns may be called more than once.
func (c *Cluster) startTurn(ctx context.Context) (func(), error) {
	select {
	case c.starting <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}

	var once sync.Once

	release := func() { once.Do(func() { <-c.starting }) }
	time.AfterFunc(startLimit, release)

	return release, nil
}

// watchReady asks the API server of this node whether it is ready until the context ends.
func (n *Node) watchReady(ctx context.Context, address netip.Addr, started func()) {
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
			started()

			interval = readyRecheck
		}

		select {
		case <-ctx.Done():
		case <-time.After(interval):
		}
	}
}
