package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"example.invalid/lab/sim/internal/etcd"
)

const (
	leaveLimit = 5 * time.Minute // Talos's own
	leaveRetry = time.Second
)

// LeaveEtcd takes the node's member out of the etcd cluster and forgets its data. etcd itself refuses to let the last member go.
func (n *Node) LeaveEtcd(ctx context.Context) error {
	member := n.Etcd()
	if member == nil || member.ID() == 0 {
		return errors.New("etcd member is not healthy")
	}

	client, err := etcd.Connect(n.cluster.EtcdEndpoints(), member.TLS)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck

	if err := removeMember(clientv3.WithRequireLeader(ctx), client, member.ID()); err != nil {
		return err
	}

	n.StopEtcd()
	n.stopAPI()

	return n.Disk.WipeEtcd()
}

// removeMember tries again while the cluster is still settling after an earlier change.
func removeMember(ctx context.Context, client *clientv3.Client, id uint64) error {
	ctx, cancel := context.WithTimeout(ctx, leaveLimit)
	defer cancel()

	for {
		_, err := client.MemberRemove(ctx, id)

		switch {
		case err == nil, errors.Is(err, rpctypes.ErrMemberNotFound):
			return nil
		case !errors.Is(err, rpctypes.ErrUnhealthy) && !errors.Is(err, rpctypes.ErrStopped):
			return fmt.Errorf("failed to remove member %d: %w", id, err)
		}

		select {
		case <-ctx.Done():
			return fmt.Errorf("failed to remove member %d: %w", id, err)
		case <-time.After(leaveRetry):
		}
	}
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
