// Package store keeps what a machine's disk keeps: it outlives the simulator's process.
package store

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// State is the part of the disk that is not a file of its own.
type State struct {
	// InstalledVersion is the Talos version on the system disk, empty when nothing is installed.
	InstalledVersion string `json:"installedVersion"`
	// InstalledImage is the installer image it came from.
	InstalledImage string `json:"installedImage"`
	// NodeID is the identity of the node in its cluster; made with the EPHEMERAL and STATE partitions, lost with them.
	NodeID string `json:"nodeId"`
	// PoweredOff tells that the machine was shut down and stays off after a restart of the simulator.
	PoweredOff bool `json:"poweredOff"`
}

// Disk is the system disk of one machine, a folder of private files.
type Disk struct {
	dir string
	mu  sync.Mutex
}

const (
	configFile = "config.yaml"
	stagedFile = "config.staged.yaml"
	stateFile  = "state.json"
)

// Open makes the folder if needed.
func Open(dir string) (*Disk, error) {
	return &Disk{dir: dir}, os.MkdirAll(dir, 0o700)
}

// EtcdDir is the machine's /var/lib/etcd.
func (d *Disk) EtcdDir() string { return filepath.Join(d.dir, "etcd") }

// PKIDir is the folder for key material the machine's children read; it is recreated at each boot.
func (d *Disk) PKIDir() string { return filepath.Join(d.dir, "pki") }

// State reads the state; a new disk has the zero state.
func (d *Disk) State() (State, error) {
	d.mu.Lock()
	defer d.mu.Unlock()

	return d.readState()
}

func (d *Disk) readState() (State, error) {
	var state State

	data, err := os.ReadFile(filepath.Join(d.dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return state, nil
	}

	if err != nil {
		return state, err
	}

	return state, json.Unmarshal(data, &state)
}

// Update changes the state in one step.
func (d *Disk) Update(change func(*State)) error {
	d.mu.Lock()
	defer d.mu.Unlock()

	state, err := d.readState()
	if err != nil {
		return err
	}

	change(&state)

	data, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}

	return WriteFile(filepath.Join(d.dir, stateFile), data)
}

// Config returns the machine configuration, nil when there is none.
func (d *Disk) Config() ([]byte, error) { return readOptional(filepath.Join(d.dir, configFile)) }

// SetConfig persists the machine configuration and drops a staged one.
func (d *Disk) SetConfig(data []byte) error {
	if err := WriteFile(filepath.Join(d.dir, configFile), data); err != nil {
		return err
	}

	return removeOptional(filepath.Join(d.dir, stagedFile))
}

// StageConfig keeps a configuration for the next boot.
func (d *Disk) StageConfig(data []byte) error {
	return WriteFile(filepath.Join(d.dir, stagedFile), data)
}

// PromoteStaged makes a staged configuration the configuration; called at boot.
func (d *Disk) PromoteStaged() error {
	err := os.Rename(filepath.Join(d.dir, stagedFile), filepath.Join(d.dir, configFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}

	return err
}

// HasEtcdData tells whether /var/lib/etcd has entries.
func (d *Disk) HasEtcdData() bool {
	entries, err := os.ReadDir(d.EtcdDir())

	return err == nil && len(entries) > 0
}

// WipeEtcd empties /var/lib/etcd.
func (d *Disk) WipeEtcd() error { return os.RemoveAll(d.EtcdDir()) }

// WipeEphemeral empties /var.
func (d *Disk) WipeEphemeral() error {
	if err := os.RemoveAll(d.PKIDir()); err != nil {
		return err
	}

	return d.WipeEtcd()
}

// WipeState forgets the machine configuration and the node's identity.
func (d *Disk) WipeState() error {
	for _, name := range []string{configFile, stagedFile} {
		if err := removeOptional(filepath.Join(d.dir, name)); err != nil {
			return err
		}
	}

	return d.Update(func(s *State) { s.NodeID = "" })
}

// WipeAll forgets everything, the installed system included.
func (d *Disk) WipeAll() error {
	if err := d.WipeEphemeral(); err != nil {
		return err
	}

	if err := d.WipeState(); err != nil {
		return err
	}

	return d.Update(func(s *State) { *s = State{PoweredOff: s.PoweredOff} })
}

// WriteFile replaces a private file atomically.
func WriteFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}

	tmp, err := os.CreateTemp(filepath.Dir(path), ".tmp-*") // CreateTemp makes it 0600
	if err != nil {
		return err
	}

	_, err = tmp.Write(data)
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}

	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}

	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}

	return nil
}

func readOptional(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}

	return data, err
}

func removeOptional(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}

	return nil
}
