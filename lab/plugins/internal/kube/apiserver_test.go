package kube

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Variables that name the real programs; without them the tests that need an API server are skipped.
const (
	envAPIServer = "KUBE_APISERVER"
	envEtcd      = "ETCD"
	envChart     = "CILIUM_CHART"
)

// startLimit bounds the start of etcd and of the API server.
const startLimit = 2 * time.Minute

// startCluster runs etcd and kube-apiserver until the test ends and returns a kubeconfig.
func startCluster(t *testing.T) string {
	t.Helper()
	for _, name := range []string{envAPIServer, envEtcd, envChart} {
		if os.Getenv(name) == "" {
			t.Skipf("%s is not set: it names the real program", name)
		}
	}
	dir := t.TempDir()
	host := ownLoopback()
	ports := freePorts(t, host, 3)
	etcd := fmt.Sprintf("http://%s:%d", host, ports[0])
	peer := fmt.Sprintf("http://%s:%d", host, ports[1])
	start(t, dir, os.Getenv(envEtcd),
		"--data-dir="+filepath.Join(dir, "etcd"), "--unsafe-no-fsync", "--initial-cluster=default="+peer,
		"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer)
	key := writeKey(t, dir)
	tokens := filepath.Join(dir, "tokens.csv")
	writeFile(t, tokens, "sesame,admin,admin,system:masters\n")
	start(t, dir, os.Getenv(envAPIServer),
		"--etcd-servers="+etcd, "--bind-address="+host, fmt.Sprintf("--secure-port=%d", ports[2]),
		"--cert-dir="+filepath.Join(dir, "certificates"), "--token-auth-file="+tokens, "--allow-privileged=true",
		"--service-account-key-file="+key, "--service-account-signing-key-file="+key,
		"--service-account-issuer=https://lab.test", "--service-cluster-ip-range=10.96.0.0/16",
		"--disable-admission-plugins=ServiceAccount", "--authorization-mode=RBAC")
	config := kubeconfigFor(fmt.Sprintf("https://%s:%d", host, ports[2]))
	awaitAPI(t, dir, config)
	return config
}

// ownLoopback returns an address that other processes hardly use, so that a free port stays free until a
// program listens on it.
func ownLoopback() string {
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d", 64+pid>>16&63, pid>>8&255, 1+pid%254)
}

// freePorts returns ports of host on which nothing listens.
func freePorts(t *testing.T, host string, n int) []int {
	t.Helper()
	ports := make([]int, 0, n)
	for range n {
		listener, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		address, _ := listener.Addr().(*net.TCPAddr)
		ports = append(ports, address.Port)
	}
	return ports
}

// start runs a program until the test ends; its output goes to a file of the same name.
func start(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, filepath.Base(program)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
	})
}

func awaitAPI(t *testing.T, dir, config string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	for {
		p := configure(t, map[string]string{"kubeconfig": config})
		c, err := p.reachable()
		if err == nil {
			err = c.Discovery.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
		}
		if err == nil {
			return
		}
		if sleep(ctx, time.Second) != nil {
			t.Fatalf("no API server after %s: %v\n%s", startLimit, err, lastLines(filepath.Join(dir, "kube-apiserver.log")))
		}
	}
}

func lastLines(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

func writeKey(t *testing.T, dir string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "service-account.key")
	block := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	writeFile(t, path, string(block))
	return path
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
