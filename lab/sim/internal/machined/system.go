package machined

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/siderolabs/talos/pkg/kubeconfig"
	"github.com/siderolabs/talos/pkg/machinery/api/common"
	api "github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"example.invalid/lab/sim/internal/events"
	"example.invalid/lab/sim/internal/nodeconfig"
)

// Version implements machine.MachineService.
func (s *Server) Version(context.Context, *emptypb.Empty) (*api.VersionResponse, error) {
	message := &api.Version{
		Version:  &api.VersionInfo{Tag: s.boot.Version, Sha: "lab", GoVersion: runtime.Version(), Os: "linux", Arch: "amd64"},
		Platform: &api.PlatformInfo{Name: "metal", Mode: "metal"},
	}

	if s.boot.Node() != nil {
		message.Features = &api.FeaturesInfo{Rbac: true}
	}

	return &api.VersionResponse{Messages: []*api.Version{message}}, nil
}

// Hostname implements machine.MachineService.
func (s *Server) Hostname(context.Context, *emptypb.Empty) (*api.HostnameResponse, error) {
	return &api.HostnameResponse{Messages: []*api.Hostname{{Hostname: s.hostname()}}}, nil
}

func (s *Server) hostname() string {
	if node := s.boot.Node(); node != nil {
		return node.Hostname
	}

	return nodeconfig.DefaultHostname(s.boot.Machine.Hardware)
}

// Memory implements machine.MachineService; the kernel reports kibibytes.
func (s *Server) Memory(context.Context, *emptypb.Empty) (*api.MemoryResponse, error) {
	total := s.boot.Machine.Hardware.Memory >> 10

	return &api.MemoryResponse{Messages: []*api.Memory{{Meminfo: &api.MemInfo{
		Memtotal: total, Memfree: total / 2, Memavailable: total / 2,
	}}}}, nil
}

// ServiceList implements machine.MachineService.
func (s *Server) ServiceList(context.Context, *emptypb.Empty) (*api.ServiceListResponse, error) {
	return &api.ServiceListResponse{Messages: []*api.ServiceList{{Services: s.boot.Services.List()}}}, nil
}

// Events implements machine.MachineService.
func (s *Server) Events(in *api.EventsRequest, stream grpc.ServerStreamingServer[api.Event]) error {
	hello, err := events.Encode(nil, in.GetWithActorId())
	if err != nil {
		return err
	}

	if err := stream.Send(hello); err != nil {
		return err
	}

	ctx, cancel := s.untilEnd(stream.Context())
	defer cancel()

	err = s.boot.Events.Watch(ctx, events.Filter{
		TailEvents: int(in.GetTailEvents()), TailID: in.GetTailId(), ActorID: in.GetWithActorId(),
		TailFor: time.Duration(in.GetTailSeconds()) * time.Second,
	}, stream.Send)
	if s.boot.Context().Err() != nil {
		return nil
	}

	return err
}

// untilEnd is a call's context that also ends with the boot.
func (s *Server) untilEnd(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.boot.Context(), cancel)

	return ctx, func() {
		stop()
		cancel()
	}
}

// Dmesg implements machine.MachineService.
func (s *Server) Dmesg(in *api.DmesgRequest, stream grpc.ServerStreamingServer[common.Data]) error {
	ctx, cancel := s.untilEnd(stream.Context())
	defer cancel()

	err := s.boot.Console.Read(ctx, in.GetFollow(), in.GetTail(), func(line string) error {
		return stream.Send(&common.Data{Bytes: []byte(line)})
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}

	return err
}

// Logs implements machine.MachineService: the state changes of a service stand in for its log.
func (s *Server) Logs(in *api.LogsRequest, stream grpc.ServerStreamingServer[common.Data]) error {
	for _, info := range s.boot.Services.List() {
		if info.GetId() != in.GetId() {
			continue
		}

		for _, event := range info.GetEvents().GetEvents() {
			line := event.GetTs().AsTime().Format(time.RFC3339) + " " + event.GetState() + ": " + event.GetMsg() + "\n"
			if err := stream.Send(&common.Data{Bytes: []byte(line)}); err != nil {
				return err
			}
		}

		return nil
	}

	return status.Errorf(codes.Unknown, "log %q was not registered", in.GetId())
}

// Kubeconfig implements machine.MachineService: a new administrator's certificate at each call, in the archive `talosctl` unpacks.
func (s *Server) Kubeconfig(_ *emptypb.Empty, stream grpc.ServerStreamingServer[common.Data]) error {
	if err := s.controlPlaneOnly("kubeconfig"); err != nil {
		return err
	}

	var config, archive bytes.Buffer
	if err := kubeconfig.GenerateAdmin(s.boot.Node().Provider.Cluster(), &config); err != nil {
		return err
	}

	compressed := gzip.NewWriter(&archive)
	files := tar.NewWriter(compressed)

	err := errors.Join(
		files.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "kubeconfig", Size: int64(config.Len()), ModTime: time.Now(), Mode: 0o600}),
		write(files, config.Bytes()), files.Close(), compressed.Close(),
	)
	if err != nil {
		return err
	}

	return stream.Send(&common.Data{Bytes: archive.Bytes()})
}

func write(to *tar.Writer, data []byte) error {
	_, err := to.Write(data)

	return err
}
