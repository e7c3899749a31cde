// Package etcd runs the real etcd of a control plane and decides whether it bootstraps, joins or restarts.
package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.invalid/lab/sim/internal/faults"
	"example.invalid/lab/sim/internal/process"
	"example.invalid/lab/sim/internal/services"
)

// Config of one member. Peers answers the client endpoints of the cluster's other members that run now.
type Config struct {
	Name       string // the host name, which is the member's name
	Process    string // name of the child process
	Binary     string
	Address    netip.Addr
	ClientPort int
	PeerPort   int
	DataDir    string
	PKIDir     string // holds ca.crt, server.crt/key, peer.crt/key
	ExtraArgs  map[string][]string
	TLS        *tls.Config // client identity
	Supervisor *process.Supervisor
	Services   *services.Table
	Faults     *faults.Set
	HasData    func() bool
	Peers      func() []string
	// Healthy is told each change; the id is the member's when healthy.
	Healthy func(id uint64, healthy bool)
	Log     func(format string, args ...any)
}

// Member is the etcd service of one node.
type Member struct {
	Config

	mu        sync.Mutex
	bootstrap bool
	running   bool
	memberID  uint64
	wake      chan struct{}
}

const (
	service       = "etcd"
	pollInterval  = 500 * time.Millisecond
	grace         = 2 * time.Second
	healthTimeout = 3 * time.Second
	restartDelay  = 2 * time.Second
)

// New makes a member that is not running yet.
func New(config Config) *Member {
	return &Member{Config: config, wake: make(chan struct{}, 1)}
}

// ClientURL is where the member serves clients.
func (m *Member) ClientURL() string { return url(m.Address, m.ClientPort) }

// PeerURL is where the member serves its peers.
func (m *Member) PeerURL() string { return url(m.Address, m.PeerPort) }

func url(address netip.Addr, port int) string {
	return "https://" + net.JoinHostPort(address.String(), strconv.Itoa(port))
}

// Bootstrap makes the member start a cluster of its own.
func (m *Member) Bootstrap() {
	m.mu.Lock()
	m.bootstrap = true
	m.mu.Unlock()
	m.Nudge()
}

// Bootstrapping tells whether Bootstrap was called in this boot.
func (m *Member) Bootstrapping() bool {
	m.mu.Lock()
	defer m.mu.Unlock()

	return m.bootstrap
}

// Nudge makes a waiting member look around at once.
func (m *Member) Nudge() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Running tells whether the process runs and has been seen healthy.
func (m *Member) Running() bool {
	m.mu.Lock()
	defer m.mu.Unlock()

	return m.running
}

// ID is the member's id while it is healthy, else 0.
func (m *Member) ID() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()

	return m.memberID
}

// Run keeps the service going until the context ends.
func (m *Member) Run(ctx context.Context) {
	for ctx.Err() == nil {
		start, err := m.decide(ctx)
		if err != nil {
			m.Log("etcd: %v", err)
			m.Services.Set(service, services.Preparing, "Running pre state", services.Unknown)
			m.pause(ctx)

			continue
		}

		m.serve(ctx, start)
	}

	m.Services.Set(service, services.Finished, "Service finished successfully", services.Unknown)
}

func (m *Member) pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-m.wake:
	case <-time.After(pollInterval):
	}
}

// plan is how the process starts: a new cluster, an existing one, or from its data.
type plan struct {
	state   string
	initial string
	learner uint64
}

var errWaiting = errors.New("etcd is waiting to join the cluster, if this node is the first node in the cluster, please run `talosctl bootstrap`")

func (m *Member) decide(ctx context.Context) (plan, error) {
	if m.Faults.On(faults.EtcdNeverHealthy) {
		return plan{}, errors.New("kept from starting by the lab")
	}

	if m.Binary == "" {
		return plan{}, errors.New("the lab's configuration names no etcd program")
	}

	if m.HasData() {
		return plan{}, nil
	}

	m.mu.Lock()
	bootstrap := m.bootstrap
	m.mu.Unlock()

	if bootstrap {
		return plan{state: "new", initial: m.Name + "=" + m.PeerURL()}, nil
	}

	return m.join(ctx)
}

// join registers this node as a learner with the running members.
func (m *Member) join(ctx context.Context) (plan, error) {
	endpoints := m.Peers()
	if len(endpoints) == 0 {
		return plan{}, errWaiting
	}

	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()

	client, err := Connect(endpoints, m.TLS)
	if err != nil {
		return plan{}, err
	}
	defer client.Close() //nolint:errcheck

	members, learner, err := addLearner(ctx, client, m.PeerURL())
	if err != nil {
		return plan{}, fmt.Errorf("failed to build initial etcd cluster: %w", err)
	}

	initial := []string{m.Name + "=" + m.PeerURL()}

	for _, member := range members {
		for _, peer := range member.GetPeerURLs() {
			if peer != m.PeerURL() {
				initial = append(initial, member.GetName()+"="+peer)
			}
		}
	}

	return plan{state: "existing", initial: strings.Join(initial, ","), learner: learner}, nil
}

// serve runs the process once and watches its health.
func (m *Member) serve(ctx context.Context, start plan) {
	running, stop := context.WithCancel(ctx)
	defer stop()

	m.Services.Set(service, services.Running, "Started task etcd", services.Unknown)

	go m.watch(running, stop, start.learner)

	err := m.Supervisor.Run(running, process.Spec{Name: m.Process, Path: m.Binary, Args: m.args(start), Grace: grace})
	stopped := running.Err() != nil

	stop()
	m.note(0, false)

	if stopped {
		return
	}

	m.Services.Set(service, services.Failed, fmt.Sprintf("Error running etcd: %v", err), services.Unknown)
	m.Log("etcd ended: %v", err)

	select {
	case <-ctx.Done():
	case <-time.After(restartDelay):
	}
}

func (m *Member) watch(ctx context.Context, stop context.CancelFunc, learner uint64) {
	for ctx.Err() == nil {
		if m.Faults.On(faults.EtcdNeverHealthy) {
			m.Services.Set(service, services.Running, "Health check failed: stopped by the lab", services.Unhealthy)
			stop()

			return
		}

		if learner != 0 && m.promote(ctx, learner) == nil {
			learner = 0
		}

		id, err := m.check(ctx)

		interval := pollInterval
		if err == nil {
			interval = 4 * pollInterval
		}

		// A learner that was restarted before its promotion is still one.
		if errors.Is(err, errLearner) {
			learner = id
		}

		select {
		case <-ctx.Done():
		case <-time.After(interval):
		}
	}
}

func (m *Member) check(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()

	id, err := m.probe(ctx)
	if errors.Is(ctx.Err(), context.Canceled) {
		return 0, ctx.Err()
	}

	if err != nil {
		m.Services.Set(service, services.Running, "Health check failed: "+err.Error(), services.Unhealthy)
		m.note(0, false)

		return id, err
	}

	m.Services.Set(service, services.Running, "Health check successful", services.Healthy)
	m.note(id, true)

	return id, nil
}

func (m *Member) note(id uint64, healthy bool) {
	m.mu.Lock()
	changed := m.running != healthy || m.memberID != id
	m.running, m.memberID = healthy, id
	m.mu.Unlock()

	if changed {
		m.Healthy(id, healthy)
	}
}

func (m *Member) args(start plan) []string {
	file := func(name string) string { return filepath.Join(m.PKIDir, name) }
	args := []string{
		"--name=" + m.Name, "--data-dir=" + m.DataDir,
		"--listen-client-urls=" + m.ClientURL(), "--advertise-client-urls=" + m.ClientURL(),
		"--listen-peer-urls=" + m.PeerURL(), "--initial-advertise-peer-urls=" + m.PeerURL(),
		"--client-cert-auth=true", "--cert-file=" + file("server.crt"), "--key-file=" + file("server.key"),
		"--trusted-ca-file=" + file("ca.crt"), "--peer-client-cert-auth=true", "--peer-trusted-ca-file=" + file("ca.crt"),
		"--peer-cert-file=" + file("peer.crt"), "--peer-key-file=" + file("peer.key"),
		"--logger=zap", "--log-level=warn",
		// The page cache survives the death of the process, and the lab never loses power.
		"--unsafe-no-fsync=true",
	}

	if start.state != "" {
		args = append(args, "--initial-cluster-state="+start.state, "--initial-cluster="+start.initial)
	}

	return args
}
