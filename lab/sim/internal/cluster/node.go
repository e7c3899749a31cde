package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/config"

	"example.invalid/lab/sim/internal/controlplane"
	"example.invalid/lab/sim/internal/etcd"
	"example.invalid/lab/sim/internal/faults"
	"example.invalid/lab/sim/internal/kubelet"
	"example.invalid/lab/sim/internal/nodeconfig"
	"example.invalid/lab/sim/internal/process"
	"example.invalid/lab/sim/internal/resources"
	"example.invalid/lab/sim/internal/services"
	"example.invalid/lab/sim/internal/settings"
	"example.invalid/lab/sim/internal/store"
)

// NodeSpec is what a machine hands to its cluster at boot.
type NodeSpec struct {
	MachineID string
	NodeID    string
	Hardware  settings.Machine
	Disk      *store.Disk
	Resources *resources.State
	Services  *services.Table
	Faults    *faults.Set
	// TalosVersion is the one that runs.
	TalosVersion string
	// BootID differs after each boot.
	BootID string
	// Changed is called after the node published something that machinestatus depends on.
	Changed func()
	Log     func(format string, args ...any)
}

// Node is a configured machine that is up.
type Node struct {
	NodeSpec

	cluster *Cluster
	config  atomic.Pointer[nodeconfig.Node]
	member  atomic.Pointer[etcd.Member]
	// published is the list of members the node shows; only the cluster's loop uses it.
	published string

	mu        sync.Mutex
	kubelet   bool // the kubelet service is up
	apiReady  bool
	started   bool               // the API server was started in this boot
	restart   context.CancelFunc // ends the API server, which starts again with the present configuration
	left      bool
	stop      context.CancelFunc
	stopEtcd  func() // returns when etcd has ended
	finished  sync.WaitGroup
	authority *controlplane.Authorities
}

// Join adds the node to the cluster of its configuration.
func (c *Cluster) Join(spec NodeSpec, node *nodeconfig.Node) *Node {
	joined := &Node{NodeSpec: spec, cluster: c}
	joined.config.Store(node)

	c.mu.Lock()
	c.nodes[spec.MachineID] = joined
	c.mu.Unlock()
	c.nudge()

	return joined
}

// Config is the node's present configuration.
func (n *Node) Config() *nodeconfig.Node { return n.config.Load() }

// Cluster is the cluster the node belongs to.
func (n *Node) Cluster() *Cluster { return n.cluster }

// Reconfigure takes a new configuration; the API server restarts when its arguments or names change.
func (n *Node) Reconfigure(node *nodeconfig.Node) {
	old := n.config.Swap(node)
	n.cluster.nudge()

	if !sameControlPlane(old.Provider, node.Provider) || !slices.Equal(old.Listen(), node.Listen()) {
		n.mu.Lock()
		restart := n.restart
		n.mu.Unlock()

		if restart != nil {
			restart()
		}
	}
}

func sameControlPlane(a, b config.Provider) bool {
	ca, cb := a.Cluster(), b.Cluster()

	return slices.Equal(ca.CertSANs(), cb.CertSANs()) && ca.Endpoint().String() == cb.Endpoint().String() &&
		slices.Equal(ca.Network().ServiceCIDRs(), cb.Network().ServiceCIDRs()) &&
		fmt.Sprint(admission(a)) == fmt.Sprint(admission(b))
}

func admission(provider config.Provider) map[string]map[string]any {
	plugins := map[string]map[string]any{}
	for _, plugin := range provider.Cluster().APIServer().AdmissionControl() {
		plugins[plugin.Name()] = plugin.Configuration()
	}

	return plugins
}

// Start starts what a node starts once its container runtime is up. It returns at once, and does nothing after Leave.
func (n *Node) Start(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()

	if n.left {
		return nil
	}

	ctx, n.stop = context.WithCancel(ctx)
	n.kubelet = true

	defer n.cluster.nudge()

	if !n.Config().ControlPlane() {
		return nil
	}

	member, err := n.prepareEtcd()
	if err != nil {
		return err
	}

	n.member.Store(member)

	etcdCtx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	n.stopEtcd = func() {
		cancel()
		<-done
	}

	n.finished.Go(func() {
		defer close(done)
		member.Run(etcdCtx)
	})
	n.finished.Go(func() { n.serveAPI(ctx, member) })

	return nil
}

func (n *Node) prepareEtcd() (*etcd.Member, error) {
	address, ok := n.Config().EtcdAddress()
	if !ok {
		return nil, errors.New("the configuration leaves no address in 127.0.0.0/8 for etcd")
	}

	authorities, err := controlplane.LoadAuthorities(n.Config().Provider)
	if err != nil {
		return nil, err
	}

	identity, err := etcdTLS(authorities.Etcd)
	if err != nil {
		return nil, err
	}

	n.authority = authorities
	dir := filepath.Join(n.Disk.PKIDir(), "etcd")

	if err := controlplane.WriteEtcd(dir, n.Config(), authorities.Etcd, address); err != nil {
		return nil, err
	}

	c := n.cluster.settings
	return etcd.New(etcd.Config{
		Name: n.Config().Hostname, Process: n.MachineID + "-etcd", Binary: c.Binaries.Etcd, Address: address,
		ClientPort: c.Ports.EtcdClient, PeerPort: c.Ports.EtcdPeer, DataDir: n.Disk.EtcdDir(), PKIDir: dir,
		TLS: identity, Supervisor: n.cluster.supervisor, Services: n.Services, Faults: n.Faults, HasData: n.Disk.HasEtcdData,
		Peers: func() []string { return n.cluster.peersExcept(n.MachineID) }, Healthy: n.etcdChanged, Log: n.Log,
	}), nil
}

func (n *Node) etcdChanged(id uint64, healthy bool) {
	n.publishMember(id, healthy)
	n.cluster.nudge()

	if !healthy {
		return
	}

	for _, other := range n.cluster.ControlPlanes() {
		if etcd := other.Etcd(); other.MachineID != n.MachineID && etcd != nil {
			etcd.Nudge()
		}
	}
}

// serveAPI runs the node's API server while its etcd member is healthy enough to have started once.
func (n *Node) serveAPI(ctx context.Context, member *etcd.Member) {
	for ctx.Err() == nil {
		if member.Running() {
			if err := n.runAPIServer(ctx, member.ClientURL()); err != nil && ctx.Err() == nil {
				n.Log("kube-apiserver: %v", err)
			}
		}

		select {
		case <-ctx.Done():
		case <-time.After(250 * time.Millisecond):
		}
	}
}

func (n *Node) runAPIServer(ctx context.Context, etcdURL string) error {
	address, ok := n.Config().ServingAddress()
	if !ok {
		return errors.New("the configuration leaves no address in 127.0.0.0/8 for kube-apiserver")
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	n.mu.Lock()
	n.restart, n.started = cancel, true
	n.mu.Unlock()

	dir := n.kubernetesDir()
	port := n.cluster.settings.Ports.APIServer

	err := controlplane.WriteKubernetes(dir, n.Config(), n.authority, fmt.Sprintf("https://%s:%d", address, port))
	if err != nil {
		return err
	}

	args := controlplane.ServerArgs(n.Config().Provider, controlplane.ServerOptions{
		Dir: dir, Address: address, Port: port, EtcdURL: etcdURL,
	})

	// One API server starts at a time: the first one answers sooner, and the rest join it.
	release, err := n.cluster.startTurn(ctx)
	if err != nil {
		return err
	}
	defer release()

	go n.watchReady(ctx, address, release)
	defer n.setReady(false)

	return n.cluster.supervisor.Run(ctx, process.Spec{
		Name: n.MachineID + "-kube-apiserver", Path: n.cluster.settings.Binaries.APIServer, Args: args,
		Grace: time.Second,
	})
}

func (n *Node) setReady(ready bool) {
	n.mu.Lock()
	changed := n.apiReady != ready
	n.apiReady = ready
	n.mu.Unlock()

	if changed {
		n.Log("kube-apiserver ready: %v", ready)
		n.cluster.nudge()
	}
}

// APIReady tells whether the node's own API server answers.
func (n *Node) APIReady() bool {
	n.mu.Lock()
	defer n.mu.Unlock()

	return n.apiReady
}

func (n *Node) apiStarted() bool {
	n.mu.Lock()
	defer n.mu.Unlock()

	return n.started
}

// KubeletUp tells whether the kubelet service runs.
func (n *Node) KubeletUp() bool {
	n.mu.Lock()
	defer n.mu.Unlock()

	return n.kubelet
}

// Etcd is the node's etcd service; nil on workers and before Start.
func (n *Node) Etcd() *etcd.Member { return n.member.Load() }

// ServingAddress is where the node's API server listens.
func (n *Node) ServingAddress() (netip.Addr, bool) { return n.Config().ServingAddress() }

// StopEtcd ends the etcd service and waits for it.
func (n *Node) StopEtcd() {
	n.mu.Lock()
	stop := n.stopEtcd
	n.mu.Unlock()

	if stop != nil {
		stop()
	}
}

// ShuttingDown reports to the Kubernetes API that the node goes down on purpose.
func (n *Node) ShuttingDown(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()

	n.mu.Lock()
	n.kubelet = false
	n.mu.Unlock()

	if kubelets := n.cluster.manager(); kubelets != nil && n.cluster.APIReady() {
		if err := kubelets.Shutdown(ctx, n); err != nil {
			n.Log("kubelet: %v", err)
		}
	}
}

// Leave takes the node out of the cluster and ends its children.
func (n *Node) Leave() {
	n.cluster.mu.Lock()
	if n.cluster.nodes[n.MachineID] == n {
		delete(n.cluster.nodes, n.MachineID)
	}
	n.cluster.mu.Unlock()

	n.mu.Lock()
	n.kubelet, n.left = false, true
	stop := n.stop
	n.mu.Unlock()

	if stop != nil {
		stop()
	}

	n.finished.Wait()

	// The next boot issues all of it again.
	if err := os.RemoveAll(n.Disk.PKIDir()); err != nil {
		n.Log("remove key material: %v", err)
	}

	n.cluster.nudge()
}

func (n *Node) kubernetesDir() string { return filepath.Join(n.Disk.PKIDir(), "kubernetes") }

// Facts are what the node's kubelet reports of its machine.
func (n *Node) Facts() kubelet.Facts {
	return kubelet.Facts{
		BootID: n.BootID, MachineID: n.NodeID, SystemUUID: n.Hardware.MAC, TalosVersion: n.TalosVersion,
		KubernetesVersion: n.cluster.settings.KubernetesVersion, Memory: n.Hardware.Memory, Disk: n.Hardware.Disks[0].Size,
	}
}
