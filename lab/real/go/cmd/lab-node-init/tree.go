package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// devices are the nodes of /dev that a container gets: name, major, minor.
var deviceNodes = []struct {
	name         string
	major, minor int
}{
	{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9},
	{"tty", 5, 0}, {"kmsg", 1, 11}, {"net/tun", 10, 200},
}

// links are the symbolic links of /dev.
var deviceLinks = map[string]string{
	"ptmx":   "pts/ptmx",
	"fd":     "/proc/self/fd",
	"stdin":  "/proc/self/fd/0",
	"stdout": "/proc/self/fd/1",
	"stderr": "/proc/self/fd/2",
}

// devices makes a /dev of the node's own: no disk, no device of the machine.
func devices(this node) error {
	dev := this.Root + "/dev"
	if err := mount("tmpfs", dev, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	for _, name := range []string{"pts", "shm", "mqueue", "net"} {
		if err := os.Mkdir(filepath.Join(dev, name), 0o755); err != nil {
			return err
		}
	}
	for _, d := range deviceNodes {
		path := filepath.Join(dev, d.name)
		if err := syscall.Mknod(path, syscall.S_IFCHR|0o666, d.major<<8|d.minor); err != nil {
			return fmt.Errorf("make %s: %w", path, err)
		}
	}
	for name, target := range deviceLinks {
		if err := os.Symlink(target, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	if err := mount("devpts", dev+"/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=0620,gid=5"); err != nil {
		return err
	}
	if err := mount("shm", dev+"/shm", "tmpfs", 0, "mode=1777"); err != nil {
		return err
	}
	return mount("mqueue", dev+"/mqueue", "mqueue", 0, "")
}

// volumes binds what survives a restart; a new volume starts with the root file system's content.
func volumes(this node) error {
	for path, directory := range this.Volumes {
		target := this.Root + path
		if err := os.MkdirAll(directory, 0o755); err != nil {
			return err
		}
		if err := seed(directory, target); err != nil {
			return err
		}
		if path == "/system/state" {
			if err := os.MkdirAll(target, 0o700); err != nil {
				return err
			}
		}
		if err := bind(directory, target); err != nil {
			return err
		}
	}
	return nil
}

func seed(directory, from string) error {
	done := directory + ".seeded"
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	if _, err := os.Stat(from); err == nil {
		if err := os.CopyFS(directory, os.DirFS(from)); err != nil {
			return fmt.Errorf("fill %s: %w", directory, err)
		}
	}
	return os.WriteFile(done, nil, 0o600)
}

// files binds small files that a container engine would write: host name, resolver, hosts.
func files(this node) error {
	for path, content := range this.Files {
		source := filepath.Join(this.State, "files", filepath.Base(path))
		if err := os.MkdirAll(filepath.Dir(source), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(source, []byte(content), 0o644); err != nil {
			return err
		}
		if err := bind(source, this.Root+path); err != nil {
			return err
		}
	}
	return nil
}

// sysctls gives the node writable copies of what the kernel has once for the whole machine. Only /proc/sys/net
// stays real: it belongs to the node's network namespace.
func sysctls(this node) error {
	for _, group := range []string{"kernel", "vm", "fs"} {
		copied := filepath.Join(this.State, "sysctl", group)
		real := filepath.Join(this.Root, "proc/sys", group)
		if err := os.RemoveAll(copied); err != nil {
			return err
		}
		if err := copyReadable(real, copied); err != nil {
			return err
		}
		if err := bind(copied, real); err != nil {
			return err
		}
	}
	return nil
}

func copyReadable(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := to + strings.TrimPrefix(path, from)
		if entry.IsDir() {
			// binfmt_misc and the like are file systems of their own: not for the node.
			return os.MkdirAll(target, 0o755)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			content = nil // write-only or not for us: an empty file takes what the node writes
		}
		return os.WriteFile(target, content, 0o644)
	})
}
