package release

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
	"helm.sh/helm/v3/pkg/cli"

	"lab/plugins/internal/cluster"
	"lab/plugins/internal/rpc"
)

// Provider serves releases in one cluster.
type Provider struct {
	*rpc.Base

	cluster  *cluster.Cluster
	settings *cli.EnvSettings
}

// New returns the provider of releases in c. Caches and repositories are those of the helm command
// (HELM_CACHE_HOME, HELM_CONFIG_HOME).
func New(base *rpc.Base, c *cluster.Cluster) *Provider {
	return &Provider{Base: base, cluster: c, settings: cli.New()}
}

func decode(urn, what string, s *structpb.Struct) (resource.PropertyMap, error) {
	return rpc.Decode(resource.URN(urn).Name()+" "+what, s)
}

// decodeBoth reads the state, or the old inputs, and the new inputs of a release.
func decodeBoth(urn string, state, inputs *structpb.Struct) (olds, news resource.PropertyMap, err error) {
	if olds, err = decode(urn, "state", state); err != nil {
		return nil, nil, err
	}
	news, err = decode(urn, "inputs", inputs)
	return olds, news, err
}

// where names a release in errors.
func where(action, urn string, s *Spec) string {
	return fmt.Sprintf("%s Helm release %q (resource %s)", action, s.id(), resource.URN(urn).Name())
}

// reachable returns the error of a step that needs a cluster which does not answer.
func (p *Provider) reachable() error {
	if p.cluster.Unreachable == "" {
		return nil
	}
	return fmt.Errorf("the configured Kubernetes cluster is unreachable: %s", p.cluster.Unreachable)
}

// decodeSpec reads a release out of inputs or a state; what says which, for the error.
func decodeSpec(urn, what string, sent *structpb.Struct) (resource.PropertyMap, *Spec, error) {
	props, err := decode(urn, what, sent)
	if err != nil {
		return nil, nil, err
	}
	spec, err := parse(props)
	return props, spec, err
}

// Create installs the release, or nothing in a preview.
func (p *Provider) Create(ctx context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	inputs, spec, err := decodeSpec(req.GetUrn(), "inputs", req.GetProperties())
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.CreateResponse{}
	if !req.GetPreview() {
		response.Id = spec.id()
		ctx, end := p.Inflight.Derive(ctx, 0)
		defer end()
		err = p.reachable()
		if err == nil {
			err = p.install(ctx, spec)
		}
	}
	if err := finish(where("create", req.GetUrn(), spec), "was created", spec, inputs, err); err != nil {
		return nil, err
	}
	response.Properties, err = encodeState(spec, inputs, req.GetPreview())
	return response, err
}

// Update upgrades the release, or does nothing in a preview.
func (p *Provider) Update(ctx context.Context, req *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	state, inputs, err := decodeBoth(req.GetUrn(), req.GetOlds(), req.GetNews())
	if err != nil {
		return nil, err
	}
	old, err := parse(state)
	if err != nil {
		return nil, err
	}
	spec, err := parse(inputs)
	if err != nil {
		return nil, err
	}
	if !req.GetPreview() {
		ctx, end := p.Inflight.Derive(ctx, 0)
		defer end()
		err = p.reachable()
		if err == nil {
			err = p.upgrade(ctx, old, spec)
		}
	}
	if err := finish(where("update", req.GetUrn(), spec), "was upgraded", spec, inputs, err); err != nil {
		return nil, err
	}
	properties, err := encodeState(spec, inputs, req.GetPreview())
	return &pulumirpc.UpdateResponse{Properties: properties}, err
}

// finish turns the result of Helm into the error of a step: an incomplete release is kept in the state.
func finish(what, done string, spec *Spec, inputs resource.PropertyMap, err error) error {
	var incomplete *incompleteError
	if err == nil {
		return nil
	}
	if !errors.As(err, &incomplete) {
		return fmt.Errorf("%s: %w", what, err)
	}
	state, stateErr := checkpoint(spec, inputs, false)
	if stateErr != nil {
		return stateErr
	}
	return rpc.InitFailed(spec.id(), state, fmt.Errorf(
		"Helm release %q %s, but failed to initialize completely (status %s); `helm status -n %s %s` says more: %w",
		spec.id(), done, spec.Status.Status, spec.Namespace, spec.Name, err))
}

func encodeState(spec *Spec, inputs resource.PropertyMap, preview bool) (*structpb.Struct, error) {
	state, err := checkpoint(spec, inputs, preview)
	if err != nil {
		return nil, err
	}
	return rpc.Encode(spec.id(), state)
}

// Read asks Helm for the last revision. A release that is gone leaves the state.
func (p *Provider) Read(_ context.Context, req *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	state, spec, err := decodeSpec(req.GetUrn(), "state", req.GetProperties())
	if err != nil {
		return nil, err
	}
	if len(state) == 0 {
		spec.Namespace, spec.Name, _ = strings.Cut(req.GetId(), "/")
	}
	config, err := p.helm(spec.Namespace)
	if err != nil {
		return nil, err
	}
	found, exists, err := lookup(config, spec.Name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where("read", req.GetUrn(), spec), err)
	}
	if !exists {
		return &pulumirpc.ReadResponse{}, nil
	}
	if err := spec.record(found); err != nil {
		return nil, err
	}
	return readResponse(req.GetId(), spec, oldInputs(state))
}

func readResponse(id string, spec *Spec, inputs resource.PropertyMap) (*pulumirpc.ReadResponse, error) {
	if inputs == nil {
		imported := *spec
		imported.Status, imported.ResourceNames, imported.Timeout = nil, nil, defaultTimeout
		var err error
		if inputs, err = imported.properties(); err != nil {
			return nil, err
		}
	}
	properties, err := encodeState(spec, inputs, false)
	if err != nil {
		return nil, err
	}
	encoded, err := rpc.Encode(id, inputs)
	return &pulumirpc.ReadResponse{Id: id, Properties: properties, Inputs: encoded}, err
}

// Delete uninstalls the release.
func (p *Provider) Delete(ctx context.Context, req *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	_, spec, err := decodeSpec(req.GetUrn(), "state", req.GetProperties())
	if err != nil {
		return nil, err
	}
	info, err := p.uninstall(spec)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where("delete", req.GetUrn(), spec), err)
	}
	if info != "" {
		p.Log.Line(ctx, diag.Warning, req.GetUrn(), "helm uninstall: "+info)
	}
	return &emptypb.Empty{}, nil
}
