// Package events is the runtime event stream of a machine, as `talosctl events` and `--wait` read it.
package events

import (
	"context"
	"sync"
	"time"

	"github.com/rs/xid"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

const capacity = 512

// Stream keeps the last events and hands new ones to watchers.
type Stream struct {
	mu     sync.Mutex
	log    []entry
	first  int // sequence number of log[0]
	wakeup chan struct{}
}

type entry struct {
	event *machine.Event
	at    time.Time
}

// New makes an empty stream.
func New() *Stream { return &Stream{wakeup: make(chan struct{})} }

// Filter says where a watch starts and what it passes.
type Filter struct {
	TailEvents int // the last so many; negative means all
	TailID     string
	TailFor    time.Duration
	ActorID    string
}

// Encode makes the wire form of a payload; nil is the hello event.
func Encode(payload proto.Message, actorID string) (*machine.Event, error) {
	value, typeURL := []byte(nil), ""

	if payload != nil {
		var err error
		if value, err = proto.Marshal(payload); err != nil {
			return nil, err
		}

		typeURL = "talos/runtime/" + string(payload.ProtoReflect().Descriptor().FullName())
	}

	return &machine.Event{Data: &anypb.Any{TypeUrl: typeURL, Value: value}, Id: xid.New().String(), ActorId: actorID}, nil
}

// Publish appends an event.
func (s *Stream) Publish(payload proto.Message, actorID string) {
	event, err := Encode(payload, actorID)
	if err != nil {
		return
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	s.log = append(s.log, entry{event: event, at: time.Now()})
	if len(s.log) > capacity {
		s.log = s.log[1:]
		s.first++
	}

	close(s.wakeup)
	s.wakeup = make(chan struct{})
}

// Watch calls send for each event until the context ends or send fails.
func (s *Stream) Watch(ctx context.Context, filter Filter, send func(*machine.Event) error) error {
	next := s.start(filter)

	for {
		batch, position, wakeup := s.since(next)
		next = position

		for _, event := range batch {
			if filter.ActorID != "" && event.GetActorId() != filter.ActorID {
				continue
			}

			if err := send(event); err != nil {
				return err
			}
		}

		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wakeup:
		}
	}
}

func (s *Stream) since(position int) ([]*machine.Event, int, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()

	position = max(position, s.first)

	var batch []*machine.Event
	for _, e := range s.log[position-s.first:] {
		batch = append(batch, e.event)
	}

	return batch, s.first + len(s.log), s.wakeup
}

func (s *Stream) start(filter Filter) int {
	s.mu.Lock()
	defer s.mu.Unlock()

	end := s.first + len(s.log)

	switch {
	case filter.TailEvents < 0:
		return s.first
	case filter.TailEvents > 0:
		return max(s.first, end-filter.TailEvents)
	case filter.TailID != "" || filter.TailFor > 0:
		return s.match(filter)
	default:
		return end
	}
}

func (s *Stream) match(filter Filter) int {
	for i, e := range s.log {
		if filter.TailID != "" && e.event.GetId() == filter.TailID {
			return s.first + i + 1
		}

		if filter.TailFor > 0 && time.Since(e.at) <= filter.TailFor {
			return s.first + i
		}
	}

	if filter.TailID != "" {
		return s.first
	}

	return s.first + len(s.log)
}
