package machine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/siderolabs/talos/pkg/machinery/api/common"
	api "github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"example.invalid/lab/sim/internal/cluster"
	"example.invalid/lab/sim/internal/events"
	"example.invalid/lab/sim/internal/nodeconfig"
	"example.invalid/lab/sim/internal/process"
	"example.invalid/lab/sim/internal/resources"
	"example.invalid/lab/sim/internal/services"
	"example.invalid/lab/sim/internal/store"
)

// Boot is everything that lives from one power-on or reboot to the next.
type Boot struct {
	Machine   *Machine
	ID        string
	Version   string // the Talos version that runs
	Resources *resources.State
	Events    *events.Stream
	Services  *services.Table
	Console   *Console

	ctx      context.Context //nolint:containedctx // the boot's lifetime
	cancel   context.CancelCauseFunc
	machined *grpc.Server
	pipe     *bufconn.Listener
	applied  chan struct{} // closed when maintenance gets a complete configuration
	complete sync.Once
	requests chan Request
	front    *front

	mu         sync.Mutex
	node       *nodeconfig.Node
	member     *cluster.Node
	stage      runtime.MachineStage
	bootable   bool // /var is mounted, bootstrap is allowed
	rollback   *time.Timer
	statusLock sync.Mutex
}

// next is what follows a boot.
type next int

const (
	nextReboot next = iota
	nextOff
	nextLost // the plug was pulled, or the simulator ends
)

const pipeBuffer = 256 << 10

func newBoot(ctx context.Context, m *Machine) (*Boot, error) {
	state, err := m.Disk.State()
	if err != nil {
		return nil, err
	}

	b := &Boot{
		Machine: m, ID: uuid.NewString(), Version: state.InstalledVersion, Events: events.New(), Console: newConsole(m.log),
		pipe: bufconn.Listen(pipeBuffer), applied: make(chan struct{}), requests: make(chan Request, 1),
	}

	if b.Version == "" {
		b.Version = m.Settings.TalosVersion
	}

	b.ctx, b.cancel = context.WithCancelCause(ctx)

	if b.Resources, err = resources.New(b.ctx); err != nil {
		return nil, err
	}

	b.Services = services.New(b.serviceChanged)
	b.front = &front{boot: b}
	b.machined = m.Register(b)

	return b, nil
}

// Context ends with the boot.
func (b *Boot) Context() context.Context { return b.ctx }

// Dial connects to the boot's machined.
func (b *Boot) Dial(ctx context.Context) (net.Conn, error) { return b.pipe.DialContext(ctx) }

// Node is the active configuration; nil in maintenance mode.
func (b *Boot) Node() *nodeconfig.Node {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.node
}

// Member is the node in its cluster; nil in maintenance mode and before the services start.
func (b *Boot) Member() *cluster.Node {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.member
}

// Stage is what machinestatus shows.
func (b *Boot) Stage() runtime.MachineStage {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.stage
}

// BootstrapAllowed tells whether /var is mounted and the container runtime is up.
func (b *Boot) BootstrapAllowed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.bootable
}

// cut ends the boot at once, as a power loss does.
func (b *Boot) cut() { b.cancel(process.ErrPowerCut) }

// run plays the boot to its end.
func (b *Boot) run() next {
	go b.machined.Serve(b.pipe) //nolint:errcheck // ends with Stop

	defer b.machined.Stop()
	defer b.cancel(nil)

	following, err := b.sequence()
	b.stopRollback()

	if err != nil && b.ctx.Err() == nil {
		b.Console.Printf("boot failed: %v", err)
		b.teardown(false)
		_ = wait(b.ctx, time.Second)

		return nextReboot
	}

	b.teardown(b.ctx.Err() == nil)

	if errors.Is(context.Cause(b.ctx), errCrashed) {
		return nextReboot
	}

	if b.ctx.Err() != nil {
		return nextLost
	}

	return following
}

// teardown ends what the boot runs; gracefully lets answers under way go out.
func (b *Boot) teardown(gracefully bool) {
	b.front.stop(gracefully)

	if member := b.Member(); member != nil {
		member.Leave()
	}
}

// sequence is a boot from the firmware on.
func (b *Boot) sequence() (next, error) {
	b.announce("initialize", api.SequenceEvent_START, "")
	b.setStage(runtime.MachineStageBooting)

	if err := b.publishHardware(); err != nil {
		return nextReboot, err
	}

	if delay := b.Machine.Faults.BootDelay(); delay > 0 {
		b.Machine.markStarted()

		if err := wait(b.ctx, delay); err != nil {
			return nextLost, nil //nolint:nilerr // the boot ended
		}
	}

	if err := b.loadConfig(); err != nil {
		return nextReboot, err
	}

	if b.Node() == nil {
		following, done, err := b.maintenance()
		if done || err != nil {
			return following, err
		}
	}

	return b.configured()
}

func (b *Boot) loadConfig() error {
	if err := b.Machine.Disk.PromoteStaged(); err != nil {
		return err
	}

	data, err := b.Machine.Disk.Config()
	if err != nil || data == nil {
		return err
	}

	provider, err := configloader.NewFromBytes(data)
	if err != nil {
		return fmt.Errorf("machine configuration on disk: %w", err)
	}

	if !provider.CompleteForBoot() {
		return nil
	}

	node, err := nodeconfig.New(provider, b.Machine.Hardware)
	if err != nil {
		return fmt.Errorf("machine configuration on disk: %w", err)
	}

	return b.activate(node)
}

// activate makes a configuration the active one and publishes what follows from it.
func (b *Boot) activate(node *nodeconfig.Node) error {
	b.mu.Lock()
	b.node = node
	member := b.member
	b.mu.Unlock()

	if member != nil {
		member.Reconfigure(node)
	}

	return b.publishConfig(node)
}

// maintenance waits for a configuration; done tells that the boot ended instead.
func (b *Boot) maintenance() (following next, done bool, err error) {
	b.Console.Printf("entering maintenance service")
	b.Events.Publish(&api.TaskEvent{Task: "runningMaintenance", Action: api.TaskEvent_START}, "")
	b.startSystemServices()
	b.setStage(runtime.MachineStageMaintenance)

	if err := b.front.openMaintenance(); err != nil {
		return nextReboot, false, err
	}

	b.Machine.markStarted()

	for {
		select {
		case <-b.ctx.Done():
			return nextLost, true, nil
		case request := <-b.requests:
			if following, ended := b.perform(request); ended {
				return following, true, nil
			}
		case <-b.applied:
			b.Events.Publish(&api.TaskEvent{Task: "runningMaintenance", Action: api.TaskEvent_STOP}, "")
			b.setStage(runtime.MachineStageBooting)
			b.front.stop(true)

			return nextReboot, false, nil
		}
	}
}

// configured installs when the disk is empty, else boots.
func (b *Boot) configured() (next, error) {
	state, err := b.Machine.Disk.State()
	if err != nil {
		return nextReboot, err
	}

	if state.InstalledVersion == "" {
		return b.install()
	}

	return b.operate(state)
}

func (b *Boot) install() (next, error) {
	b.announce("install", api.SequenceEvent_START, "")
	b.startSystemServices()
	b.setStage(runtime.MachineStageInstalling)
	b.Console.Printf("installing Talos to %s", b.Node().Provider.Machine().Install().Disk())

	// The API is up with its final identity while the disk is written; a worker has none before a control plane signs it.
	opened := b.openSecureLater()
	defer opened()

	b.Machine.markStarted()

	if err := wait(b.ctx, b.Machine.Settings.Durations.Install.Std()); err != nil {
		return nextLost, nil //nolint:nilerr // the boot ended
	}

	image := b.Node().Provider.Machine().Install().Image()

	err := b.Machine.Disk.Update(func(s *store.State) { s.InstalledVersion, s.InstalledImage = b.Version, image })
	if err != nil {
		return nextReboot, err
	}

	b.Console.Printf("installation of %s complete", b.Version)
	b.setStage(runtime.MachineStageRebooting)

	return nextReboot, nil
}

// openSecureLater opens the API in the background; the function it returns ends the attempt.
func (b *Boot) openSecureLater() func() {
	ctx, cancel := context.WithCancel(b.ctx)
	done := make(chan struct{})

	go func() {
		defer close(done)

		if err := b.front.openSecure(ctx); err != nil && ctx.Err() == nil {
			b.Console.Printf("apid: %v", err)
		}
	}()

	return func() {
		cancel()
		<-done
	}
}

func (b *Boot) announce(sequence string, action api.SequenceEvent_Action, actor string) {
	b.Events.Publish(&api.SequenceEvent{Sequence: sequence, Action: action}, actor)
}

func (b *Boot) announceFailure(sequence string, err error, actor string) {
	b.Events.Publish(&api.SequenceEvent{
		Sequence: sequence, Action: api.SequenceEvent_NOOP, Error: &common.Error{Code: common.Code_FATAL, Message: err.Error()},
	}, actor)
}

var errCrashed = fmt.Errorf("the node crashed: %w", process.ErrPowerCut)

// Crash reboots the node at once: no graceful stop, connections are cut.
func (b *Boot) Crash() { b.cancel(errCrashed) }
