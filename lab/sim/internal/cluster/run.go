package cluster

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"example.invalid/lab/sim/internal/controlplane"
	"example.invalid/lab/sim/internal/kubelet"
	"example.invalid/lab/sim/internal/manifests"
	"example.invalid/lab/sim/internal/pki"
	"example.invalid/lab/sim/internal/process"
	"example.invalid/lab/sim/internal/workloads"
)

// idleLimit is how long the cluster's helpers outlive the last API server that answered.
const idleLimit = time.Minute

// loop is what the cluster's one goroutine holds on to.
type loop struct {
	cluster  *Cluster
	virtual  *vips
	leader   *leaders
	active   *session
	lastSeen time.Time
}

// run looks after the cluster after every change, and every two seconds.
func (c *Cluster) run(ctx context.Context) {
	defer close(c.done)

	l := &loop{cluster: c, virtual: newVIPs(), leader: &leaders{cluster: c}}
	defer l.stop()

	for ctx.Err() == nil {
		l.look(ctx)

		select {
		case <-ctx.Done():
		case <-c.wake:
		case <-time.After(reconcileInterval):
		}
	}
}

func (l *loop) look(ctx context.Context) {
	l.cluster.observe(ctx)
	l.virtual.reconcile(l.cluster)

	if l.cluster.APIReady() {
		l.lastSeen = time.Now()

		if l.active == nil {
			l.active = l.cluster.open(ctx)
		}
	}

	if l.active == nil {
		return
	}

	l.leader.reconcile(ctx, l.active)
	l.active.kubelets.Nudge()

	if time.Since(l.lastSeen) > idleLimit {
		l.endSession()
	}
}

func (l *loop) endSession() {
	l.leader.stop()

	if l.active != nil {
		l.active.close()
	}

	l.active = nil
}

func (l *loop) stop() {
	l.endSession()
	l.virtual.close()
}

func (c *Cluster) observe(ctx context.Context) {
	ready := len(c.backends()) > 0

	c.mu.Lock()
	changed := c.ready != ready
	c.ready = ready
	c.mu.Unlock()

	if changed {
		c.log.Info("Kubernetes API", "ready", ready)
	}

	c.publishMembers(ctx)

	for _, node := range c.ControlPlanes() {
		node.publishStaticPods(ctx)
	}
}

// session is everything that works through the cluster's API.
type session struct {
	client   kubernetes.Interface
	kubelets *kubelet.Manager
	proxy    *proxy
	dir      string
	cancel   context.CancelFunc
	work     sync.WaitGroup
}

func (s *session) close() {
	s.cancel()
	s.work.Wait()
	s.proxy.close()
	_ = os.RemoveAll(s.dir) // holds administrators' kubeconfigs, which the next session issues again
}

// open returns nil when the session cannot be made; the loop tries again.
func (c *Cluster) open(ctx context.Context) *session {
	s, err := c.connect()
	if err != nil {
		c.log.Error("session with the Kubernetes API", "error", err)

		return nil
	}

	ctx, s.cancel = context.WithCancel(ctx)

	s.kubelets = kubelet.New(s.client, c.kubelets, c.log)

	c.mu.Lock()
	c.manages = s.kubelets
	c.mu.Unlock()

	s.work.Go(func() { s.kubelets.Run(ctx) })
	s.work.Go(func() { c.applyManifests(ctx, s.client) })
	c.startWorkloads(ctx, s)

	return s
}

// manager plays the kubelets; nil before the first API server answered.
func (c *Cluster) manager() *kubelet.Manager {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.manages
}

func (c *Cluster) connect() (*session, error) {
	authorities, err := c.authorities()
	if err != nil {
		return nil, err
	}

	front, err := startProxy(netip.MustParseAddr("127.0.0.1"), 0, c.backends)
	if err != nil {
		return nil, err
	}

	host := fmt.Sprintf("127.0.0.1:%d", front.port())

	config, err := RestConfig(authorities, host)
	if err != nil {
		return nil, err
	}

	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}

	c.mu.Lock()
	c.api = &access{authorities: authorities, proxy: front}
	c.mu.Unlock()

	return &session{client: client, proxy: front, dir: c.dir("")}, nil
}

func (c *Cluster) authorities() (*controlplane.Authorities, error) {
	for _, node := range c.ControlPlanes() {
		return controlplane.LoadAuthorities(node.Config().Provider)
	}

	return nil, fmt.Errorf("no control plane is up")
}

// kubelets are the nodes whose kubelet service runs.
func (c *Cluster) kubelets() []kubelet.Node {
	var nodes []kubelet.Node

	for _, node := range c.Nodes() {
		if node.KubeletUp() {
			nodes = append(nodes, node)
		}
	}

	return nodes
}

// childKubeconfig is an administrator's kubeconfig through the cluster's own proxy.
func (c *Cluster) childKubeconfig(name string) ([]byte, error) {
	c.mu.Lock()
	api := c.api
	c.mu.Unlock()

	return controlplane.Kubeconfig(api.authorities.Kubernetes, fmt.Sprintf("https://127.0.0.1:%d", api.proxy.port()),
		pki.Request{CommonName: name, Organizations: []string{"system:masters"}, Usages: pki.Client})
}

// applyManifests puts in place what Talos applies at bootstrap.
func (c *Cluster) applyManifests(ctx context.Context, client kubernetes.Interface) {
	for ctx.Err() == nil {
		for _, node := range c.ControlPlanes() {
			err := manifests.Apply(ctx, client, node.Config().Provider)
			if err == nil {
				c.log.Info("bootstrap manifests applied")

				return
			}

			c.log.Warn("bootstrap manifests", "error", err)

			break
		}

		select {
		case <-ctx.Done():
		case <-time.After(reconcileInterval):
		}
	}
}

// startWorkloads starts what plays pods.
func (c *Cluster) startWorkloads(ctx context.Context, s *session) {
	kubeconfig, err := c.childKubeconfig("talos-lab-workloads")
	if err != nil {
		c.log.Error("workloads", "error", err)

		return
	}

	if binary := c.settings.Binaries.Kwok; binary != "" {
		kwok := workloads.Kwok{
			Name: c.Key + "-kwok", Binary: binary, Dir: c.dir("kwok"), Kubeconfig: kubeconfig, Supervisor: c.supervisor,
		}

		s.work.Go(func() {
			if err := kwok.Run(ctx); err != nil {
				c.log.Error("kwok", "error", err)
			}
		})
	}

	if binary := c.settings.Binaries.CiliumOperator; binary != "" {
		operator := workloads.Operator{
			Name: c.Key + "-cilium-operator", Binary: binary, Dir: c.dir("cilium-operator"), Kubeconfig: kubeconfig,
			Client: s.client, Supervisor: c.supervisor, Log: c.log,
		}

		s.work.Go(func() { operator.Run(ctx) })
	}
}

// leaders runs one controller manager and one scheduler, on one control plane at a time.
type leaders struct {
	cluster *Cluster
	node    *Node
	cancel  context.CancelFunc
	work    *sync.WaitGroup
}

func (l *leaders) reconcile(ctx context.Context, s *session) {
	wanted := l.choose()
	if wanted == nil || wanted == l.node {
		return
	}

	l.stop()

	address, ok := wanted.ServingAddress()
	if !ok {
		return
	}

	releaseLeases(ctx, s.client)

	l.node, l.work = wanted, &sync.WaitGroup{}
	ctx, l.cancel = context.WithCancel(ctx)
	l.cluster.setLeader(wanted.MachineID)

	binaries := l.cluster.settings.Binaries
	dir := wanted.kubernetesDir()

	l.start(ctx, "kube-controller-manager", binaries.ControllerManager, controlplane.ManagerArgs(wanted.Config().Provider, dir, address))
	l.start(ctx, "kube-scheduler", binaries.Scheduler, controlplane.SchedulerArgs(dir, address))
}

func (l *leaders) start(ctx context.Context, name, binary string, args []string) {
	if binary == "" {
		return
	}

	spec := process.Spec{Name: l.node.MachineID + "-" + name, Path: binary, Args: args, Grace: time.Second}
	l.work.Go(func() { l.cluster.supervisor.Keep(ctx, spec) })
}

// choose keeps the present node while its API server answers or no other's does.
func (l *leaders) choose() *Node {
	var first *Node

	for _, node := range l.cluster.ControlPlanes() {
		if !node.APIReady() {
			continue
		}

		if node == l.node {
			return node
		}

		if first == nil {
			first = node
		}
	}

	return first
}

func (l *leaders) stop() {
	if l.cancel != nil {
		l.cancel()
		l.work.Wait()
	}

	l.node, l.cancel = nil, nil
	l.cluster.setLeader("")
}

// releaseLeases spares the new processes the wait for the leases of the old ones, which are known to be gone.
func releaseLeases(ctx context.Context, client kubernetes.Interface) {
	for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
		err := client.CoordinationV1().Leases("kube-system").Delete(ctx, name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return
		}
	}
}

func (c *Cluster) setLeader(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.leader = id
}

// Leader is the machine that runs the controller manager and the scheduler; empty when none does.
func (c *Cluster) Leader() string {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.leader
}
