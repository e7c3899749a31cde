package events_test

import (
	"context"
	"errors"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"

	"example.invalid/lab/sim/internal/events"
)

var errEnough = errors.New("enough")

// first reads one event and stops.
func first(t *testing.T, stream *events.Stream, filter events.Filter) *machine.Event {
	t.Helper()

	var got *machine.Event

	err := stream.Watch(t.Context(), filter, func(event *machine.Event) error {
		got = event

		return errEnough
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}

	return got
}

func sequence(name string) *machine.SequenceEvent { return &machine.SequenceEvent{Sequence: name} }

func TestTail(t *testing.T) {
	t.Parallel()

	stream := events.New()
	for _, name := range []string{"initialize", "boot", "reboot"} {
		stream.Publish(sequence(name), name+"-actor")
	}

	if got := first(t, stream, events.Filter{TailEvents: -1}); got.GetActorId() != "initialize-actor" {
		t.Errorf("all events start with %v", got)
	}

	if got := first(t, stream, events.Filter{TailEvents: 1}); got.GetActorId() != "reboot-actor" {
		t.Errorf("the last event is %v", got)
	}

	if got := first(t, stream, events.Filter{TailEvents: -1, ActorID: "boot-actor"}); got.GetData().GetTypeUrl() != "talos/runtime/machine.SequenceEvent" {
		t.Errorf("the actor's event is %v", got)
	}

	boot := first(t, stream, events.Filter{TailEvents: 2})
	if got := first(t, stream, events.Filter{TailID: boot.GetId()}); got.GetActorId() != "reboot-actor" {
		t.Errorf("after %s comes %v", boot.GetId(), got)
	}
}

func TestWatchGetsWhatComes(t *testing.T) {
	t.Parallel()

	stream := events.New()
	stream.Publish(sequence("old"), "old")

	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan string, 1)

	go func() {
		_ = stream.Watch(ctx, events.Filter{TailEvents: 1}, func(event *machine.Event) error {
			got <- event.GetActorId()

			return nil
		})
		close(got)
	}()

	if actor := <-got; actor != "old" {
		t.Fatalf("got %q", actor)
	}

	stream.Publish(sequence("new"), "new")

	if actor := <-got; actor != "new" {
		t.Errorf("got %q", actor)
	}

	cancel()

	for range got {
	}
}
