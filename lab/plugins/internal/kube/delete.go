package kube

import (
	"context"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"lab/plugins/internal/cluster"
)

// Delete removes the object and waits until it is gone. One that is not there, or whose kind is not
// served any more, is gone already.
func (p *Provider) Delete(ctx context.Context, req *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	c, err := p.ready()
	if err != nil {
		return nil, err
	}
	if isRelease(req.GetUrn()) {
		if c, err = p.reachable(); err != nil {
			return nil, err
		}
		return p.releases.Load().Delete(ctx, req)
	}
	if c.Unreachable != "" {
		return &emptypb.Empty{}, p.forget(ctx, c, "delete", req.GetUrn())
	}
	state, err := decode(req.GetUrn(), "state", req.GetProperties())
	if err != nil {
		return nil, err
	}
	ctx, end := p.Inflight.Derive(ctx, 0)
	defer end()
	s := &step{Provider: p, cluster: c, urn: req.GetUrn(), timeout: req.GetTimeout()}
	if err := s.delete(ctx, parseCheckpoint(state)); err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

// forget drops a resource of an unreachable cluster from the state, if the configuration says so.
func (p *Provider) forget(ctx context.Context, c *cluster.Cluster, verb, urn string) error {
	if c.DeleteUnreachable {
		p.Log.Line(ctx, diag.Warning, urn,
			"the cluster is unreachable and deleteUnreachable is set: the resource leaves the state only")
		return nil
	}
	return fmt.Errorf("%s %s: the configured Kubernetes cluster is unreachable: %s. "+
		"If it is gone for good, PULUMI_K8S_DELETE_UNREACHABLE=true drops its resources from the state",
		verb, resource.URN(urn).Name(), c.Unreachable)
}

func (s *step) delete(ctx context.Context, old checkpoint) error {
	live := old.live
	explain := func(err error) error {
		return fmt.Errorf("delete %s %q (resource %s): %w", live.kind(), live.id(), s.name(), err)
	}
	client, err := s.cluster.For(live.unstructured())
	if meta.IsNoMatchError(err) {
		return nil
	}
	if err != nil {
		return explain(err)
	}
	policy := propagation(old.inputs)
	err = client.Delete(ctx, live.name(), metav1.DeleteOptions{PropagationPolicy: &policy})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return explain(err)
	}
	if old.inputs.annotation(annotationSkipAwait) == "true" && skipsDeleteWait[live.gvk().GroupKind().String()] {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.limit(old.inputs))
	defer cancel()
	if err := s.awaitGone(ctx, client, live); err != nil {
		return explain(err)
	}
	return nil
}

// skipsDeleteWait holds the kinds for which skipAwait covers the deletion too, as in the real provider.
var skipsDeleteWait = map[string]bool{
	"Namespace": true, "Pod": true, "ReplicationController": true, "DaemonSet.apps": true,
	"Deployment.apps": true, "StatefulSet.apps": true, "Job.batch": true,
}

func propagation(inputs object) metav1.DeletionPropagation {
	switch strings.ToLower(inputs.annotation(annotationPropagation)) {
	case "orphan":
		return metav1.DeletePropagationOrphan
	case "background":
		return metav1.DeletePropagationBackground
	default:
		return metav1.DeletePropagationForeground
	}
}
