// Package services is the table of a machine's system services and their health.
package services

import (
	"slices"
	"strings"
	"sync"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// State of a service.
type State = machine.ServiceStateEvent_Action

// The states used here.
const (
	Preparing = machine.ServiceStateEvent_PREPARING
	Waiting   = machine.ServiceStateEvent_WAITING
	Starting  = machine.ServiceStateEvent_STARTING
	Running   = machine.ServiceStateEvent_RUNNING
	Stopping  = machine.ServiceStateEvent_STOPPING
	Finished  = machine.ServiceStateEvent_FINISHED
	Failed    = machine.ServiceStateEvent_FAILED
)

// Health of a running service.
type Health int

// Unknown is the health of a service without a check.
const (
	Unknown Health = iota
	Healthy
	Unhealthy
)

const history = 16

// Table holds the services of one boot.
type Table struct {
	mu       sync.Mutex
	services map[string]*machine.ServiceInfo
	onChange func(id string, event *machine.ServiceStateEvent)
}

// New makes an empty table; onChange is called after each change, without the table's lock.
func New(onChange func(id string, event *machine.ServiceStateEvent)) *Table {
	return &Table{services: map[string]*machine.ServiceInfo{}, onChange: onChange}
}

// Set records a state; the message is what `talosctl service` shows.
func (t *Table) Set(id string, state State, message string, health Health) {
	name := title(state)
	wanted := &machine.ServiceHealth{Unknown: health == Unknown, Healthy: health == Healthy, LastMessage: healthText(health, message), LastChange: timestamppb.Now()}

	t.mu.Lock()

	info := t.services[id]
	if info == nil {
		info = &machine.ServiceInfo{Id: id, Events: &machine.ServiceEvents{}, Health: &machine.ServiceHealth{Unknown: true}}
		t.services[id] = info
	}

	last := info.GetEvents().GetEvents()
	same := info.GetState() == name && sameHealth(info.GetHealth(), wanted) && len(last) > 0 && last[len(last)-1].GetMsg() == message

	if same {
		t.mu.Unlock()

		return
	}

	if info.GetState() != name || last[len(last)-1].GetMsg() != message {
		info.Events.Events = append(last, &machine.ServiceEvent{Msg: message, State: name, Ts: timestamppb.Now()})
		info.Events.Events = info.Events.Events[max(0, len(info.Events.Events)-history):]
	}

	info.State, info.Health = name, wanted
	t.mu.Unlock()

	t.onChange(id, &machine.ServiceStateEvent{Service: id, Action: state, Message: message, Health: wanted})
}

func healthText(health Health, message string) string {
	if health == Unhealthy {
		return message
	}

	return ""
}

func sameHealth(a, b *machine.ServiceHealth) bool {
	return a.GetUnknown() == b.GetUnknown() && a.GetHealthy() == b.GetHealthy() && a.GetLastMessage() == b.GetLastMessage()
}

// List returns copies of all services, by name.
func (t *Table) List() []*machine.ServiceInfo {
	t.mu.Lock()
	defer t.mu.Unlock()

	list := make([]*machine.ServiceInfo, 0, len(t.services))
	for _, info := range t.services {
		list = append(list, &machine.ServiceInfo{
			Id: info.GetId(), State: info.GetState(), Health: info.GetHealth(),
			Events: &machine.ServiceEvents{Events: slices.Clone(info.GetEvents().GetEvents())},
		})
	}

	slices.SortFunc(list, func(a, b *machine.ServiceInfo) int { return strings.Compare(a.GetId(), b.GetId()) })

	return list
}

// Is tells whether the service is in the state.
func (t *Table) Is(id string, state State) bool {
	t.mu.Lock()
	defer t.mu.Unlock()

	info := t.services[id]

	return info != nil && info.GetState() == title(state)
}

// Healthy tells whether the service runs and is healthy.
func (t *Table) Healthy(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()

	info := t.services[id]

	return info != nil && info.GetState() == title(Running) && info.GetHealth().GetHealthy()
}

func title(state State) string {
	text := strings.ToLower(state.String())

	return strings.ToUpper(text[:1]) + text[1:]
}
