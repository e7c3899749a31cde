package machine

import (
	"example.invalid/lab/sim/internal/cluster"
	"example.invalid/lab/sim/internal/store"

	api "github.com/siderolabs/talos/pkg/machinery/api/machine"
)

// operate runs an installed, configured node until something ends the boot.
func (b *Boot) operate(state store.State) (next, error) {
	b.announce("boot", api.SequenceEvent_START, "")
	b.startSystemServices()

	if state.NodeID == "" {
		state.NodeID = newNodeID()

		if err := b.Machine.Disk.Update(func(s *store.State) { s.NodeID = state.NodeID }); err != nil {
			return nextReboot, err
		}
	}

	b.publishIdentity(state.NodeID)
	b.join(state)
	b.Machine.markStarted()

	stopOpening := b.openSecureLater()
	defer stopOpening()

	go b.startServices()

	for {
		select {
		case <-b.ctx.Done():
			return nextLost, nil
		case request := <-b.requests:
			if following, ended := b.perform(request); ended {
				return following, nil
			}
		}
	}
}

func (b *Boot) join(state store.State) {
	node := b.Node()
	member := b.Machine.Clusters.Get(node.ClusterKey()).Join(cluster.NodeSpec{
		MachineID: b.Machine.Hardware.ID, NodeID: state.NodeID, Hardware: b.Machine.Hardware, Disk: b.Machine.Disk,
		Resources: b.Resources, Services: b.Services, Faults: b.Machine.Faults, TalosVersion: b.Version, BootID: b.ID,
		Changed: b.refresh, Log: b.Console.Printf,
	}, node)

	b.mu.Lock()
	b.member = member
	b.mu.Unlock()
}
