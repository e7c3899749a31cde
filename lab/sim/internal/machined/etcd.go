package machined

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/siderolabs/talos/pkg/machinery/api/common"
	api "github.com/siderolabs/talos/pkg/machinery/api/machine"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"example.invalid/lab/sim/internal/etcd"
)

// etcdClient connects to the node's own member, or to every member of the cluster.
func (s *Server) etcdClient(name string, local bool) (*clientv3.Client, error) {
	if err := s.controlPlaneOnly(name); err != nil {
		return nil, err
	}

	member := s.boot.Member()
	if member == nil || member.Etcd() == nil {
		return nil, status.Error(codes.FailedPrecondition, "etcd is not running yet")
	}

	if local {
		return member.Etcd().Local()
	}

	endpoints := member.Cluster().EtcdEndpoints()
	if len(endpoints) == 0 {
		endpoints = []string{member.Etcd().ClientURL()}
	}

	return etcd.Connect(endpoints, member.Etcd().TLS)
}

// EtcdMemberList implements machine.MachineService.
func (s *Server) EtcdMemberList(ctx context.Context, in *api.EtcdMemberListRequest) (*api.EtcdMemberListResponse, error) {
	client, err := s.etcdClient("member list", in.GetQueryLocal())
	if err != nil {
		return nil, err
	}
	defer client.Close() //nolint:errcheck

	list, err := client.MemberList(clientv3.WithRequireLeader(ctx))
	if err != nil {
		return nil, err
	}

	message := &api.EtcdMembers{}

	for _, member := range list.Members {
		message.LegacyMembers = append(message.LegacyMembers, member.GetName())
		message.Members = append(message.Members, &api.EtcdMember{
			Id: member.GetID(), Hostname: member.GetName(), PeerUrls: member.GetPeerURLs(), ClientUrls: member.GetClientURLs(),
			IsLearner: member.GetIsLearner(),
		})
	}

	return &api.EtcdMemberListResponse{Messages: []*api.EtcdMembers{message}}, nil
}

// EtcdRemoveMemberByID implements machine.MachineService.
func (s *Server) EtcdRemoveMemberByID(ctx context.Context, in *api.EtcdRemoveMemberByIDRequest) (*api.EtcdRemoveMemberByIDResponse, error) {
	client, err := s.etcdClient("etcd remove member", false)
	if err != nil {
		return nil, err
	}
	defer client.Close() //nolint:errcheck

	_, err = client.MemberRemove(clientv3.WithRequireLeader(ctx), in.GetMemberId())

	switch {
	case errors.Is(err, rpctypes.ErrMemberNotFound):
		return nil, status.Error(codes.NotFound, err.Error())
	case err != nil:
		return nil, fmt.Errorf("failed to remove member: %w", err)
	}

	return &api.EtcdRemoveMemberByIDResponse{Messages: []*api.EtcdRemoveMemberByID{{}}}, nil
}

// EtcdLeaveCluster implements machine.MachineService.
func (s *Server) EtcdLeaveCluster(ctx context.Context, _ *api.EtcdLeaveClusterRequest) (*api.EtcdLeaveClusterResponse, error) {
	if err := s.controlPlaneOnly("etcd leave"); err != nil {
		return nil, err
	}

	if err := s.boot.Member().LeaveEtcd(ctx); err != nil {
		return nil, fmt.Errorf("failed to leave cluster: %w", err)
	}

	return &api.EtcdLeaveClusterResponse{Messages: []*api.EtcdLeaveCluster{{}}}, nil
}

// EtcdForfeitLeadership implements machine.MachineService.
func (s *Server) EtcdForfeitLeadership(ctx context.Context, _ *api.EtcdForfeitLeadershipRequest) (*api.EtcdForfeitLeadershipResponse, error) {
	client, err := s.etcdClient("etcd forfeit leadership", true)
	if err != nil {
		return nil, err
	}
	defer client.Close() //nolint:errcheck

	answer := &api.EtcdForfeitLeadership{}

	local, err := client.Status(ctx, s.boot.Member().Etcd().ClientURL())
	if err != nil {
		return nil, fmt.Errorf("failed to forfeit leadership: %w", err)
	}

	if local.Leader == local.Header.GetMemberId() {
		successor, err := moveLeader(ctx, client, local.Leader)
		if err != nil {
			return nil, fmt.Errorf("failed to forfeit leadership: %w", err)
		}

		answer.Member = successor
	}

	return &api.EtcdForfeitLeadershipResponse{Messages: []*api.EtcdForfeitLeadership{answer}}, nil
}

// moveLeader hands over to the first other voter and returns its name, which is empty when there is none.
func moveLeader(ctx context.Context, client *clientv3.Client, leader uint64) (string, error) {
	list, err := client.MemberList(ctx)
	if err != nil {
		return "", err
	}

	for _, member := range list.Members {
		if member.GetID() != leader && !member.GetIsLearner() {
			_, err := client.MoveLeader(ctx, member.GetID())

			return member.GetName(), err
		}
	}

	return "", nil
}

const chunk = 1 << 16

// EtcdSnapshot implements machine.MachineService.
func (s *Server) EtcdSnapshot(_ *api.EtcdSnapshotRequest, stream grpc.ServerStreamingServer[common.Data]) error {
	client, err := s.etcdClient("etcd snapshot", true)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck

	reader, err := client.Snapshot(stream.Context())
	if err != nil {
		return fmt.Errorf("failed reading etcd snapshot: %w", err)
	}
	defer reader.Close() //nolint:errcheck

	buffer := make([]byte, chunk)

	for {
		n, err := reader.Read(buffer)
		if n > 0 {
			if sendErr := stream.Send(&common.Data{Bytes: append([]byte(nil), buffer[:n]...)}); sendErr != nil {
				return sendErr
			}
		}

		if errors.Is(err, io.EOF) {
			return nil
		}

		if err != nil {
			return fmt.Errorf("failed reading etcd snapshot: %w", err)
		}
	}
}

// EtcdStatus implements machine.MachineService.
func (s *Server) EtcdStatus(ctx context.Context, _ *emptypb.Empty) (*api.EtcdStatusResponse, error) {
	client, err := s.etcdClient("etcd status", true)
	if err != nil {
		return nil, err
	}
	defer client.Close() //nolint:errcheck

	answer, err := client.Status(ctx, s.boot.Member().Etcd().ClientURL())
	if err != nil {
		return nil, fmt.Errorf("failed to query etcd status: %w", err)
	}

	return &api.EtcdStatusResponse{Messages: []*api.EtcdStatus{{MemberStatus: &api.EtcdMemberStatus{
		MemberId: answer.Header.GetMemberId(), Leader: answer.Leader, IsLearner: answer.IsLearner, ProtocolVersion: answer.Version,
		StorageVersion: answer.StorageVersion, DbSize: answer.DbSize, DbSizeInUse: answer.DbSizeInUse, RaftIndex: answer.RaftIndex,
		RaftTerm: answer.RaftTerm, RaftAppliedIndex: answer.RaftAppliedIndex, Errors: answer.Errors,
	}}}}, nil
}

// EtcdAlarmList implements machine.MachineService.
func (s *Server) EtcdAlarmList(ctx context.Context, _ *emptypb.Empty) (*api.EtcdAlarmListResponse, error) {
	client, err := s.etcdClient("etcd alarm list", true)
	if err != nil {
		return nil, err
	}
	defer client.Close() //nolint:errcheck

	answer, err := client.AlarmList(ctx)
	if err != nil {
		return nil, fmt.Errorf("failed to list etcd alarms: %w", err)
	}

	return &api.EtcdAlarmListResponse{Messages: []*api.EtcdAlarm{{MemberAlarms: alarms(answer.Alarms)}}}, nil
}

// EtcdAlarmDisarm implements machine.MachineService.
func (s *Server) EtcdAlarmDisarm(ctx context.Context, _ *emptypb.Empty) (*api.EtcdAlarmDisarmResponse, error) {
	client, err := s.etcdClient("etcd alarm disarm", true)
	if err != nil {
		return nil, err
	}
	defer client.Close() //nolint:errcheck

	answer, err := client.AlarmDisarm(ctx, &clientv3.AlarmMember{})
	if err != nil {
		return nil, fmt.Errorf("failed to disarm etcd alarm: %w", err)
	}

	return &api.EtcdAlarmDisarmResponse{Messages: []*api.EtcdAlarmDisarm{{MemberAlarms: alarms(answer.Alarms)}}}, nil
}

func alarms(members []*etcdserverpb.AlarmMember) []*api.EtcdMemberAlarm {
	var all []*api.EtcdMemberAlarm
	for _, alarm := range members {
		all = append(all, &api.EtcdMemberAlarm{MemberId: alarm.GetMemberID(), Alarm: api.EtcdMemberAlarm_AlarmType(alarm.GetAlarm())})
	}

	return all
}

// EtcdDefragment implements machine.MachineService.
func (s *Server) EtcdDefragment(ctx context.Context, _ *emptypb.Empty) (*api.EtcdDefragmentResponse, error) {
	client, err := s.etcdClient("etcd defragment", true)
	if err != nil {
		return nil, err
	}
	defer client.Close() //nolint:errcheck

	if _, err := client.Defragment(ctx, s.boot.Member().Etcd().ClientURL()); err != nil {
		return nil, fmt.Errorf("failed to defragment etcd: %w", err)
	}

	return &api.EtcdDefragmentResponse{Messages: []*api.EtcdDefragment{{}}}, nil
}
