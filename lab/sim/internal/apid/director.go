package apid

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/siderolabs/grpc-proxy/proxy"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// director decides which node answers a call.
type director struct {
	local     proxy.Backend
	peers     *Peers
	routing   bool
	addresses []netip.Addr
}

// severalNodes are the services whose answers can be merged, by prefix of the method name.
var severalNodes = []string{
	"/machine.MachineService/", "/cluster.ClusterService/", "/inspect.InspectService/", "/storage.StorageService/", "/time.TimeService/",
}

var streamedMethods = []string{
	"/machine.MachineService/Copy", "/machine.MachineService/DiskUsage", "/machine.MachineService/Dmesg",
	"/machine.MachineService/EtcdSnapshot", "/machine.MachineService/Events", "/machine.MachineService/ImageList",
	"/machine.MachineService/Kubeconfig", "/machine.MachineService/List", "/machine.MachineService/Logs",
	"/machine.MachineService/PacketCapture", "/machine.MachineService/Read", "/machine.LifecycleService/Install",
	"/machine.LifecycleService/Upgrade", "/cluster.ClusterService/HealthCheck",
}

func streamed(method string) bool {
	return slices.Contains(streamedMethods, method) || strings.HasSuffix(method, "Stream")
}

func (d *director) direct(ctx context.Context, method string) (proxy.Mode, []proxy.Backend, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	node, nodes := md["node"], md["nodes"]
	forwarded := len(md["proxyfrom"]) > 0

	if !d.routing || forwarded {
		return proxy.One2One, []proxy.Backend{d.local}, nil
	}

	if node != nil && len(node) != 1 {
		return proxy.One2One, nil, status.Error(codes.InvalidArgument, "node metadata must be single-valued")
	}

	switch {
	case nodes != nil && !d.stayHome(nodes):
		return d.many(method, nodes)
	case node != nil && !d.stayHome(node):
		return d.one(node[0])
	default:
		return proxy.One2One, []proxy.Backend{d.local}, nil
	}
}

// stayHome tells whether a node that cannot forward is asked about itself.
func (d *director) stayHome(targets []string) bool {
	if d.peers != nil || len(targets) != 1 {
		return false
	}

	target, err := netip.ParseAddr(targets[0])

	return err == nil && slices.Contains(d.addresses, target)
}

func (d *director) one(target string) (proxy.Mode, []proxy.Backend, error) {
	backend, err := d.remote(target)
	if err != nil {
		return proxy.One2One, nil, err
	}

	return proxy.One2One, []proxy.Backend{backend}, nil
}

func (d *director) many(method string, targets []string) (proxy.Mode, []proxy.Backend, error) {
	mergeable := slices.ContainsFunc(severalNodes, func(prefix string) bool { return strings.HasPrefix(method, prefix) })
	if !mergeable {
		return proxy.One2One, nil, status.Errorf(codes.InvalidArgument, "one-2-many proxying is not supported for method %s", method)
	}

	backends := make([]proxy.Backend, 0, len(targets))

	for _, target := range targets {
		backend, err := d.remote(target)
		if err != nil {
			return proxy.One2Many, nil, err
		}

		backends = append(backends, backend)
	}

	return proxy.One2Many, backends, nil
}

func (d *director) remote(target string) (proxy.Backend, error) {
	if d.peers == nil {
		return nil, status.Error(codes.PermissionDenied, "no request forwarding")
	}

	return d.peers.backend(target)
}
