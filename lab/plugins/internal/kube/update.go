package kube

import (
	"context"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"lab/plugins/internal/rpc"
)

func isDryRunMessage(err error) bool {
	return strings.Contains(strings.ToLower(err.Error()), "dry run")
}

// Update applies the wanted object and waits until it is ready. In a preview it asks the API server for
// a dry run, or returns the inputs where that cannot be asked.
func (p *Provider) Update(ctx context.Context, req *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	c, err := p.ready()
	if err != nil {
		return nil, err
	}
	if isRelease(req.GetUrn()) {
		return p.releases.Load().Update(ctx, req)
	}
	olds, news, err := decodeBoth(req.GetUrn(), req.GetOlds(), req.GetNews())
	if err != nil {
		return nil, err
	}
	if req.GetPreview() && (news.ContainsUnknowns() || !c.Exists(objectOf(news).gvk())) {
		return &pulumirpc.UpdateResponse{Properties: req.GetNews()}, nil
	}
	if c, err = p.reachable(); err != nil {
		return nil, err
	}
	s := &step{Provider: p, cluster: c, urn: req.GetUrn(), timeout: req.GetTimeout()}
	return s.update(ctx, req, olds, news)
}

func (s *step) update(
	ctx context.Context, req *pulumirpc.UpdateRequest, olds, news resource.PropertyMap,
) (*pulumirpc.UpdateResponse, error) {
	ctx, end := s.Inflight.Derive(ctx, 0)
	defer end()
	u := &update{step: s, old: parseCheckpoint(olds), ignore: req.GetIgnoreChanges(), preview: req.GetPreview()}
	state, err := u.run(ctx, news)
	switch {
	case req.GetPreview() && cannotDryRun(err):
		return &pulumirpc.UpdateResponse{Properties: req.GetNews()}, nil
	case err != nil:
		return nil, err
	}
	properties, err := rpc.Encode(req.GetId(), state)
	return &pulumirpc.UpdateResponse{Properties: properties}, err
}

// update is one change of one object.
type update struct {
	*step

	old     checkpoint
	ignore  []string // property paths that the program leaves alone
	preview bool
}

func (u *update) run(ctx context.Context, news resource.PropertyMap) (resource.PropertyMap, error) {
	wanted := normalize(objectOf(news))
	manager, err := fieldManager(wanted, u.old.fieldManager)
	if err != nil {
		return nil, err
	}
	client, err := u.cluster.For(wanted.unstructured())
	if err != nil {
		return nil, u.explain(wanted, err)
	}
	live, err := u.send(ctx, client, wanted, manager)
	if err != nil {
		return nil, u.explain(wanted, err)
	}
	var waitErr error
	if !u.preview {
		live, waitErr = u.await(ctx, wanted, live)
	}
	state := checkpoint{
		inputs: wanted, live: live.Object, firstVersion: u.old.firstVersion, fieldManager: manager,
	}.properties(news)
	if waitErr != nil {
		id := object(live.Object).id()
		return nil, rpc.InitFailed(id, state,
			fmt.Errorf("%s %q was updated, but is not ready: %w", wanted.kind(), id, waitErr))
	}
	return state, u.retire(ctx, client, live, manager)
}

func (u *update) explain(wanted object, err error) error {
	return fmt.Errorf("update %s %q (resource %s): %w", wanted.kind(), wanted.id(), u.name(), err)
}

func (u *update) send(
	ctx context.Context, client dynamic.ResourceInterface, wanted object, manager string,
) (*unstructured.Unstructured, error) {
	live, err := client.Get(ctx, wanted.name(), metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	if wanted.kind() == "CustomResourceDefinition" {
		return u.replaceCRD(ctx, client, wanted, live.GetResourceVersion())
	}
	if !u.preview {
		if live, err = takeOver(ctx, client, live, manager); err != nil {
			return nil, err
		}
	}
	sent := wanted.clone()
	if err := leaveAlone(sent, live, manager, u.ignore); err != nil {
		return nil, err
	}
	force := forced(wanted, live, u.cluster.EnablePatchForce, u.preview)
	return apply{client: client, manager: manager, force: force, dryRun: u.preview}.run(ctx, sent.unstructured())
}

// replaceCRD sends the whole definition: an apply could leave versions behind that the new one dropped.
func (u *update) replaceCRD(
	ctx context.Context, client dynamic.ResourceInterface, wanted object, version string,
) (*unstructured.Unstructured, error) {
	sent := wanted.clone().unstructured()
	sent.SetResourceVersion(version)
	live, err := client.Update(ctx, sent, metav1.UpdateOptions{FieldManager: createManager, DryRun: dryRun(u.preview)})
	if err == nil {
		u.cluster.Mapper.Reset()
	}
	return live, err
}

// retire drops the previous field manager where the program chose another.
func (u *update) retire(
	ctx context.Context, client dynamic.ResourceInterface, live *unstructured.Unstructured, manager string,
) error {
	if u.preview || u.old.fieldManager == "" || u.old.fieldManager == manager {
		return nil
	}
	return relinquish(ctx, client, live, u.old.fieldManager)
}
