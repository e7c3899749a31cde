package kube

import (
	"context"
	"fmt"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"lab/plugins/internal/cluster"
	"lab/plugins/internal/rpc"
)

// createTries and the waits between them (1, 2, 4 … seconds) let a CRD or a namespace appear that
// something else is just making.
const createTries = 6

// Create makes the object and waits until it is ready. In a preview it asks the API server for a dry
// run, or returns the inputs where that cannot be asked.
func (p *Provider) Create(ctx context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	if isRelease(req.GetUrn()) {
		if _, err := p.ready(); err != nil {
			return nil, err
		}
		return p.releases.Load().Create(ctx, req)
	}
	if req.GetPreview() {
		return p.previewCreate(ctx, req)
	}
	c, err := p.reachable()
	if err != nil {
		return nil, err
	}
	news, err := decode(req.GetUrn(), "inputs", req.GetProperties())
	if err != nil {
		return nil, err
	}
	ctx, end := p.Inflight.Derive(ctx, 0)
	defer end()
	s := &step{Provider: p, cluster: c, urn: req.GetUrn(), timeout: req.GetTimeout()}
	state, id, err := s.create(ctx, news)
	if err != nil {
		return nil, err
	}
	properties, err := rpc.Encode(id, state)
	return &pulumirpc.CreateResponse{Id: id, Properties: properties}, err
}

// step is one operation on one object.
type step struct {
	*Provider

	cluster *cluster.Cluster
	urn     string
	timeout float64 // seconds, 0 where the program gave none
	sleep   func(context.Context, time.Duration) error
}

func (s *step) name() string { return resource.URN(s.urn).Name() }

func (s *step) status(ctx context.Context, format string, args ...any) {
	s.Log.Status(ctx, diag.Info, s.urn, fmt.Sprintf(format, args...))
}

func (s *step) create(ctx context.Context, news resource.PropertyMap) (resource.PropertyMap, string, error) {
	wanted := objectOf(news)
	manager, err := fieldManager(wanted, "")
	if err != nil {
		return nil, "", err
	}
	live, err := s.retry(ctx, func() (*unstructured.Unstructured, error) {
		return s.submit(ctx, wanted, manager, false)
	})
	if err != nil {
		return nil, "", s.explainCreate(wanted, err)
	}
	live, waitErr := s.await(ctx, wanted, live)
	state := checkpoint{
		inputs: wanted, live: live.Object, firstVersion: wanted.text("apiVersion"), fieldManager: manager,
	}.properties(news)
	id := object(live.Object).id()
	if waitErr != nil {
		return nil, "", rpc.InitFailed(id, state,
			fmt.Errorf("%s %q was created, but is not ready: %w", wanted.kind(), id, waitErr))
	}
	if wanted.kind() == "CustomResourceDefinition" {
		s.cluster.Mapper.Reset()
	}
	return state, id, nil
}

// submit sends the object once. An object that exists already is an error, unless the provider may
// take it over.
func (s *step) submit(
	ctx context.Context, wanted object, manager string, preview bool,
) (*unstructured.Unstructured, error) {
	sent := wanted.clone().unstructured()
	client, err := s.cluster.For(sent)
	if err != nil {
		return nil, err
	}
	if s.cluster.UpsertExistingObjects {
		force := preview || s.cluster.EnablePatchForce || wanted.annotation(annotationPatchForce) == "true"
		return apply{client: client, manager: manager, force: force, dryRun: preview}.run(ctx, sent)
	}
	return client.Create(ctx, sent, metav1.CreateOptions{FieldManager: createManager, DryRun: dryRun(preview)})
}

// retry repeats try while the API server does not know the kind or the namespace.
func (s *step) retry(
	ctx context.Context, try func() (*unstructured.Unstructured, error),
) (*unstructured.Unstructured, error) {
	pause := s.sleep
	if pause == nil {
		pause = sleep
	}
	var live *unstructured.Unstructured
	var err error
	wait := time.Second
	for i := range createTries {
		live, err = try()
		if err == nil || !(apierrors.IsNotFound(err) || meta.IsNoMatchError(err)) {
			break
		}
		s.status(ctx, "try %d of %d: %v", i+1, createTries, err)
		if stop := pause(ctx, wait); stop != nil {
			return nil, fmt.Errorf("%w, last answer: %w", stop, err)
		}
		wait *= 2
	}
	return live, err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (s *step) explainCreate(wanted object, err error) error {
	where := fmt.Sprintf("create %s %q (resource %s)", wanted.kind(), wanted.id(), s.name())
	switch {
	case meta.IsNoMatchError(err):
		return fmt.Errorf("%s: the API server does not serve %s; is its CRD installed? %w",
			where, wanted.text("apiVersion"), err)
	case apierrors.IsAlreadyExists(err):
		return fmt.Errorf("%s: %w. Something else made it. Import it (`pulumi import`), "+
			"or set upsertExistingObjects on the provider to take it over", where, err)
	default:
		return fmt.Errorf("%s: %w", where, err)
	}
}

func (p *Provider) previewCreate(
	ctx context.Context, req *pulumirpc.CreateRequest,
) (*pulumirpc.CreateResponse, error) {
	c, err := p.ready()
	if err != nil {
		return nil, err
	}
	news, err := decode(req.GetUrn(), "inputs", req.GetProperties())
	if err != nil {
		return nil, err
	}
	asIs := &pulumirpc.CreateResponse{Properties: req.GetProperties()}
	wanted := objectOf(news)
	if news.ContainsUnknowns() || !c.Exists(wanted.gvk()) {
		return asIs, nil
	}
	s := &step{Provider: p, cluster: c, urn: req.GetUrn()}
	live, err := s.dryRunCreate(ctx, wanted)
	if err != nil {
		return nil, err
	}
	if live == nil {
		return asIs, nil
	}
	delete(live.Object, "status") // nobody has filled it in
	properties, err := rpc.Encode(req.GetUrn(), checkpoint{
		inputs: wanted, live: live.Object, firstVersion: wanted.text("apiVersion"),
	}.properties(news))
	return &pulumirpc.CreateResponse{Properties: properties}, err
}

// dryRunCreate returns what a create would give, or nil where it cannot be known: the namespace is one
// that this run will make, or the object is one that it will replace.
func (s *step) dryRunCreate(ctx context.Context, wanted object) (*unstructured.Unstructured, error) {
	ctx, end := s.Inflight.Derive(ctx, 0)
	defer end()
	live, err := s.submit(ctx, wanted, createManager, true)
	if cannotDryRun(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // nothing is known, and nothing is wrong
	}
	if err != nil {
		return nil, s.explainCreate(wanted, err)
	}
	return live, nil
}

// cannotDryRun reports whether a dry run failed for want of a right or of support, which says nothing
// about the object.
func cannotDryRun(err error) bool {
	return apierrors.IsForbidden(err) || (apierrors.IsBadRequest(err) && isDryRunMessage(err))
}
