package machine

import (
	"context"
	"fmt"
	"time"

	api "github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"

	"example.invalid/lab/sim/internal/cluster"
	"example.invalid/lab/sim/internal/store"
)

// Kind of a request that ends or may end the boot.
type Kind string

// The kinds; the values are the names of Talos's sequences.
const (
	Reboot   Kind = "reboot"
	Shutdown Kind = "shutdown"
	Reset    Kind = "reset"
	Upgrade  Kind = "upgrade"
)

// Request is an action a client asked for.
type Request struct {
	Kind     Kind
	ActorID  string
	Graceful bool // reset: drain and leave etcd first
	Reboot   bool // reset: boot again afterwards instead of power off
	// WipeState and WipeEphemeral are the partitions of a reset by label; neither means the whole disk, unless UserDisksOnly.
	WipeState     bool
	WipeEphemeral bool
	ByLabel       bool
	UserDisksOnly bool
	// Version and Image of an upgrade.
	Version string
	Image   string
}

const drainTimeout = 15 * time.Second

// Submit hands over a request; a boot takes one at a time.
func (b *Boot) Submit(request Request) error {
	select {
	case b.requests <- request:
		return nil
	default:
		return fmt.Errorf("sequence is currently locked: another %s is in progress", request.Kind)
	}
}

// perform plays the request and tells what follows; ended is false when the node goes on.
func (b *Boot) perform(request Request) (following next, ended bool) {
	sequence := string(request.Kind)
	b.announce(sequence, api.SequenceEvent_START, request.ActorID)
	b.Console.Printf("%s sequence", sequence)

	following, err := b.play(request)
	if err != nil {
		b.Console.Printf("%s failed: %v", sequence, err)
		b.announceFailure(sequence, err, request.ActorID)
		b.setStage(runtime.MachineStageRunning)

		return following, false
	}

	return following, true
}

// goDown ends the services; clients that watch learn of it while the API is still there.
func (b *Boot) goDown(actor string) {
	b.stopping(actor)

	if member := b.Member(); member != nil {
		member.ShuttingDown(b.ctx)
	}

	_ = wait(b.ctx, settle)
}

// settle lets watchers read the last events before the API goes away.
const settle = 100 * time.Millisecond

func (b *Boot) play(request Request) (next, error) {
	switch request.Kind {
	case Shutdown:
		b.setStage(runtime.MachineStageShuttingDown)
		b.goDown(request.ActorID)

		return nextOff, nil
	case Reset:
		b.setStage(runtime.MachineStageResetting)

		return b.reset(request)
	case Upgrade:
		b.setStage(runtime.MachineStageUpgrading)

		if err := b.Upgrade(b.ctx, request.Version, request.Image); err != nil {
			return nextReboot, err
		}
	case Reboot:
		b.setStage(runtime.MachineStageRebooting)
	}

	b.goDown(request.ActorID)

	return nextReboot, nil
}

func (b *Boot) stopping(actor string) {
	for _, action := range []api.TaskEvent_Action{api.TaskEvent_START, api.TaskEvent_STOP} {
		b.Events.Publish(&api.TaskEvent{Task: "stopAllServices", Action: action}, actor)
	}
}

// Upgrade writes another version to the disk; it runs from the next boot on.
func (b *Boot) Upgrade(ctx context.Context, version, image string) error {
	if err := wait(ctx, b.Machine.Settings.Durations.Install.Std()); err != nil {
		return err
	}

	return b.Machine.Disk.Update(func(s *store.State) { s.InstalledVersion, s.InstalledImage = version, image })
}

func (b *Boot) reset(request Request) (next, error) {
	member := b.Member()

	if request.Graceful && member != nil {
		if err := b.takeLeave(member); err != nil {
			return nextReboot, err
		}
	}

	b.goDown(request.ActorID)
	b.front.stop(true)

	if member != nil {
		member.Leave()
	}

	if err := b.wipe(request); err != nil {
		return nextReboot, err
	}

	if request.Reboot {
		return nextReboot, nil
	}

	return nextOff, nil
}

// takeLeave drains the node and takes it out of etcd, if it was ever in it.
func (b *Boot) takeLeave(member *cluster.Node) error {
	ctx, cancel := context.WithTimeout(b.ctx, drainTimeout)
	defer cancel()

	member.Drain(ctx)

	if !b.Node().ControlPlane() || !b.Machine.Disk.HasEtcdData() {
		return nil
	}

	if err := member.LeaveEtcd(b.ctx); err != nil {
		return fmt.Errorf("failed to leave cluster: %w", err)
	}

	return nil
}

func (b *Boot) wipe(request Request) error {
	disk := b.Machine.Disk

	switch {
	case request.UserDisksOnly:
		return nil
	case !request.ByLabel:
		return disk.WipeAll()
	}

	if request.WipeEphemeral {
		if err := disk.WipeEphemeral(); err != nil {
			return err
		}
	}

	if request.WipeState {
		return disk.WipeState()
	}

	return nil
}
