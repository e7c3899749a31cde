package sim_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	talos "github.com/siderolabs/talos/pkg/machinery/config/machine"

	"example.invalid/lab/sim/internal/fixture"
	"example.invalid/lab/sim/internal/settings"
)

const unknownAuthority = "tls: failed to verify certificate: x509: certificate signed by unknown authority"

// TestFromMaintenanceToIdentity needs talosctl alone: no etcd, hence no bootstrap.
func TestFromMaintenanceToIdentity(t *testing.T) {
	needs(t, "TALOSCTL")

	l := newLab(t, 0, settings.Binaries{})

	t.Run("maintenance", l.maintenance)
	t.Run("worker waits for a control plane", l.workerWaits)
	t.Run("identity", l.identity)
	t.Run("configuration", l.configuration)
	t.Run("restart", l.restart)
	t.Run("before var is mounted", l.beforeVarIsMounted)
}

func (l *lab) maintenance(t *testing.T) {
	l.t = t
	l.expect(l.talosctl("-n", l.cp, "get", "machinestatus", "-i", "-o", "json"), 0, `"stage": "maintenance"`, `"ready": true`)
	l.expect(l.talosctl("-n", l.cp, "version", "-i"), 0, "Tag:         v1.13.0")
	l.expect(l.talosctl("-n", l.cp, "get", "disks", "-i"), 0, "vda", "34 GB")
	l.expect(l.talosctl("-n", l.cp, "get", "systeminformation", "-i", "-o", "json"), 0, `"serialnumber": "m1"`, `"uuid": "00000000-0000-4000-8000-020000000001"`)
	l.expect(l.talosctl("-n", l.cp, "get", "links", "-i", "-o", "json"), 0, `"id": "eth0"`, `"permanentAddr": "02:00:00:00:00:01"`, `"type": "ether"`)
	l.expect(l.talosctl("-n", l.cp, "get", "platformmetadata", "-i", "-o", "json"), 0, `"platform": "metal"`)
	l.expect(l.talosctl("-n", l.cp, "get", "machineconfig", "-i"), 1, "code = PermissionDenied desc = not authorized")
	l.expect(l.talosctl("-n", l.cp, "reset", "--insecure", "--wait=false"), 1, "code = PermissionDenied desc = not authorized")
	l.expect(l.as(l.cp, "version"), 1, unknownAuthority)

	l.write("broken.yaml", []byte("machine: {type: controlplane}\ncluster: {}\n"))
	l.expect(l.talosctl("-n", l.cp, "apply-config", "-i", "-f", l.file("broken.yaml")), 1, "code = InvalidArgument")
}

func (l *lab) workerWaits(t *testing.T) {
	l.t = t
	l.expect(l.talosctl("-n", l.worker, "apply-config", "-i", "-f", l.file("worker.yaml")), 0, "Applied configuration without a reboot")
	l.expect(l.as(l.worker, "version"), 1, "connect: connection refused")
	l.expect(l.talosctl("-n", l.cp, "apply-config", "-i", "-f", l.file("cp.yaml")), 0, "Applied configuration without a reboot")

	for _, node := range []string{l.cp, l.worker} {
		l.eventually(func() answer { return l.as(node, "get", "services", "-o", "json") }, `"id": "kubelet"`)
	}
}

func (l *lab) identity(t *testing.T) {
	l.t = t
	l.expect(l.talosctl("-n", l.cp, "get", "machinestatus", "-i"), 1, "error reading server preface: remote error: tls: certificate required")
	l.expect(l.as(l.cp, "get", "hostname", "-o", "json"), 0, `"hostname": "cp1"`)
	l.expect(l.as(l.cp, "get", "systeminformation", "-o", "json"), 0, `"serialnumber": "m1"`)
	l.expect(l.as(l.worker, "get", "links", "-o", "json"), 0, `"permanentAddr": "02:00:00:00:00:02"`)
	l.expect(l.as(l.cp, "get", "members"), 0, "cp1", "w1")
	l.expect(l.as(l.worker, "bootstrap"), 1, "code = Unimplemented desc = bootstrap is only available on control plane nodes")
	l.expect(l.as(l.worker, "kubeconfig", "-"), 1, "code = Unimplemented desc = kubeconfig is only available on control plane nodes")
	l.expect(l.as(l.cp, "get", "etcdmember", "-o", "json"), 0)
	l.expect(l.as(l.cp, "get", "nonsense"), 1, "not registered")

	through := l.talosctl("--talosconfig", l.file("talosconfig"), "-e", l.cp, "-n", l.cp+","+l.worker, "version")
	l.expect(through, 0, "NODE:        "+l.cp, "NODE:        "+l.worker)
	l.expect(l.talosctl("--talosconfig", l.file("talosconfig"), "-e", l.worker, "-n", l.cp, "version"), 1, "no request forwarding")

	other := fixture.Foreign(t, "https://"+l.cp+":6443")
	l.write("foreign", other.Talosconfig(t, l.cp))
	l.expect(l.talosctl("--talosconfig", l.file("foreign"), "-n", l.cp, "version"), 1, unknownAuthority)
}

func (l *lab) configuration(t *testing.T) {
	l.t = t
	l.expect(l.as(l.cp, "apply-config", "-f", l.file("cp.yaml"), "--dry-run"), 0, "Dry run summary:", "No changes.")

	l.write("live.yaml", l.config(talos.TypeControlPlane, "cp1", "machine: {nodeLabels: {rack: a}}"))
	l.expect(l.as(l.cp, "apply-config", "-f", l.file("live.yaml"), "--dry-run"), 0, "Applied configuration without a reboot (skipped in dry-run).", "rack")
	l.expect(l.as(l.cp, "apply-config", "-f", l.file("live.yaml"), "-m", "no-reboot"), 0, "Applied configuration without a reboot")

	l.write("reboot.yaml", l.config(talos.TypeControlPlane, "cp1", "machine: {features: {diskQuotaSupport: false}}"))
	l.expect(l.as(l.cp, "apply-config", "-f", l.file("reboot.yaml"), "-m", "no-reboot"), 1,
		"code = InvalidArgument desc = this config change can't be applied in immediate mode", "diskQuotaSupport")
	l.expect(l.as(l.cp, "apply-config", "-f", l.file("reboot.yaml"), "-m", "staged"), 0, "Staged configuration to be applied after the next reboot")
	l.expect(l.as(l.cp, "apply-config", "-f", l.file("live.yaml"), "-m", "try", "--timeout", "1h"), 0, "automatically reverted back in 1h0m0s")
	l.expect(l.as(l.cp, "apply-config", "-f", l.file("live.yaml")), 0, "Applied configuration without a reboot")
}

func (l *lab) restart(t *testing.T) {
	l.t = t
	l.stop()
	l.start()
	l.eventually(func() answer { return l.as(l.cp, "get", "machineconfig", "-o", "yaml") }, "rack: a")
	l.eventually(func() answer { return l.as(l.worker, "get", "machinestatus", "-o", "json") }, `"stage": "running"`)
}

// beforeVarIsMounted restarts nodes whose services never come: the API answers, and knows nothing of etcd's folder.
func (l *lab) beforeVarIsMounted(t *testing.T) {
	l.t = t
	l.expect(l.as(l.cp, "ls", "/var/lib/etcd"), 0, ".")
	l.stop()
	l.settings.Durations.Boot = settings.Duration(time.Hour)
	l.start()
	l.eventually(func() answer { return l.as(l.cp, "get", "machinestatus") })
	l.expect(l.as(l.cp, "ls", "/var/lib/etcd"), 1, "lstat /var/lib/etcd: no such file or directory")
	l.expect(l.as(l.cp, "get", "services", "cri"), 1, "NotFound")
}

// TestCluster bootstraps the real control plane.
func TestCluster(t *testing.T) {
	needs(t, "TALOSCTL", "ETCD", "KUBE_APISERVER", "KUBE_CONTROLLER_MANAGER", "KUBE_SCHEDULER")

	l := newLab(t, 1, settings.Binaries{
		Etcd: os.Getenv("ETCD"), APIServer: os.Getenv("KUBE_APISERVER"), ControllerManager: os.Getenv("KUBE_CONTROLLER_MANAGER"),
		Scheduler: os.Getenv("KUBE_SCHEDULER"),
	})

	for node, file := range map[string]string{l.cp: "cp.yaml", l.worker: "worker.yaml"} {
		l.expect(l.talosctl("-n", node, "apply-config", "-i", "-f", l.file(file)), 0)
	}

	t.Run("bootstrap", l.bootstrap)
	t.Run("etcd", l.etcd)
	t.Run("last member", l.lastMember)
	t.Run("reset", l.reset)
}

func (l *lab) bootstrap(t *testing.T) {
	l.t = t
	l.eventually(func() answer { return l.as(l.cp, "bootstrap") })
	l.expect(l.as(l.cp, "bootstrap"), 1, "code = AlreadyExists desc = etcd data directory is not empty")
	l.expect(l.as(l.cp, "kubeconfig", "-"), 0, "server: https://"+l.cp+":6443", "client-certificate-data")

	healthy := l.as(l.cp, "health", "--wait-timeout", "50s", "--control-plane-nodes", l.cp, "--worker-nodes", l.worker)
	l.expect(healthy, 0, "all k8s nodes to report: OK", "all control plane components to be ready: OK", "all k8s nodes to report ready: SKIP")

	wrong := l.as(l.cp, "health", "--wait-timeout", "3s", "--control-plane-nodes", l.cp)
	l.expect(wrong, 1, "context deadline exceeded", "unexpected nodes with IPs", l.worker)
}

func (l *lab) etcd(t *testing.T) {
	l.t = t
	l.expect(l.as(l.cp, "etcd", "members"), 0, "cp1", "https://"+l.cp+":2380", "false")
	l.expect(l.as(l.cp, "etcd", "status"), 0, "3.6")
	l.expect(l.as(l.cp, "ls", "/var/lib/etcd"), 0, "member")
	l.expect(l.as(l.worker, "etcd", "members"), 1, "code = Unimplemented desc = member list is only available on control plane nodes")
	l.expect(l.as(l.cp, "etcd", "remove-member", "00000000000000ff"), 1, "code = NotFound desc = etcdserver: member not found")
	l.expect(l.as(l.cp, "etcd", "snapshot", l.file("snapshot.db")), 0, "etcd snapshot saved")
}

func (l *lab) lastMember(t *testing.T) {
	l.t = t
	l.expect(l.as(l.cp, "etcd", "leave"), 1, "failed to leave cluster")
	l.expect(l.as(l.cp, "reset", "--graceful", "--timeout", "30s"), 1, "failed to leave cluster", "not enough started members")
	l.expect(l.as(l.cp, "etcd", "members"), 0, "cp1")
}

func (l *lab) reset(t *testing.T) {
	l.t = t
	labels := []string{"--system-labels-to-wipe", "STATE", "--system-labels-to-wipe", "EPHEMERAL", "--reboot", "--timeout", "50s"}

	l.expect(l.as(l.worker, append([]string{"reset"}, labels...)...), 0, "post check passed")
	l.expect(l.talosctl("-n", l.worker, "get", "machinestatus", "-i", "-o", "json"), 0, `"stage": "maintenance"`)
	l.expect(l.talosctl("-n", l.worker, "get", "systemdisk", "-i"), 0)

	got := l.as(l.cp, append([]string{"reset", "--graceful=false"}, labels...)...)
	l.expect(got, 0, "post check passed")

	if _, err := os.Stat(filepath.Join(l.dir, "machines", "m1", "etcd")); !os.IsNotExist(err) {
		t.Errorf("etcd data is left after the reset: %v", err)
	}
}
