package cluster

import (
	"context"
	"errors"
	"fmt"

	"example.invalid/lab/sim/internal/etcd"
)

// LeaveEtcd takes the node's member out of the etcd cluster and forgets its data. The last member cannot leave.
func (n *Node) LeaveEtcd(ctx context.Context) error {
	member := n.Etcd()
	if member == nil {
		return errors.New("etcd is not running")
	}

	id := member.ID()
	if id == 0 {
		return errors.New("etcd member is not healthy")
	}

	peers := n.cluster.peersExcept(n.MachineID)
	if len(peers) == 0 {
		return errors.New("the last member of the etcd cluster cannot leave it")
	}

	client, err := etcd.Connect(peers, member.TLS)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck

	if _, err := client.MemberRemove(ctx, id); err != nil {
		return fmt.Errorf("remove member: %w", err)
	}

	n.StopEtcd()
	n.stopAPI()

	return n.Disk.WipeEtcd()
}

// stopAPI ends the node's API server; it does not start again before etcd runs.
func (n *Node) stopAPI() {
	n.mu.Lock()
	stop := n.restart
	n.started = false
	n.mu.Unlock()

	if stop != nil {
		stop()
	}

	n.cluster.nudge()
}

// Drain evicts what runs on the node; a node that cannot be drained is reset all the same.
func (n *Node) Drain(ctx context.Context) {
	if err := n.cluster.drain(ctx, n.Config().Hostname); err != nil {
		n.Log("drain: %v", err)
	}
}
