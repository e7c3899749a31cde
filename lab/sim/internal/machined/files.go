package machined

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/api/common"
	api "github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	etcdPath   = "/var/lib/etcd"
	bootIDPath = "/proc/sys/kernel/random/boot_id"
)

// readable are the files a node has; the lab keeps no other.
func (s *Server) readable() map[string]string {
	return map[string]string{
		bootIDPath:      s.boot.ID + "\n",
		"/etc/hostname": s.hostname() + "\n",
	}
}

// Read implements machine.MachineService.
func (s *Server) Read(in *api.ReadRequest, stream grpc.ServerStreamingServer[common.Data]) error {
	content, ok := s.readable()[filepath.Clean(in.GetPath())]
	if !ok {
		return status.Errorf(codes.NotFound, "stat %s: no such file or directory", in.GetPath())
	}

	return stream.Send(&common.Data{Bytes: []byte(content)})
}

// List implements machine.MachineService: the folders above etcd's data, and the data itself.
func (s *Server) List(in *api.ListRequest, stream grpc.ServerStreamingServer[api.FileInfo]) error {
	root := filepath.Clean("/" + in.GetRoot())

	inside, ok := strings.CutPrefix(root, etcdPath)
	// Before /var is mounted there is no folder, whatever the volume holds; the container runtime starts after it.
	if ok && s.boot.Node() != nil && s.boot.Node().ControlPlane() && s.boot.BootstrapAllowed() {
		return listReal(s.boot.Machine.Disk.EtcdDir(), inside, root, in, stream)
	}

	if ok || !strings.HasPrefix(etcdPath+"/", strings.TrimSuffix(root, "/")+"/") {
		return status.Errorf(codes.Unknown, "lstat %s: no such file or directory", root)
	}

	child, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(etcdPath, root), "/"), "/")
	for _, name := range []string{".", child} {
		if err := stream.Send(&api.FileInfo{Name: filepath.Join(root, name), RelativeName: name, Mode: uint32(fs.ModeDir | 0o755), IsDir: true}); err != nil {
			return err
		}
	}

	return nil
}

func listReal(base, inside, shown string, in *api.ListRequest, stream grpc.ServerStreamingServer[api.FileInfo]) error {
	top := filepath.Join(base, inside)

	if _, err := os.Lstat(top); errors.Is(err, fs.ErrNotExist) && inside == "" {
		return stream.Send(&api.FileInfo{Name: shown, RelativeName: ".", Mode: uint32(fs.ModeDir | 0o700), IsDir: true})
	}

	return filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return unlessGone(err, path != top) // etcd removes files at any time
		}

		relative, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}

		if err := sendInfo(stream, filepath.Join(shown, relative), relative, entry); err != nil {
			return err
		}

		if entry.IsDir() && path != top && !deeper(in, relative) {
			return filepath.SkipDir
		}

		return nil
	})
}

func unlessGone(err error, tolerated bool) error {
	if tolerated && errors.Is(err, fs.ErrNotExist) {
		return nil
	}

	return err
}

func sendInfo(stream grpc.ServerStreamingServer[api.FileInfo], name, relative string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return unlessGone(err, true)
	}

	return stream.Send(&api.FileInfo{
		Name: name, RelativeName: relative, Size: info.Size(), Mode: uint32(info.Mode()), Modified: info.ModTime().Unix(), IsDir: info.IsDir(),
	})
}

// deeper tells whether a listing goes into a folder; depth 0 means all the way down.
func deeper(in *api.ListRequest, relative string) bool {
	depth := int32(strings.Count(relative, "/") + 1)

	return in.GetRecurse() && (in.GetRecursionDepth() == 0 || depth < in.GetRecursionDepth())
}
