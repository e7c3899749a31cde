// Package kubelet plays the kubelets of a cluster: Node objects, leases and the Ready condition. One client serves all nodes.
package kubelet

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"example.invalid/lab/sim/internal/nodeconfig"
)

// Node is a machine whose kubelet service runs.
type Node interface {
	Config() *nodeconfig.Node
	Facts() Facts
	// StaticPods are those the node runs now; none on workers.
	StaticPods() []StaticPod
	// PublishNodeStatus shows the Node object as the machine sees it.
	PublishNodeStatus(ready, unschedulable bool, labels, annotations map[string]string, podCIDRs []netip.Prefix)
}

// Facts are the parts of a Node object that do not come from the machine configuration. Memory is in bytes.
type Facts struct {
	BootID            string
	MachineID         string
	SystemUUID        string
	TalosVersion      string
	KubernetesVersion string
	Memory            uint64
	Disk              uint64
}

// Manager keeps the Node objects of the nodes it is given.
type Manager struct {
	client kubernetes.Interface
	nodes  func() []Node
	log    *slog.Logger

	objects listers.NodeLister
	pods    cache.Indexer
	wake    chan struct{}

	mu         sync.Mutex
	registered map[string]string // node name to the boot in which it registered
	reported   map[string]time.Time
}

const (
	agentApp      = "cilium"
	agentSelector = "k8s-app in (cilium,kube-apiserver,kube-controller-manager,kube-scheduler)"
	byNode        = "node"
	interval      = 10 * time.Second // kubelet's lease renewal
	heartbeat     = time.Minute
	workers       = 4
)

// New makes a manager; Run does the work.
func New(client kubernetes.Interface, nodes func() []Node, log *slog.Logger) *Manager {
	return &Manager{
		client: client, nodes: nodes, log: log, wake: make(chan struct{}, 1),
		registered: map[string]string{}, reported: map[string]time.Time{},
	}
}

// Nudge makes the manager look at its nodes now.
func (m *Manager) Nudge() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Run works until the context ends.
func (m *Manager) Run(ctx context.Context) {
	if err := m.watch(ctx); err != nil {
		m.log.Error("kubelet role", "error", err)

		return
	}

	var leases time.Time

	for ctx.Err() == nil {
		renew := time.Since(leases) >= interval
		if renew {
			leases = time.Now()
		}

		m.syncAll(ctx, renew)

		select {
		case <-ctx.Done():
		case <-m.wake:
		case <-time.After(interval):
		}
	}
}

// watch follows the Node objects and the agents' pods.
func (m *Manager) watch(ctx context.Context) error {
	agents := informers.NewSharedInformerFactoryWithOptions(m.client, 0, informers.WithTweakListOptions(selectAgents))
	pods := agents.Core().V1().Pods().Informer()

	if err := pods.AddIndexers(cache.Indexers{byNode: nodeOfPod}); err != nil {
		return err
	}

	all := informers.NewSharedInformerFactory(m.client, 0)
	nodes := all.Core().V1().Nodes()

	for _, informer := range []cache.SharedIndexInformer{pods, nodes.Informer()} {
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { m.Nudge() }, UpdateFunc: func(any, any) { m.Nudge() }, DeleteFunc: func(any) { m.Nudge() },
		})
		if err != nil {
			return err
		}
	}

	m.pods, m.objects = pods.GetIndexer(), nodes.Lister()
	agents.Start(ctx.Done())
	all.Start(ctx.Done())
	cache.WaitForCacheSync(ctx.Done(), pods.HasSynced, nodes.Informer().HasSynced)

	return nil
}

func (m *Manager) syncAll(ctx context.Context, renew bool) {
	queue := make(chan Node)

	var group sync.WaitGroup

	for range workers {
		group.Go(func() {
			for node := range queue {
				if err := m.sync(ctx, node, renew); err != nil && ctx.Err() == nil {
					m.log.Warn("kubelet role", "node", node.Config().Hostname, "error", err)
				}
			}
		})
	}

	for _, node := range m.nodes() {
		queue <- node
	}

	close(queue)
	group.Wait()
}

// sync registers the node once per boot and keeps its status; a deleted Node object stays deleted until the next boot.
func (m *Manager) sync(ctx context.Context, node Node, renew bool) error {
	name := node.Config().Hostname
	if node.Config().Provider.Machine().Kubelet().SkipNodeRegistration() {
		return nil
	}

	object, err := m.objects.Get(name)
	if err != nil {
		object = nil
	}

	if boot := node.Facts().BootID; m.firstOfBoot(name, boot) {
		if object, err = m.register(ctx, node); err != nil {
			return err
		}

		m.remember(name, boot)

		renew = true
	}

	if object == nil {
		node.PublishNodeStatus(false, false, nil, nil, nil)

		return nil
	}

	return m.keep(ctx, node, object, renew)
}

// keep brings the Node object and what hangs on it up to date.
func (m *Manager) keep(ctx context.Context, node Node, object *corev1.Node, renew bool) error {
	if renew {
		if err := m.renewLease(ctx, object); err != nil {
			return err
		}
	}

	if err := m.reconcileMeta(ctx, node, object); err != nil {
		return err
	}

	if err := m.syncStatic(ctx, node, object); err != nil {
		return err
	}

	return m.report(ctx, node, object)
}

func (m *Manager) firstOfBoot(name, boot string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()

	return m.registered[name] != boot
}

func (m *Manager) remember(name, boot string) {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.registered[name] = boot
	delete(m.reported, name)
}

// report writes the status when it changed or a heartbeat is due.
func (m *Manager) report(ctx context.Context, node Node, object *corev1.Node) error {
	ready := m.networkReady(node)
	node.PublishNodeStatus(isReady(object) && ready, object.Spec.Unschedulable, maps.Clone(object.Labels), maps.Clone(object.Annotations), podCIDRs(object))

	if isReady(object) == ready && statusComplete(object) && !m.due(object.Name) {
		return nil
	}

	if err := m.patchStatus(ctx, node, object, ready); err != nil {
		return err
	}

	m.mu.Lock()
	defer m.mu.Unlock()

	m.reported[object.Name] = time.Now()

	return nil
}

func (m *Manager) due(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()

	return time.Since(m.reported[name]) > heartbeat
}

// networkReady tells whether the node's container runtime has a network: the Cilium agent's pod runs there, or the configuration
// names a CNI of Talos's own, which the lab takes as present.
func (m *Manager) networkReady(node Node) bool {
	config := node.Config()
	if config.Provider.Cluster().Network().CNI().Name() != "none" {
		return true
	}

	pods, err := m.pods.ByIndex(byNode, config.Hostname)
	if err != nil {
		return false
	}

	return slices.ContainsFunc(pods, func(item any) bool {
		pod, ok := item.(*corev1.Pod)

		return ok && pod.Labels["k8s-app"] == agentApp && pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil
	})
}

func nodeOfPod(item any) ([]string, error) {
	if pod, ok := item.(*corev1.Pod); ok {
		return []string{pod.Spec.NodeName}, nil
	}

	return nil, nil
}

func isReady(object *corev1.Node) bool {
	for _, condition := range object.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}

	return false
}

// statusComplete is false for conditions the node controller set to Unknown while the node was away.
func statusComplete(object *corev1.Node) bool {
	if len(object.Status.Conditions) == 0 || len(object.Status.Addresses) == 0 {
		return false
	}

	return !slices.ContainsFunc(object.Status.Conditions, func(c corev1.NodeCondition) bool { return c.Status == corev1.ConditionUnknown })
}

func podCIDRs(object *corev1.Node) []netip.Prefix {
	var prefixes []netip.Prefix

	for _, text := range object.Spec.PodCIDRs {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			prefixes = append(prefixes, prefix)
		}
	}

	return prefixes
}
