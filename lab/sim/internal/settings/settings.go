// Package settings reads and checks the simulator's configuration file.
package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// Settings is the whole configuration file. Durations are Go durations, sizes are bytes.
type Settings struct {
	StateDir          string    `json:"stateDir"`
	Socket            string    `json:"socket"`
	Binaries          Binaries  `json:"binaries"`
	Durations         Durations `json:"durations"`
	Ports             Ports     `json:"ports"`
	TalosVersion      string    `json:"talosVersion"`
	KubernetesVersion string    `json:"kubernetesVersion"`
	Machines          []Machine `json:"machines"`
}

// Binaries are the paths of the real programs the simulator starts.
type Binaries struct {
	Etcd              string `json:"etcd"`
	APIServer         string `json:"kube-apiserver"`
	ControllerManager string `json:"kube-controller-manager"`
	Scheduler         string `json:"kube-scheduler"`
	Kwok              string `json:"kwok"`
	CiliumOperator    string `json:"cilium-operator"`
}

// Durations of the simulated hardware.
type Durations struct {
	Boot    Duration `json:"boot"`
	Install Duration `json:"install"`
	Reboot  Duration `json:"reboot"`
}

// Ports the nodes listen on.
type Ports struct {
	Apid       int `json:"apid"`
	EtcdClient int `json:"etcdClient"`
	EtcdPeer   int `json:"etcdPeer"`
	APIServer  int `json:"apiserver"`
}

// Machine is the hardware of one node.
type Machine struct {
	ID      string     `json:"id"`
	Address netip.Addr `json:"address"`
	Prefix  int        `json:"prefix"`
	MAC     string     `json:"mac"`
	Memory  uint64     `json:"memory"`
	Disks   []Disk     `json:"disks"`
	Links   []Link     `json:"links"`
}

// Disk is a block device; Size in bytes.
type Disk struct {
	Path   string `json:"path"`
	Size   uint64 `json:"size"`
	Serial string `json:"serial"`
	Model  string `json:"model"`
}

// Link is a physical network link.
type Link struct {
	Name string `json:"name"`
	MAC  string `json:"mac"`
}

// Duration is a time.Duration written as a string such as "1.5s".
type Duration time.Duration

// UnmarshalJSON implements json.Unmarshaler.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("a duration is a string such as \"1s\": %w", err)
	}

	parsed, err := time.ParseDuration(text)
	if err != nil {
		return err
	}

	if parsed < 0 {
		return fmt.Errorf("duration %q is negative", text)
	}

	*d = Duration(parsed)

	return nil
}

// Std returns the value as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

const (
	gib           = 1 << 30
	defaultDisk   = 32 * gib
	defaultMemory = 8 * gib
	maxSocketPath = 107
)

var (
	loopback  = netip.MustParsePrefix("127.0.0.0/8")
	idPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
)

// Load reads the file, fills in the defaults and reports every fault found.
func Load(path string) (*Settings, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}

	return Parse(data)
}

// Parse is Load for contents already in memory.
func Parse(data []byte) (*Settings, error) {
	s := &Settings{
		Durations:         Durations{Boot: Duration(time.Second), Install: Duration(time.Second), Reboot: Duration(time.Second)},
		Ports:             Ports{Apid: 50000, EtcdClient: 2379, EtcdPeer: 2380, APIServer: 6443},
		TalosVersion:      "v1.13.0",
		KubernetesVersion: "v1.36.3",
	}

	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()

	if err := decoder.Decode(s); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}

	if err := s.complete(); err != nil {
		return nil, err
	}

	return s, s.validate()
}

func (s *Settings) complete() error {
	if s.StateDir == "" {
		return errors.New("configuration: stateDir is required")
	}

	dir, err := filepath.Abs(s.StateDir)
	if err != nil {
		return err
	}

	s.StateDir = dir

	if s.Socket == "" {
		s.Socket = filepath.Join(dir, "sim.sock")
	}

	for i := range s.Machines {
		s.Machines[i].complete(i)
	}

	return nil
}

func (m *Machine) complete(position int) {
	if m.Prefix == 0 {
		m.Prefix = 24
	}

	if m.MAC == "" {
		m.MAC = fmt.Sprintf("02:00:00:00:%02x:%02x", (position+1)>>8, (position+1)&0xff)
	}

	if m.Memory == 0 {
		m.Memory = defaultMemory
	}

	if len(m.Disks) == 0 {
		m.Disks = []Disk{{Path: "/dev/vda", Size: defaultDisk, Serial: "lab-" + m.ID, Model: "lab disk"}}
	}

	if len(m.Links) == 0 {
		m.Links = []Link{{Name: "eth0", MAC: m.MAC}}
	}
}

func (s *Settings) validate() error {
	var faults []error

	ids, addresses := map[string]bool{}, map[netip.Addr]bool{}

	if len(s.Machines) == 0 {
		faults = append(faults, errors.New("configuration: machines is empty"))
	}

	for i, m := range s.Machines {
		where := fmt.Sprintf("configuration: machines[%d]", i)

		if !idPattern.MatchString(m.ID) {
			faults = append(faults, fmt.Errorf("%s.id %q is not a name ([a-z0-9-]+)", where, m.ID))
		}

		if !m.Address.IsValid() || !loopback.Contains(m.Address) {
			faults = append(faults, fmt.Errorf("%s.address %q is not in 127.0.0.0/8", where, m.Address))
		}

		if ids[m.ID] || addresses[m.Address] {
			faults = append(faults, fmt.Errorf("%s: id %q or address %s is used twice", where, m.ID, m.Address))
		}

		ids[m.ID], addresses[m.Address] = true, true
	}

	if len(s.Socket) > maxSocketPath {
		faults = append(faults, fmt.Errorf("configuration: socket %q is longer than the %d bytes a unix socket's path may have", s.Socket, maxSocketPath))
	}

	return errors.Join(faults...)
}
