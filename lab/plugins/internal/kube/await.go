package kube

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

const (
	defaultTimeout = 10 * time.Minute // of the wait after a step, where the program gives none
	firstPoll      = 200 * time.Millisecond
	slowestPoll    = 2 * time.Second
)

// limit is how long a step may wait: the resource's custom timeout, else the annotation, else the default.
func (s *step) limit(wanted object) time.Duration {
	if s.timeout > 0 {
		return time.Duration(s.timeout * float64(time.Second))
	}
	if seconds, err := strconv.Atoi(wanted.annotation(annotationTimeout)); err == nil {
		return time.Duration(seconds) * time.Second
	}
	return defaultTimeout
}

// await waits until the object is ready, if its kind has a notion of it, and returns it as last seen.
func (s *step) await(
	ctx context.Context, wanted object, live *unstructured.Unstructured,
) (*unstructured.Unstructured, error) {
	isReady := readiness[wanted.gvk().GroupKind().String()]
	if isReady == nil || wanted.annotation(annotationSkipAwait) == "true" {
		return live, nil
	}
	client, err := s.cluster.For(live)
	if err != nil {
		return live, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.limit(wanted))
	defer cancel()
	return s.watch(ctx, client, live, isReady)
}

// watch asks for the object until lacks says that nothing is missing, and says what it waits for.
func (s *step) watch(
	ctx context.Context, client dynamic.ResourceInterface, last *unstructured.Unstructured, lacks func(object) string,
) (*unstructured.Unstructured, error) {
	reason := ""
	err := s.poll(ctx, func() (bool, error) {
		current, err := client.Get(ctx, last.GetName(), metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		last = current
		before := reason
		reason = lacks(current.Object)
		if reason != "" && reason != before {
			s.status(ctx, "waiting: %s", reason)
		}
		return reason == "", nil
	})
	if err != nil && reason != "" {
		return last, fmt.Errorf("%w: %s", err, reason)
	}
	return last, err
}

// poll repeats done, more and more slowly, until it says so, fails for good, or ctx ends.
func (s *step) poll(ctx context.Context, done func() (bool, error)) error {
	pause := s.sleep
	if pause == nil {
		pause = sleep
	}
	for wait := firstPoll; ; wait = min(2*wait, slowestPoll) {
		finished, err := done()
		if finished || (err != nil && !isTransient(err)) {
			return stopReason(ctx, err)
		}
		if err := pause(ctx, wait); err != nil {
			return stopReason(ctx, err)
		}
	}
}

func isTransient(err error) bool {
	return apierrors.IsServerTimeout(err) || apierrors.IsTooManyRequests(err) || apierrors.IsInternalError(err) ||
		apierrors.IsServiceUnavailable(err)
}

func stopReason(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return errors.New("timed out")
	case errors.Is(ctx.Err(), context.Canceled):
		return errors.New("cancelled")
	default:
		return err
	}
}

// awaitGone waits until the object does not exist, or another one has its name.
func (s *step) awaitGone(ctx context.Context, client dynamic.ResourceInterface, gone object) error {
	uid := gone.text("metadata", "uid")
	var remaining []string
	err := s.poll(ctx, func() (bool, error) {
		live, err := client.Get(ctx, gone.name(), metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return true, nil
		case err != nil:
			return false, err
		case uid != "" && string(live.GetUID()) != uid:
			return true, nil
		}
		remaining = live.GetFinalizers()
		return false, nil
	})
	if err != nil && len(remaining) > 0 {
		return fmt.Errorf("%w: finalizers %q are left", err, remaining)
	}
	return err
}
