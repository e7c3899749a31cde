package kube

import (
	"context"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"lab/plugins/internal/cluster"
	"lab/plugins/internal/rpc"
)

// Read returns the live object. One that is gone, or whose kind is gone, leaves the state.
func (p *Provider) Read(ctx context.Context, req *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	c, err := p.ready()
	if err != nil {
		return nil, err
	}
	if c.Unreachable != "" {
		return &pulumirpc.ReadResponse{}, p.forget(ctx, c, "read", req.GetUrn())
	}
	ctx, end := p.Inflight.Derive(ctx, req.GetTimeout())
	defer end()
	if isRelease(req.GetUrn()) {
		return p.releases.Load().Read(ctx, req)
	}
	state, err := decode(req.GetUrn(), "state", req.GetProperties())
	if err != nil {
		return nil, err
	}
	inputs, err := decode(req.GetUrn(), "inputs", req.GetInputs())
	if err != nil {
		return nil, err
	}
	return readObject(ctx, c, req, parseCheckpoint(state), inputs)
}

func readObject(
	ctx context.Context, c *cluster.Cluster, req *pulumirpc.ReadRequest, old checkpoint, inputs resource.PropertyMap,
) (*pulumirpc.ReadResponse, error) {
	wanted, imported := identify(req, objectOf(inputs), old)
	client, err := c.For(wanted.unstructured())
	if meta.IsNoMatchError(err) {
		return &pulumirpc.ReadResponse{}, nil
	}
	if err != nil {
		return nil, err
	}
	live, err := client.Get(ctx, wanted.name(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return &pulumirpc.ReadResponse{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s %q (resource %s): %w",
			wanted.kind(), wanted.id(), resource.URN(req.GetUrn()).Name(), err)
	}
	liveInputs := inputsOf(live, wanted, imported)
	old.inputs, old.live = liveInputs, live.Object
	if old.firstVersion == "" {
		old.firstVersion = live.GetAPIVersion()
	}
	return readResponse(req, old, inputs)
}

// identify completes the old inputs by what the ID and the type say; imported means that there are none.
func identify(req *pulumirpc.ReadRequest, wanted object, old checkpoint) (result object, imported bool) {
	wanted = normalize(wanted)
	if wanted.kind() != "" {
		return wanted, false
	}
	namespace, name := parseID(req.GetId())
	imported = old.live.kind() == ""
	wanted["apiVersion"], wanted["kind"] = old.live["apiVersion"], old.live["kind"]
	if imported {
		wanted["apiVersion"], wanted["kind"] = kindOfType(string(resource.URN(req.GetUrn()).Type()))
	}
	wanted.setMetadata("name", name)
	if namespace != "" {
		wanted.setMetadata("namespace", namespace)
	}
	return wanted, imported
}

// kindOfType reads a type token: kubernetes:core/v1:Service is v1 and Service.
func kindOfType(token string) (apiVersion, kind string) {
	parts := strings.Split(token, ":")
	if len(parts) != 3 {
		return "", ""
	}
	return strings.TrimPrefix(parts[1], "core/"), parts[2]
}

// inputsOf derives inputs from a live object: all that a person could have written where it is
// imported, else what the program wrote before.
func inputsOf(live *unstructured.Unstructured, wanted object, imported bool) object {
	if !imported {
		return prune(live.Object, wanted)
	}
	inputs := object(live.Object).clone()
	delete(inputs, "status")
	inputs.dropMetadata(serverFields...)
	if annotations, ok := inputs.at("metadata", "annotations").(map[string]any); ok {
		delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
		delete(annotations, "deployment.kubernetes.io/revision")
	}
	return inputs
}

func readResponse(
	req *pulumirpc.ReadRequest, c checkpoint, marked resource.PropertyMap,
) (*pulumirpc.ReadResponse, error) {
	state, err := rpc.Encode(req.GetId(), c.properties(marked))
	if err != nil {
		return nil, err
	}
	liveInputs := c.inputs.properties()
	markSecrets(liveInputs, marked)
	inputs, err := rpc.Encode(req.GetId(), liveInputs)
	return &pulumirpc.ReadResponse{Id: req.GetId(), Properties: state, Inputs: inputs}, err
}
