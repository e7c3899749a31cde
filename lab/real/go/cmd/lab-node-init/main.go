// Command lab-node-init is the first process of a real Talos node in namespaces.
//
// It is started by unshare in new mount, pid, uts, ipc and cgroup namespaces and in the node's network namespace.
// It builds the mount tree that a container engine would build, pivots into it and becomes Talos's machined.
// Everything it mounts is private to the node; a failure ends it before machined runs.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// node is what the lab says about the node to start.
type node struct {
	Name    string            `json:"name"`
	Rootfs  string            `json:"rootfs"`  // Talos root file system, shared by all nodes, never written
	Root    string            `json:"root"`    // empty directory to mount it on
	State   string            `json:"state"`   // directory of the node for files and copies of sysctls
	Volumes map[string]string `json:"volumes"` // path in the node -> directory that survives a restart
	Files   map[string]string `json:"files"`   // path in the node -> content, bind-mounted
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "lab-node-init:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 1 {
		return errors.New("usage: lab-node-init NODE.json")
	}
	if os.Getpid() != 1 {
		return errors.New("not the first process of a pid namespace: machined would end every process it sees")
	}
	text, err := os.ReadFile(arguments[0])
	if err != nil {
		return err
	}
	var this node
	if err := json.Unmarshal(text, &this); err != nil {
		return err
	}
	for _, step := range []func(node) error{alone, names, system, devices, volumes, files, sysctls, enter} {
		if err := step(this); err != nil {
			return err
		}
	}
	return syscall.Exec("/sbin/init", []string{"/sbin/init"}, []string{"PATH=/usr/bin", "PLATFORM=container", "TALOSSKU=lab"})
}

// alone waits until the lab has taken the process that made the namespaces out of the node's cgroup: the kernel
// gives no controllers to groups below one that has processes of its own.
func alone(this node) error {
	if err := os.WriteFile(filepath.Join(this.State, "born"), nil, 0o600); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// names sets the host name and keeps later mounts out of the machine's mount table.
func names(this node) error {
	if err := syscall.Sethostname([]byte(this.Name)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	return mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
}

// system mounts the root file system and the kernel's file systems; sysfs and sysrq are read-only.
func system(this node) error {
	root := this.Root
	if err := bind(this.Rootfs, root); err != nil {
		return err
	}
	if err := mount("proc", root+"/proc", "proc", 0, ""); err != nil {
		return err
	}
	if err := readOnly(root + "/proc/sysrq-trigger"); err != nil {
		return err
	}
	if err := mount("sysfs", root+"/sys", "sysfs", syscall.MS_RDONLY, ""); err != nil {
		return err
	}
	if err := mount("cgroup2", root+"/sys/fs/cgroup", "cgroup2", 0, ""); err != nil {
		return err
	}
	if err := mount("bpf", root+"/sys/fs/bpf", "bpf", 0, ""); err != nil {
		return err
	}
	for _, name := range []string{"run", "system", "tmp"} {
		if err := mount("tmpfs", filepath.Join(root, name), "tmpfs", 0, "mode=755"); err != nil {
			return err
		}
	}
	return nil
}

// bind mounts source on target and keeps mounts below it private.
func bind(source, target string) error {
	if err := mount(source, target, "", syscall.MS_BIND, ""); err != nil {
		return err
	}
	return mount("none", target, "", syscall.MS_PRIVATE, "")
}

// readOnly makes a path that the node must not write read-only for it.
func readOnly(path string) error {
	if _, err := os.Stat(path); err != nil {
		return nil //nolint:nilerr // the kernel does not have it
	}
	if err := bind(path, path); err != nil {
		return err
	}
	return mount("none", path, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, "")
}

func mount(source, target, kind string, flags uintptr, data string) error {
	if err := syscall.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", source, target, err)
	}
	return nil
}

// enter makes the tree the node's root, shared below so that pods can hand mounts to each other.
func enter(this node) error {
	if err := mount("none", this.Root, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""); err != nil {
		return err
	}
	if err := os.Chdir(this.Root); err != nil {
		return err
	}
	// pivot_root(".", ".") stacks the old root on the new one; it is then unmounted from under our feet.
	if err := syscall.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := syscall.Unmount(".", syscall.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the machine's file system: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return mount("none", "/", "", syscall.MS_REC|syscall.MS_SHARED, "")
}
