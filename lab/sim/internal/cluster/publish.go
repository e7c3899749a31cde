package cluster

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/siderolabs/talos/pkg/machinery/resources/cluster"
	"github.com/siderolabs/talos/pkg/machinery/resources/etcd"
	"github.com/siderolabs/talos/pkg/machinery/resources/k8s"

	"example.invalid/lab/sim/internal/kubelet"
)

// publishMember writes etcdmember, which exists only while etcd is healthy.
func (n *Node) publishMember(id uint64, healthy bool) {
	ctx := context.Background()
	member := etcd.NewMember(etcd.NamespaceName, etcd.LocalMemberID)
	member.TypedSpec().MemberID = etcd.FormatMemberID(id)

	var err error
	if healthy {
		err = n.Resources.Put(ctx, member)
	} else {
		err = n.Resources.Remove(ctx, member.Metadata())
	}

	n.report(err)
}

func (n *Node) report(err error) {
	if err != nil {
		n.Log("publish: %v", err)
	}

	n.Changed()
}

// publishMembers writes the discovered members on every node that is up.
func (c *Cluster) publishMembers(ctx context.Context) {
	nodes := c.Nodes()

	members := c.discover(nodes)
	present := fingerprint(members)

	for _, node := range nodes {
		if !node.Config().Provider.Cluster().Discovery().Enabled() || node.published == present {
			continue
		}

		copies := make([]resource.Resource, 0, len(members))
		for _, member := range members {
			copies = append(copies, member.DeepCopy())
		}

		if err := node.Resources.Replace(ctx, &cluster.Member{}, copies...); err != nil {
			node.Log("publish members: %v", err)

			continue
		}

		node.published = present
	}
}

// fingerprint changes when a member comes, goes or changes.
func fingerprint(members []*cluster.Member) string {
	var text strings.Builder

	for _, member := range members {
		spec := member.TypedSpec()
		fmt.Fprintln(&text, spec.Hostname, spec.NodeID, spec.MachineType, spec.OperatingSystem, spec.Addresses)
	}

	return text.String()
}

// discoveryLifetime is how long discovery remembers a node that went away.
const discoveryLifetime = 30 * time.Minute

// discover lists the members that are up and those that left a short while ago, by host name.
func (c *Cluster) discover(nodes []*Node) []*cluster.Member {
	c.mu.Lock()
	defer c.mu.Unlock()

	for _, node := range nodes {
		if node.Config().Provider.Cluster().Discovery().Enabled() {
			c.seen[node.Config().Hostname] = sighting{member: node.discovered(), at: time.Now()}
		}
	}

	var members []*cluster.Member

	for _, name := range slices.Sorted(maps.Keys(c.seen)) {
		if time.Since(c.seen[name].at) > discoveryLifetime {
			delete(c.seen, name)

			continue
		}

		members = append(members, c.seen[name].member)
	}

	return members
}

func (n *Node) discovered() *cluster.Member {
	config := n.Config()
	member := cluster.NewMember(cluster.NamespaceName, config.Hostname)
	spec := member.TypedSpec()
	spec.NodeID, spec.Hostname, spec.MachineType = n.NodeID, config.Hostname, config.Type
	spec.OperatingSystem = "Talos (" + n.TalosVersion + ")"

	for _, prefix := range config.Addresses() {
		spec.Addresses = append(spec.Addresses, prefix.Addr())
	}

	if config.ControlPlane() {
		spec.ControlPlane = &cluster.ControlPlane{APIServerPort: n.cluster.settings.Ports.APIServer}
	}

	return member
}

// PublishNodeStatus writes nodestatus, as seen in the Kubernetes API.
func (n *Node) PublishNodeStatus(ready, unschedulable bool, labels, annotations map[string]string, podCIDRs []netip.Prefix) {
	status := k8s.NewNodeStatus(k8s.NamespaceName, n.Config().Hostname)
	*status.TypedSpec() = k8s.NodeStatusSpec{
		Nodename: n.Config().Hostname, NodeReady: ready, Unschedulable: unschedulable,
		Labels: labels, Annotations: annotations, PodCIDRs: podCIDRs,
	}

	n.report(n.Resources.Put(context.Background(), status))
}

// StaticPods are the control plane components of the node. One controller manager and one scheduler run for the whole cluster;
// the others stand by, as they do behind a leader election.
func (n *Node) StaticPods() []kubelet.StaticPod {
	if !n.Config().ControlPlane() || !n.apiStarted() {
		return nil
	}

	cluster := n.Config().Provider.Cluster()
	ready := n.APIReady()

	return []kubelet.StaticPod{
		{Name: "kube-apiserver", Image: cluster.APIServer().Image(), Ready: ready},
		{Name: "kube-controller-manager", Image: cluster.ControllerManager().Image(), Ready: ready && n.cluster.Leader() != ""},
		{Name: "kube-scheduler", Image: cluster.Scheduler().Image(), Ready: ready && n.cluster.Leader() != ""},
	}
}

// publishStaticPods writes staticpodstatus, which the machine reads from its kubelet.
func (n *Node) publishStaticPods(ctx context.Context) {
	var wanted []resource.Resource

	for _, pod := range n.StaticPods() {
		phase, ready := "Pending", "False"
		if pod.Ready {
			phase, ready = "Running", "True"
		}

		status := k8s.NewStaticPodStatus(k8s.NamespaceName, "kube-system/"+pod.Name+"-"+n.Config().Hostname)
		status.TypedSpec().PodStatus = map[string]any{
			"phase": phase, "conditions": []any{map[string]any{"type": "Ready", "status": ready}},
		}
		wanted = append(wanted, status)
	}

	n.report(n.Resources.Replace(ctx, &k8s.StaticPodStatus{}, wanted...))
}
