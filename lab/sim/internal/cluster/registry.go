// Package cluster ties the nodes of one Talos cluster together: who is a member, who runs etcd, which API server answers.
package cluster

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	clusterres "github.com/siderolabs/talos/pkg/machinery/resources/cluster"

	"example.invalid/lab/sim/internal/controlplane"
	"example.invalid/lab/sim/internal/kubelet"
	"example.invalid/lab/sim/internal/nodeconfig"
	"example.invalid/lab/sim/internal/pki"
	"example.invalid/lab/sim/internal/process"
	"example.invalid/lab/sim/internal/settings"
)

// Registry holds the clusters by the fingerprint of their machine CA.
type Registry struct {
	ctx        context.Context //nolint:containedctx // the clusters live as long as the simulator
	settings   *settings.Settings
	supervisor *process.Supervisor

	mu       sync.Mutex
	clusters map[string]*Cluster
}

// NewRegistry makes an empty registry; its clusters stop with the context.
func NewRegistry(ctx context.Context, s *settings.Settings, supervisor *process.Supervisor) *Registry {
	return &Registry{ctx: ctx, settings: s, supervisor: supervisor, clusters: map[string]*Cluster{}}
}

// Get returns the cluster of a key, made when it is new.
func (r *Registry) Get(key string) *Cluster {
	r.mu.Lock()
	defer r.mu.Unlock()

	if known := r.clusters[key]; known != nil {
		return known
	}

	c := &Cluster{
		Key: key, settings: r.settings, supervisor: r.supervisor, nodes: map[string]*Node{}, wake: make(chan struct{}, 1),
		log: slog.With("cluster", key), done: make(chan struct{}), starting: make(chan struct{}, 1),
		seen: map[string]sighting{},
	}
	r.clusters[key] = c

	go c.run(r.ctx)

	return c
}

// All returns the clusters, by key.
func (r *Registry) All() []*Cluster {
	r.mu.Lock()
	defer r.mu.Unlock()

	all := make([]*Cluster, 0, len(r.clusters))
	for _, c := range r.clusters {
		all = append(all, c)
	}

	slices.SortFunc(all, func(a, b *Cluster) int { return strings.Compare(a.Key, b.Key) })

	return all
}

// Wait returns when every cluster has stopped; the registry's context must have ended.
func (r *Registry) Wait() {
	for _, c := range r.All() {
		<-c.done
	}
}

// Cluster is the nodes that share a machine CA.
type Cluster struct {
	Key        string
	settings   *settings.Settings
	supervisor *process.Supervisor
	log        *slog.Logger
	wake       chan struct{}
	done       chan struct{}
	starting   chan struct{} // holds an entry while an API server starts

	mu     sync.Mutex
	nodes  map[string]*Node // by machine id, those that are up
	leader string
	ready  bool
	api    *access

	manages *kubelet.Manager
	seen    map[string]sighting // by host name
}

// sighting is a member as discovery last saw it.
type sighting struct {
	member *clusterres.Member
	at     time.Time
}

// access is how the simulator itself reaches the cluster's API.
type access struct {
	authorities *controlplane.Authorities
	proxy       *proxy
}

const reconcileInterval = 2 * time.Second

func (c *Cluster) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Nodes returns the nodes that are up, by machine id.
func (c *Cluster) Nodes() []*Node {
	c.mu.Lock()
	defer c.mu.Unlock()

	nodes := make([]*Node, 0, len(c.nodes))
	for _, node := range c.nodes {
		nodes = append(nodes, node)
	}

	slices.SortFunc(nodes, func(a, b *Node) int { return strings.Compare(a.MachineID, b.MachineID) })

	return nodes
}

// ControlPlanes are the control plane nodes that are up.
func (c *Cluster) ControlPlanes() []*Node {
	return slices.DeleteFunc(c.Nodes(), func(n *Node) bool { return !n.Config().ControlPlane() })
}

// Authority is the machine CA with its key: a control plane that the worker finds has it. Workers wait for it, as for
// trustd.
func (c *Cluster) Authority(ctx context.Context, worker *nodeconfig.Node) (*pki.Authority, error) {
	for {
		for _, node := range c.ControlPlanes() {
			if !c.finds(worker, node.Config()) {
				continue
			}

			return pki.Load(node.Config().Provider.Machine().Security().IssuingCA())
		}

		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// finds tells whether a worker knows where the control plane is: by discovery, else only by the cluster's endpoint,
// which is nobody's address before bootstrap where it is virtual.
func (c *Cluster) finds(worker, controlPlane *nodeconfig.Node) bool {
	cluster := worker.Provider.Cluster()
	if cluster.Discovery().Enabled() {
		return true
	}

	isEndpoint := func(address netip.Addr) bool { return address.String() == cluster.Endpoint().Hostname() }

	return slices.ContainsFunc(controlPlane.Listen(), isEndpoint) || c.APIReady()
}

// Resolve maps the host name of a member to its address; other names stay.
func (c *Cluster) Resolve(name string) string {
	for _, node := range c.Nodes() {
		if node.Config().Hostname != name {
			continue
		}

		if address, ok := node.Config().ServingAddress(); ok {
			return address.String()
		}
	}

	return name
}

// Name of the cluster as its configuration has it.
func (c *Cluster) Name() string {
	for _, node := range c.Nodes() {
		if name := node.Config().Provider.Cluster().Name(); name != "" {
			return name
		}
	}

	return ""
}

// Endpoint of the Kubernetes API as the configuration has it.
func (c *Cluster) Endpoint() string {
	for _, node := range c.Nodes() {
		return node.Config().Provider.Cluster().Endpoint().String()
	}

	return ""
}

// APIReady tells whether some API server answers.
func (c *Cluster) APIReady() bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.ready
}

// Bootstrapped tells whether a node that is up has etcd data.
func (c *Cluster) Bootstrapped() bool {
	return slices.ContainsFunc(c.ControlPlanes(), func(n *Node) bool { return n.Disk.HasEtcdData() })
}

// Processes are the cluster's children that run now, by name.
func (c *Cluster) Processes() []string {
	var names []string

	for name := range c.supervisor.Alive() {
		if strings.HasPrefix(name, c.Key+"-") || slices.ContainsFunc(c.Nodes(), func(n *Node) bool { return strings.HasPrefix(name, n.MachineID+"-") }) {
			names = append(names, name)
		}
	}

	slices.Sort(names)

	return names
}

// Missing names the programs the configuration gives no path for.
func (c *Cluster) Missing() []string {
	missing := []string{}
	b := c.settings.Binaries

	for name, path := range map[string]string{
		"etcd": b.Etcd, "kube-apiserver": b.APIServer, "kube-controller-manager": b.ControllerManager,
		"kube-scheduler": b.Scheduler, "kwok": b.Kwok, "cilium-operator": b.CiliumOperator,
	} {
		if path == "" {
			missing = append(missing, name)
		}
	}

	slices.Sort(missing)

	return missing
}

// dir is a folder of the cluster's own, for the files of its children.
func (c *Cluster) dir(name string) string {
	return filepath.Join(c.settings.StateDir, "clusters", c.Key, name)
}

// peersExcept are the client URLs of the other members that run, and the identity to use with them.
func (c *Cluster) peersExcept(machineID string) []string {
	var urls []string

	for _, node := range c.ControlPlanes() {
		if member := node.Etcd(); node.MachineID != machineID && member != nil && member.Running() {
			urls = append(urls, member.ClientURL())
		}
	}

	return urls
}

// etcdTLS is a client identity for the cluster's etcd.
func etcdTLS(authority *pki.Authority) (*tls.Config, error) {
	pair, err := authority.Issue(pki.Request{CommonName: "talos", Usages: pki.Client})
	if err != nil {
		return nil, err
	}

	certificate, err := pair.TLS()
	if err != nil {
		return nil, err
	}

	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}, RootCAs: pki.Pool(authority.PEM)}, nil
}

// EtcdEndpoints are the client URLs of every member that is healthy.
func (c *Cluster) EtcdEndpoints() []string { return c.peersExcept("") }
