package machined

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/siderolabs/talos/pkg/cluster"
	"github.com/siderolabs/talos/pkg/cluster/check"
	"github.com/siderolabs/talos/pkg/conditions"
	"github.com/siderolabs/talos/pkg/grpc/middleware/authz"
	clusterapi "github.com/siderolabs/talos/pkg/machinery/api/cluster"
	machinetype "github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	clusterres "github.com/siderolabs/talos/pkg/machinery/resources/cluster"
	"google.golang.org/grpc"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// HealthCheck implements cluster.ClusterService with Talos's own checks, run against the machine API and the Kubernetes API of the
// lab's cluster.
func (s *Server) HealthCheck(in *clusterapi.HealthCheckRequest, stream grpc.ServerStreamingServer[clusterapi.HealthCheckProgress]) error {
	if err := s.controlPlaneOnly("cluster health check"); err != nil {
		return err
	}

	talos := cluster.NewLocalClientProvider(s.boot.Resources, authz.GetRoles(stream.Context()))
	defer talos.Close() //nolint:errcheck

	kubernetes := &cluster.KubernetesClient{ClientProvider: talos, ForceEndpoint: in.GetClusterInfo().GetForceEndpoint()}
	defer kubernetes.K8sClose() //nolint:errcheck

	ctx, cancel := context.WithTimeout(stream.Context(), in.GetWaitTimeout().AsDuration())
	defer cancel()

	nodes, err := s.healthNodes(ctx, in.GetClusterInfo(), kubernetes)
	if err != nil {
		return err
	}

	addresses := []string{}
	for _, node := range nodes.Nodes() {
		addresses = append(addresses, node.InternalIP.String())
	}

	if err := stream.Send(&clusterapi.HealthCheckProgress{Message: fmt.Sprintf("discovered nodes: %q", addresses)}); err != nil {
		return err
	}

	state := &struct {
		cluster.ClientProvider
		cluster.K8sProvider
		cluster.Info
	}{talos, kubernetes, nodes}

	return check.Wait(ctx, state, append(check.DefaultClusterChecks(), check.ExtraClusterChecks()...), &progress{stream: stream})
}

// progress sends each new line of the checks once.
type progress struct {
	stream grpc.ServerStreamingServer[clusterapi.HealthCheckProgress]
	last   string
}

// Update implements check.Reporter.
func (p *progress) Update(condition conditions.Condition) {
	line := strings.TrimSpace(fmt.Sprintf("waiting for %s", condition))
	if line == p.last {
		return
	}

	p.last = line
	_ = p.stream.Send(&clusterapi.HealthCheckProgress{Message: line}) // a client that left is noticed by the context
}

// nodeList is the nodes a health check expects.
type nodeList struct {
	all    []cluster.NodeInfo
	byType map[machinetype.Type][]cluster.NodeInfo
}

func (l *nodeList) Nodes() []cluster.NodeInfo { return l.all }

func (l *nodeList) NodesByType(kind machinetype.Type) []cluster.NodeInfo { return l.byType[kind] }

func (l *nodeList) add(kind machinetype.Type, nodes ...cluster.NodeInfo) {
	l.all = append(l.all, nodes...)
	l.byType[kind] = append(l.byType[kind], nodes...)
}

// healthNodes takes the nodes from the request, else from discovery, else from Kubernetes.
func (s *Server) healthNodes(ctx context.Context, in *clusterapi.ClusterInfo, kubernetes *cluster.KubernetesClient) (cluster.Info, error) {
	list := &nodeList{byType: map[machinetype.Type][]cluster.NodeInfo{}}

	for kind, addresses := range map[machinetype.Type][]string{
		machinetype.TypeControlPlane: in.GetControlPlaneNodes(), machinetype.TypeWorker: in.GetWorkerNodes(),
	} {
		nodes, err := cluster.IPsToNodeInfos(addresses)
		if err != nil {
			return nil, err
		}

		list.add(kind, nodes...)
	}

	if len(list.all) > 0 {
		return list, nil
	}

	members, err := safe.StateListAll[*clusterres.Member](ctx, s.boot.Resources)
	if err == nil && members.Len() > 0 {
		return check.NewDiscoveredClusterInfo(safe.ToSlice(members, func(m *clusterres.Member) *clusterres.Member { return m }))
	}

	return list, fromKubernetes(ctx, kubernetes, list)
}

func fromKubernetes(ctx context.Context, kubernetes *cluster.KubernetesClient, list *nodeList) error {
	client, err := kubernetes.K8sClient(ctx)
	if err != nil {
		return err
	}

	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}

	for _, node := range nodes.Items {
		kind := machinetype.TypeWorker
		if _, ok := node.Labels[constants.LabelNodeRoleControlPlane]; ok {
			kind = machinetype.TypeControlPlane
		}

		list.add(kind, nodeInfo(&node))
	}

	return nil
}

func nodeInfo(node *corev1.Node) cluster.NodeInfo {
	var info cluster.NodeInfo

	for _, address := range node.Status.Addresses {
		ip, err := netip.ParseAddr(address.Address)
		if err != nil {
			continue
		}

		if address.Type == corev1.NodeInternalIP {
			info.InternalIP = ip
		}

		info.IPs = append(info.IPs, ip)
	}

	return info
}
