// Package machine plays the hardware and the operating system of one node: power, boots, stages, disk and network.
package machine

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"

	"example.invalid/lab/sim/internal/cluster"
	"example.invalid/lab/sim/internal/faults"
	"example.invalid/lab/sim/internal/settings"
	"example.invalid/lab/sim/internal/store"
)

// Machine is one node's hardware. Its boots come and go.
type Machine struct {
	Hardware settings.Machine
	Settings *settings.Settings
	Disk     *store.Disk
	Faults   *faults.Set
	Clusters *cluster.Registry
	// Register adds the machine API to a boot's gRPC server.
	Register func(*Boot) *grpc.Server

	log *slog.Logger

	mu      sync.Mutex
	boot    *Boot
	off     bool
	power   chan struct{} // closed and replaced at each change of power
	started chan struct{} // closed when the first boot has its listener, or cannot have one yet
	once    sync.Once
}

// New opens the machine's disk. A machine that was shut down stays off.
func New(s *settings.Settings, hardware settings.Machine, clusters *cluster.Registry, disk *store.Disk) (*Machine, error) {
	state, err := disk.State()
	if err != nil {
		return nil, err
	}

	m := &Machine{
		Hardware: hardware, Settings: s, Disk: disk, Faults: &faults.Set{}, Clusters: clusters, off: state.PoweredOff,
		log: slog.With("machine", hardware.ID), power: make(chan struct{}), started: make(chan struct{}),
	}
	m.Faults.OnChange(m.faultChanged)

	return m, nil
}

// Started is closed once the first boot listens or waits for something outside of it.
func (m *Machine) Started() <-chan struct{} { return m.started }

// Run keeps the machine going until the context ends.
func (m *Machine) Run(ctx context.Context) {
	for ctx.Err() == nil {
		change, off := m.powerState()
		if off {
			m.markStarted()

			select {
			case <-ctx.Done():
			case <-change:
			}

			continue
		}

		m.runBoot(ctx)
	}
}

func (m *Machine) runBoot(ctx context.Context) {
	boot, err := newBoot(ctx, m)
	if err != nil {
		m.log.Error("boot", "error", err)
		wait(ctx, time.Second)

		return
	}

	m.setBoot(boot)
	next := boot.run()
	m.setBoot(nil)

	switch next {
	case nextOff:
		m.shutDown()
	case nextReboot:
		_ = wait(ctx, m.Settings.Durations.Reboot.Std())
	case nextLost:
	}
}

func (m *Machine) shutDown() {
	if err := m.SetPower(false); err != nil {
		m.log.Error("power off", "error", err)
	}
}

func (m *Machine) powerState() (<-chan struct{}, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()

	return m.power, m.off || m.Faults.On(faults.Lost)
}

// SetPower pulls the plug or puts it back; the position outlives the simulator.
func (m *Machine) SetPower(on bool) error {
	err := m.Disk.Update(func(s *store.State) { s.PoweredOff = !on })

	m.mu.Lock()
	m.off = !on
	m.mu.Unlock()
	m.powerChanged()

	return err
}

func (m *Machine) powerChanged() {
	m.mu.Lock()
	off := m.off || m.Faults.On(faults.Lost)
	boot := m.boot
	close(m.power)
	m.power = make(chan struct{})
	m.mu.Unlock()

	if off && boot != nil {
		boot.cut()
	}
}

func (m *Machine) faultChanged(name string) {
	if name == faults.Lost {
		m.powerChanged()

		return
	}

	if boot := m.Boot(); boot != nil {
		boot.faultChanged(name)
	}
}

// Boot is the present boot; nil while the machine is off or between boots.
func (m *Machine) Boot() *Boot {
	m.mu.Lock()
	defer m.mu.Unlock()

	return m.boot
}

func (m *Machine) setBoot(boot *Boot) {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.boot = boot
}

// On tells whether the machine has power.
func (m *Machine) On() bool {
	_, off := m.powerState()

	return !off
}

func (m *Machine) markStarted() { m.once.Do(func() { close(m.started) }) }

// wait sleeps; it fails when the context ends first.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
