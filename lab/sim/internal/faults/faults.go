// Package faults holds the faults a test can switch on for one machine.
package faults

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// The faults; README.md says what each does.
const (
	SlowBoot          = "slowBoot"
	RefuseConnections = "refuseConnections"
	HalfOpen          = "halfOpen"
	ForeignCluster    = "foreignCluster"
	RejectConfig      = "rejectConfig"
	ClockNotSynced    = "clockNotSynced"
	RebootDuringStep  = "rebootDuringStep"
	EtcdNeverHealthy  = "etcdNeverHealthy"
	Lost              = "lost"
)

const defaultSlowBoot = 30 * time.Second

var defaults = map[string]string{
	SlowBoot: defaultSlowBoot.String(), RefuseConnections: "", HalfOpen: "", ForeignCluster: "",
	RejectConfig: "rejected by the lab", ClockNotSynced: "", RebootDuringStep: "ApplyConfiguration",
	EtcdNeverHealthy: "", Lost: "",
}

// Set is the faults of one machine. The zero value has none.
type Set struct {
	mu      sync.Mutex
	on      map[string]string
	changed []func(name string)
}

// Switch turns a fault on or off; an empty value means the fault's default.
func (s *Set) Switch(name string, on bool, value string) error {
	if err := check(name, value); err != nil {
		return err
	}

	s.mu.Lock()

	if s.on == nil {
		s.on = map[string]string{}
	}

	if on {
		s.on[name] = valueOr(value, defaults[name])
	} else {
		delete(s.on, name)
	}

	hooks := slices.Clone(s.changed)
	s.mu.Unlock()

	for _, hook := range hooks {
		hook(name)
	}

	return nil
}

func check(name, value string) error {
	if _, known := defaults[name]; !known {
		return fmt.Errorf("no such fault %q", name)
	}

	if name == SlowBoot && value != "" {
		if _, err := time.ParseDuration(value); err != nil {
			return fmt.Errorf("fault %s: %w", name, err)
		}
	}

	return nil
}

func valueOr(value, fallback string) string {
	if value == "" {
		return fallback
	}

	return value
}

// OnChange calls the function after each switch.
func (s *Set) OnChange(hook func(name string)) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.changed = append(s.changed, hook)
}

// Get tells whether the fault is on, and its value.
func (s *Set) Get(name string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	value, on := s.on[name]

	return value, on
}

// On tells whether the fault is on.
func (s *Set) On(name string) bool {
	_, on := s.Get(name)

	return on
}

// Take switches a one-shot fault off and tells whether it was on for this value.
func (s *Set) Take(name, value string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.on[name] != value {
		return false
	}

	delete(s.on, name)

	return true
}

// BootDelay is what slowBoot adds to a boot.
func (s *Set) BootDelay() time.Duration {
	value, on := s.Get(SlowBoot)
	if !on {
		return 0
	}

	delay, err := time.ParseDuration(value)
	if err != nil {
		return defaultSlowBoot
	}

	return delay
}

// All returns a copy of the faults that are on.
func (s *Set) All() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()

	all := map[string]string{}
	for name, value := range s.on {
		all[name] = value
	}

	return all
}
