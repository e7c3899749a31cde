package controlplane

import (
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config"
)

// ServerOptions say where an API server listens and which etcd it uses.
type ServerOptions struct {
	Dir     string // folder WriteKubernetes filled
	Address netip.Addr
	Port    int
	EtcdURL string
}

// ServerArgs are kube-apiserver's arguments: those of Talos, less what has no meaning without a kubelet or a real network.
func ServerArgs(provider config.Provider, o ServerOptions) []string {
	file := func(name string) string { return filepath.Join(o.Dir, name) }
	cluster := provider.Cluster()
	endpoint := cluster.Endpoint().String()

	return []string{
		"--bind-address=" + o.Address.String(), "--advertise-address=" + o.Address.String(), "--secure-port=" + strconv.Itoa(o.Port),
		// A loopback address cannot be an endpoint of the kubernetes Service.
		"--endpoint-reconciler-type=none",
		"--allow-privileged=true", "--anonymous-auth=false", "--authorization-mode=Node,RBAC", "--enable-bootstrap-token-auth=true",
		"--enable-admission-plugins=NodeRestriction", "--admission-control-config-file=" + file("admission.yaml"),
		"--encryption-provider-config=" + file("encryption.yaml"),
		"--client-ca-file=" + file("ca.crt"), "--tls-cert-file=" + file("apiserver.crt"), "--tls-private-key-file=" + file("apiserver.key"),
		"--tls-min-version=VersionTLS12",
		"--etcd-servers=" + o.EtcdURL, "--etcd-cafile=" + file("etcd-ca.crt"),
		"--etcd-certfile=" + file("etcd-client.crt"), "--etcd-keyfile=" + file("etcd-client.key"),
		"--kubelet-client-certificate=" + file("kubelet-client.crt"), "--kubelet-client-key=" + file("kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
		"--requestheader-client-ca-file=" + file("aggregator-ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
		"--proxy-client-cert-file=" + file("front-proxy.crt"), "--proxy-client-key-file=" + file("front-proxy.key"),
		"--service-account-issuer=" + endpoint, "--api-audiences=" + endpoint,
		"--service-account-key-file=" + file("service-account.pub"), "--service-account-signing-key-file=" + file("service-account.key"),
		"--service-cluster-ip-range=" + strings.Join(cluster.Network().ServiceCIDRs(), ","),
		"--profiling=false",
	}
}

// ManagerArgs are kube-controller-manager's arguments.
func ManagerArgs(provider config.Provider, dir string, address netip.Addr) []string {
	file := func(name string) string { return filepath.Join(dir, name) }
	network := provider.Cluster().Network()

	return []string{
		"--use-service-account-credentials", "--allocate-node-cidrs=true", "--configure-cloud-routes=false",
		"--bind-address=" + address.String(),
		"--cluster-cidr=" + strings.Join(network.PodCIDRs(), ","), "--service-cluster-ip-range=" + strings.Join(network.ServiceCIDRs(), ","),
		"--cluster-signing-cert-file=" + file("ca.crt"), "--cluster-signing-key-file=" + file("ca.key"),
		"--root-ca-file=" + file("ca.crt"), "--service-account-private-key-file=" + file("service-account.key"),
		"--controllers=*,tokencleaner", "--leader-elect=true", "--profiling=false",
		"--kubeconfig=" + file("controller-manager.kubeconfig"),
		"--authentication-kubeconfig=" + file("controller-manager.kubeconfig"),
		"--authorization-kubeconfig=" + file("controller-manager.kubeconfig"),
	}
}

// SchedulerArgs are kube-scheduler's arguments.
func SchedulerArgs(dir string, address netip.Addr) []string {
	kubeconfig := filepath.Join(dir, "scheduler.kubeconfig")

	return []string{
		"--bind-address=" + address.String(), "--leader-elect=true", "--profiling=false",
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
	}
}
