package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"example.invalid/lab/sim/internal/store"
)

func open(t *testing.T, dir string) *store.Disk {
	t.Helper()

	disk, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}

	return disk
}

func TestDiskOutlivesTheProcess(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	disk := open(t, dir)

	must(t, disk.SetConfig([]byte("first")))
	must(t, disk.StageConfig([]byte("second")))
	must(t, disk.Update(func(s *store.State) { s.InstalledVersion, s.NodeID = "v1.13.0", "id" }))

	again := open(t, dir)
	if data, err := again.Config(); string(data) != "first" || err != nil {
		t.Errorf("configuration %q, %v", data, err)
	}

	must(t, again.PromoteStaged())
	must(t, again.PromoteStaged()) // nothing staged is no fault

	if data, err := again.Config(); string(data) != "second" || err != nil {
		t.Errorf("staged configuration %q, %v", data, err)
	}

	if state, err := again.State(); state.InstalledVersion != "v1.13.0" || err != nil {
		t.Errorf("state %+v, %v", state, err)
	}

	info, err := os.Stat(filepath.Join(dir, "config.yaml"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the configuration's mode is %v, %v", info.Mode(), err)
	}
}

func TestWipes(t *testing.T) {
	t.Parallel()

	disk := open(t, t.TempDir())
	must(t, disk.SetConfig([]byte("x")))
	must(t, disk.Update(func(s *store.State) { s.InstalledVersion, s.NodeID = "v1.13.0", "id" }))
	must(t, os.MkdirAll(filepath.Join(disk.EtcdDir(), "member"), 0o700))

	if !disk.HasEtcdData() {
		t.Fatal("etcd data is not seen")
	}

	must(t, disk.WipeEphemeral())

	if disk.HasEtcdData() {
		t.Error("EPHEMERAL was wiped and etcd data is left")
	}

	if data, _ := disk.Config(); data == nil {
		t.Error("the configuration went with EPHEMERAL")
	}

	must(t, disk.WipeState())

	state, err := disk.State()
	if err != nil || state.NodeID != "" || state.InstalledVersion != "v1.13.0" {
		t.Errorf("after STATE was wiped: %+v, %v", state, err)
	}

	must(t, disk.WipeAll())

	if state, _ := disk.State(); state.InstalledVersion != "" {
		t.Errorf("after the disk was wiped: %+v", state)
	}
}

func must(t *testing.T, err error) {
	t.Helper()

	if err != nil {
		t.Fatal(err)
	}
}
