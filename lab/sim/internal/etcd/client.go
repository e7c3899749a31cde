package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// Connect makes a client; it dials on first use.
func Connect(endpoints []string, config *tls.Config) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: endpoints, TLS: config, DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithNoProxy()},
	})
}

// Local makes a client of this member alone.
func (m *Member) Local() (*clientv3.Client, error) { return Connect([]string{m.ClientURL()}, m.TLS) }

var errLearner = errors.New("member is a learner")

// probe is the health check: the member answers, has a leader, and is no learner. The id is also given with errLearner.
func (m *Member) probe(ctx context.Context) (uint64, error) {
	client, err := m.Local()
	if err != nil {
		return 0, err
	}
	defer client.Close() //nolint:errcheck

	status, err := client.Status(ctx, m.ClientURL())

	switch {
	case err != nil:
		return 0, err
	case len(status.Errors) > 0:
		return 0, fmt.Errorf("%v", status.Errors)
	case status.Leader == 0:
		return 0, errors.New("etcdserver: no leader")
	case status.IsLearner:
		return status.Header.GetMemberId(), errLearner
	}

	if _, err := client.Get(ctx, "health"); err != nil {
		return 0, err
	}

	return status.Header.GetMemberId(), nil
}

// addLearner adds the peer URL as a learner, or finds it when an earlier attempt already did.
func addLearner(ctx context.Context, client *clientv3.Client, peerURL string) ([]*etcdserverpb.Member, uint64, error) {
	list, err := client.MemberList(ctx)
	if err != nil {
		return nil, 0, err
	}

	for _, member := range list.Members {
		if slices.Contains(member.GetPeerURLs(), peerURL) {
			return list.Members, member.GetID(), nil
		}
	}

	added, err := client.MemberAddAsLearner(ctx, []string{peerURL})
	if err != nil {
		return nil, 0, err
	}

	return added.Members, added.Member.GetID(), nil
}

// promote makes the learner a voting member once it has caught up.
func (m *Member) promote(ctx context.Context, id uint64) error {
	endpoints := m.Peers()
	if len(endpoints) == 0 {
		return errWaiting
	}

	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()

	client, err := Connect(endpoints, m.TLS)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck

	_, err = client.MemberPromote(ctx, id)
	if errors.Is(err, rpctypes.ErrMemberNotLearner) {
		return nil
	}

	return err
}
