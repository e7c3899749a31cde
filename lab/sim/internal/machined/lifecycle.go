package machined

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"
	api "github.com/siderolabs/talos/pkg/machinery/api/machine"
	timeapi "github.com/siderolabs/talos/pkg/machinery/api/time"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.invalid/lab/sim/internal/machine"
	"example.invalid/lab/sim/internal/settings"
)

// Reboot implements machine.MachineService.
func (s *Server) Reboot(context.Context, *api.RebootRequest) (*api.RebootResponse, error) {
	actor := uuid.NewString()
	if err := s.boot.Submit(machine.Request{Kind: machine.Reboot, ActorID: actor}); err != nil {
		return nil, err
	}

	return &api.RebootResponse{Messages: []*api.Reboot{{ActorId: actor}}}, nil
}

// Shutdown implements machine.MachineService.
func (s *Server) Shutdown(context.Context, *api.ShutdownRequest) (*api.ShutdownResponse, error) {
	actor := uuid.NewString()
	if err := s.boot.Submit(machine.Request{Kind: machine.Shutdown, ActorID: actor}); err != nil {
		return nil, err
	}

	return &api.ShutdownResponse{Messages: []*api.Shutdown{{ActorId: actor}}}, nil
}

// Reset implements machine.MachineService.
func (s *Server) Reset(_ context.Context, in *api.ResetRequest) (*api.ResetResponse, error) {
	request := machine.Request{
		Kind: machine.Reset, ActorID: uuid.NewString(), Graceful: in.GetGraceful(), Reboot: in.GetReboot(),
		UserDisksOnly: in.GetMode() == api.ResetRequest_USER_DISKS, ByLabel: len(in.GetSystemPartitionsToWipe()) > 0,
	}

	if err := s.checkReset(in); err != nil {
		return nil, err
	}

	for _, partition := range in.GetSystemPartitionsToWipe() {
		switch label := partition.GetLabel(); label {
		case constants.StatePartitionLabel:
			request.WipeState = partition.GetWipe()
		case constants.EphemeralPartitionLabel:
			request.WipeEphemeral = partition.GetWipe()
		case constants.MetaPartitionLabel:
		default:
			return nil, fmt.Errorf("failed to get volume status with label %q: resource VolumeStatuses.block.talos.dev(runtime/%s@undefined) doesn't exist", label, label)
		}
	}

	if err := s.boot.Submit(request); err != nil {
		return nil, err
	}

	return &api.ResetResponse{Messages: []*api.Reset{{ActorId: request.ActorID}}}, nil
}

func (s *Server) checkReset(in *api.ResetRequest) error {
	if len(in.GetUserDisksToWipe()) > 0 && in.GetMode() == api.ResetRequest_SYSTEM_DISK {
		return fmt.Errorf("reset failed: invalid input, wipe mode SYSTEM_DISK doesn't support UserDisksToWipe parameter")
	}

	if len(in.GetSystemPartitionsToWipe()) > 0 && in.GetMode() == api.ResetRequest_USER_DISKS {
		return fmt.Errorf("reset failed: invalid input, wipe mode USER_DISKS doesn't support SystemPartitionsToWipe parameter")
	}

	for _, device := range in.GetUserDisksToWipe() {
		if err := s.checkUserDisk(device); err != nil {
			return err
		}
	}

	return nil
}

func (s *Server) checkUserDisk(device string) error {
	position := slices.IndexFunc(s.boot.Machine.Hardware.Disks, func(disk settings.Disk) bool { return disk.Path == device })

	switch position {
	case 0:
		return fmt.Errorf("reset user disk failed: device %s is the system disk", device)
	case -1:
		return fmt.Errorf("reset user disk failed: device %s wasn't found", device)
	default:
		return nil
	}
}

// installerTag is the version at the end of an installer's image reference.
var installerTag = regexp.MustCompile(`:(v\d+\.\d+\.\d+[^@]*)(@sha256:[0-9a-f]+)?$`)

func versionOf(image string) (string, error) {
	match := installerTag.FindStringSubmatch(image)
	if match == nil {
		return "", fmt.Errorf("error validating installer image %q: no version in its tag", image)
	}

	return match[1], nil
}

// Upgrade implements machine.MachineService, the way of upgrading before Talos 1.13.
func (s *Server) Upgrade(_ context.Context, in *api.UpgradeRequest) (*api.UpgradeResponse, error) {
	if !s.boot.Installed() {
		return nil, status.Errorf(codes.FailedPrecondition, "Talos is not installed")
	}

	version, err := versionOf(in.GetImage())
	if err != nil {
		return nil, err
	}

	actor := uuid.NewString()
	if err := s.boot.Submit(machine.Request{Kind: machine.Upgrade, ActorID: actor, Version: version, Image: in.GetImage()}); err != nil {
		return nil, err
	}

	return &api.UpgradeResponse{Messages: []*api.Upgrade{{Ack: "Upgrade request received", ActorId: actor}}}, nil
}

// lifecycle is the service of Talos 1.13 that writes the new version and leaves the reboot to the client.
type lifecycle struct {
	api.UnimplementedLifecycleServiceServer
	*Server
}

// Upgrade implements machine.LifecycleService.
func (l *lifecycle) Upgrade(in *api.LifecycleServiceUpgradeRequest, stream grpc.ServerStreamingServer[api.LifecycleServiceUpgradeResponse]) error {
	if !l.boot.Installed() {
		return status.Errorf(codes.FailedPrecondition, "Talos is not installed")
	}

	image := in.GetSource().GetImageName()

	version, err := versionOf(image)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}

	say := func(text string) error {
		return stream.Send(&api.LifecycleServiceUpgradeResponse{Progress: &api.LifecycleServiceInstallProgress{
			Response: &api.LifecycleServiceInstallProgress_Message{Message: text},
		}})
	}

	if err := say("running Talos installer " + version + "\n"); err != nil {
		return err
	}

	if err := l.boot.Upgrade(stream.Context(), version, image); err != nil {
		return err
	}

	if err := say("installation of " + version + " complete\n"); err != nil {
		return err
	}

	return stream.Send(&api.LifecycleServiceUpgradeResponse{Progress: &api.LifecycleServiceInstallProgress{
		Response: &api.LifecycleServiceInstallProgress_ExitCode{ExitCode: 0},
	}})
}

// Install implements machine.LifecycleService: an installed node refuses, and in maintenance nobody has the role.
func (l *lifecycle) Install(*api.LifecycleServiceInstallRequest, grpc.ServerStreamingServer[api.LifecycleServiceInstallResponse]) error {
	return status.Error(codes.AlreadyExists, "Talos is already installed")
}

// images is the image service: there is no registry in the lab, and nothing to store.
type images struct {
	api.UnimplementedImageServiceServer
}

// Pull implements machine.ImageService.
func (images) Pull(in *api.ImageServicePullRequest, stream grpc.ServerStreamingServer[api.ImageServicePullResponse]) error {
	return stream.Send(&api.ImageServicePullResponse{Response: &api.ImageServicePullResponse_Name{Name: in.GetImageRef()}})
}

// Time implements time.TimeService.
func (s *Server) Time(context.Context, *emptypb.Empty) (*timeapi.TimeResponse, error) {
	return s.TimeCheck(context.Background(), &timeapi.TimeRequest{Server: "time.cloudflare.com"})
}

// TimeCheck implements time.TimeService: the nodes' clock is the host's.
func (s *Server) TimeCheck(_ context.Context, in *timeapi.TimeRequest) (*timeapi.TimeResponse, error) {
	now := timestamppb.New(time.Now())

	return &timeapi.TimeResponse{Messages: []*timeapi.Time{{Server: in.GetServer(), Localtime: now, Remotetime: now}}}, nil
}
