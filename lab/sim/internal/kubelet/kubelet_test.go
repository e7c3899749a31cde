package kubelet_test

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	talos "github.com/siderolabs/talos/pkg/machinery/config/machine"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"example.invalid/lab/sim/internal/fixture"
	"example.invalid/lab/sim/internal/kubelet"
	"example.invalid/lab/sim/internal/nodeconfig"
	"example.invalid/lab/sim/internal/settings"
)

const hostname = "apiVersion: v1alpha1\nkind: HostnameConfig\nauto: \"off\"\nhostname: n1\n"

var hardware = settings.Machine{
	ID: "m1", Address: netip.MustParseAddr("127.0.30.11"), Prefix: 24, MAC: "02:00:00:00:00:01",
	Links: []settings.Link{{Name: "eth0", MAC: "02:00:00:00:00:01"}},
}

func read(t *testing.T, kind talos.Type, patches ...string) *nodeconfig.Node {
	t.Helper()

	node, err := nodeconfig.New(fixture.New(t, "https://127.0.30.10:6443").Config(t, kind, append(patches, hostname)...), hardware)
	if err != nil {
		t.Fatal(err)
	}

	return node
}

func TestLabelsAndTaints(t *testing.T) {
	t.Parallel()

	const control = "node-role.kubernetes.io/control-plane"

	labels := kubelet.Labels(read(t, talos.TypeControlPlane))
	if _, ok := labels[control]; !ok || labels["kubernetes.io/hostname"] != "n1" {
		t.Errorf("control plane labels: %v", labels)
	}

	if _, ok := labels["node.kubernetes.io/exclude-from-external-load-balancers"]; !ok {
		t.Error("the generated configuration's own label is missing")
	}

	if labels := kubelet.Labels(read(t, talos.TypeWorker, "machine: {nodeLabels: {rack: a}}")); labels["rack"] != "a" || slices.Contains(slices.Collect(maps.Keys(labels)), control) {
		t.Errorf("worker labels: %v", labels)
	}

	taints := kubelet.Taints(read(t, talos.TypeControlPlane, "machine: {nodeTaints: {only: 'x:NoExecute'}}"))
	if len(taints) != 2 || taints[0].Key != control || taints[1].Value != "x" || taints[1].Effect != corev1.TaintEffectNoExecute {
		t.Errorf("taints: %v", taints)
	}

	if taints := kubelet.Taints(read(t, talos.TypeControlPlane, "cluster: {allowSchedulingOnControlPlanes: true}")); len(taints) != 0 {
		t.Errorf("schedulable control plane has taints %v", taints)
	}
}

type node struct {
	config    *nodeconfig.Node
	boot      string
	published chan bool
}

func (n *node) Config() *nodeconfig.Node { return n.config }

func (n *node) Facts() kubelet.Facts {
	return kubelet.Facts{BootID: n.boot, TalosVersion: "v1.13.0", KubernetesVersion: "v1.36.3", Memory: 1 << 30, Disk: 1 << 30}
}

func (n *node) StaticPods() []kubelet.StaticPod { return nil }

func (n *node) PublishNodeStatus(ready, _ bool, _, _ map[string]string, _ []netip.Prefix) {
	select {
	case n.published <- ready:
	default:
	}
}

func TestReadyOnlyWithTheAgent(t *testing.T) {
	t.Parallel()

	client := fake.NewClientset()
	one := &node{config: read(t, talos.TypeWorker, "cluster: {network: {cni: {name: none}}}"), boot: "first", published: make(chan bool, 1)}
	manager := kubelet.New(client, func() []kubelet.Node { return []kubelet.Node{one} }, slog.Default())

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})

	go func() {
		defer close(done)
		manager.Run(ctx)
	}()

	defer func() {
		cancel()
		<-done
	}()

	ready := eventually(t, client, "registered", func(object *corev1.Node) bool { return len(object.Status.Conditions) > 0 })
	if ready.Status != corev1.ConditionFalse || !strings.HasSuffix(ready.Message, "cni plugin not initialized") {
		t.Errorf("before the agent: %+v", ready)
	}

	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "cilium-x", Namespace: "kube-system", Labels: map[string]string{"k8s-app": "cilium"}},
		Spec:       corev1.PodSpec{NodeName: "n1"}, Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
	if _, err := client.CoreV1().Pods("kube-system").Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	eventually(t, client, "ready", isReady)

	if err := client.CoreV1().Pods("kube-system").Delete(ctx, pod.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}

	eventually(t, client, "not ready again", func(object *corev1.Node) bool { return !isReady(object) })

	if _, err := client.CoordinationV1().Leases("kube-node-lease").Get(ctx, "n1", metav1.GetOptions{}); err != nil {
		t.Errorf("lease: %v", err)
	}
}

func isReady(object *corev1.Node) bool { return condition(object).Status == corev1.ConditionTrue }

func condition(object *corev1.Node) corev1.NodeCondition {
	for _, c := range object.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c
		}
	}

	return corev1.NodeCondition{}
}

func eventually(t *testing.T, client *fake.Clientset, what string, check func(*corev1.Node) bool) corev1.NodeCondition {
	t.Helper()

	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		object, err := client.CoreV1().Nodes().Get(t.Context(), "n1", metav1.GetOptions{})
		if err == nil && check(object) {
			return condition(object)
		}
	}

	t.Fatalf("the node was never %s", what)

	return corev1.NodeCondition{}
}
