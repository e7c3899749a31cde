package machined

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/siderolabs/talos/pkg/grpc/middleware/authz"
	storageapi "github.com/siderolabs/talos/pkg/machinery/api/storage"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"github.com/siderolabs/talos/pkg/machinery/role"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Disks implements storage.StorageService.
func (s *Server) Disks(context.Context, *emptypb.Empty) (*storageapi.DisksResponse, error) {
	message := &storageapi.Disks{}
	installed := s.boot.Installed()

	for i, disk := range s.boot.Machine.Hardware.Disks {
		message.Disks = append(message.Disks, &storageapi.Disk{
			DeviceName: disk.Path, Name: filepath.Base(disk.Path), Size: disk.Size, Model: disk.Model, Serial: disk.Serial,
			Type: storageapi.Disk_SSD, BusPath: "/pci0000:00/" + filepath.Base(disk.Path), SystemDisk: installed && i == 0,
		})
	}

	return &storageapi.DisksResponse{Messages: []*storageapi.Disks{message}}, nil
}

// BlockDeviceWipe implements storage.StorageService: disks other than the system disk have no contents here, so wiping them is easy.
func (s *Server) BlockDeviceWipe(ctx context.Context, in *storageapi.BlockDeviceWipeRequest) (*storageapi.BlockDeviceWipeResponse, error) {
	if s.boot.Node() != nil && !authz.HasRole(ctx, role.Admin) {
		return nil, authz.ErrNotAuthorized
	}

	for _, device := range in.GetDevices() {
		if err := s.wipeable(device.GetDevice()); err != nil {
			return nil, err
		}
	}

	return &storageapi.BlockDeviceWipeResponse{Messages: []*storageapi.BlockDeviceWipe{{}}}, nil
}

func (s *Server) wipeable(name string) error {
	for i, disk := range s.boot.Machine.Hardware.Disks {
		if strings.TrimPrefix(disk.Path, "/dev/") != name {
			continue
		}

		if i == 0 && s.boot.Installed() {
			return status.Errorf(codes.FailedPrecondition, "blockdevice %q is in use by volume %q", name, constants.StatePartitionLabel)
		}

		return nil
	}

	return status.Errorf(codes.NotFound, "blockdevice %q not found", name)
}
