package command

import (
	"context"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"lab/plugins/internal/rpc"
)

// typeCommand is the only resource type of this plugin.
const typeCommand = "command:local:Command"

// suffixDigits is the length of the random part of an ID, in hex digits.
const suffixDigits = 8

// Provider serves command:local:Command.
type Provider struct{ *rpc.Base }

// New returns the provider.
func New(base *rpc.Base) pulumirpc.ResourceProviderServer { return &Provider{Base: base} }

// GetSchema returns a schema without types: programs use the published SDK.
func (p *Provider) GetSchema(context.Context, *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	return &pulumirpc.GetSchemaResponse{Schema: fmt.Sprintf(`{"name":"command","version":%q}`, p.Version)}, nil
}

// CheckConfig accepts every configuration: there is nothing to configure.
func (p *Provider) CheckConfig(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: req.GetNews()}, nil
}

// DiffConfig never asks for a change of the provider resource.
func (p *Provider) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
}

// Configure announces what values the provider understands.
func (p *Provider) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{
		AcceptSecrets: true, SupportsPreview: true, AcceptResources: true, AcceptOutputs: true,
	}, nil
}

// Invoke refuses every function: the lab's program must not run anything during a preview.
func (p *Provider) Invoke(_ context.Context, req *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	return nil, status.Errorf(codes.Unimplemented,
		"function %s is not supported by the lab plugin; use the real pulumi-resource-command", req.GetTok())
}

// Check reports every input that has a wrong type or is not supported.
func (p *Provider) Check(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	props, err := decode(req.GetUrn(), "inputs", req.GetNews())
	if err != nil {
		return nil, err
	}
	_, failures := ParseInputs(props)
	return &pulumirpc.CheckResponse{Inputs: req.GetNews(), Failures: failures}, nil
}

// Diff compares the inputs of the last run with the new ones.
func (p *Provider) Diff(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	news, err := decode(req.GetUrn(), "inputs", req.GetNews())
	if err != nil {
		return nil, err
	}
	if req.GetOldInputs() != nil {
		olds, err := decode(req.GetUrn(), "old inputs", req.GetOldInputs())
		if err != nil {
			return nil, err
		}
		return Diff(olds, news), nil
	}
	state, err := decode(req.GetUrn(), "state", req.GetOlds())
	if err != nil {
		return nil, err
	}
	return Diff(inputsOf(state), news), nil
}

// Create runs the create command, or nothing in a preview.
func (p *Provider) Create(ctx context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	props, in, err := parse(req.GetUrn(), req.GetProperties())
	if err != nil {
		return nil, err
	}
	if req.GetPreview() {
		state, err := rpc.Encode(req.GetUrn(), previewCreate(props))
		return &pulumirpc.CreateResponse{Properties: state}, err
	}
	id, err := resource.NewUniqueHex(resource.URN(req.GetUrn()).Name(), suffixDigits, 0)
	if err != nil {
		return nil, err
	}
	out, err := p.step(ctx, req.GetUrn(), req.GetTimeout(), in.Create, in, Output{})
	if err != nil {
		return nil, err
	}
	state, err := rpc.Encode(req.GetUrn(), withOutput(props, out))
	return &pulumirpc.CreateResponse{Id: id, Properties: state}, err
}

// Read returns what it is given: a command has no state outside the stack.
func (p *Provider) Read(_ context.Context, req *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	return &pulumirpc.ReadResponse{
		Id: req.GetId(), Properties: req.GetProperties(), Inputs: req.GetInputs(),
	}, nil
}

// Update runs the update command, or create where there is none, or nothing in a preview.
func (p *Provider) Update(ctx context.Context, req *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	old, err := decode(req.GetUrn(), "state", req.GetOlds())
	if err != nil {
		return nil, err
	}
	props, in, err := parse(req.GetUrn(), req.GetNews())
	if err != nil {
		return nil, err
	}
	if req.GetPreview() {
		state, err := rpc.Encode(req.GetUrn(), previewUpdate(old, props))
		return &pulumirpc.UpdateResponse{Properties: state}, err
	}
	command := in.Update
	if command == nil {
		command = in.Create
	}
	out, err := p.step(ctx, req.GetUrn(), req.GetTimeout(), command, in, outputOf(old))
	if err != nil {
		return nil, err
	}
	state, err := rpc.Encode(req.GetUrn(), withOutput(props, out))
	return &pulumirpc.UpdateResponse{Properties: state}, err
}

// Delete runs the delete command of the old state with the environment of the old state.
func (p *Provider) Delete(ctx context.Context, req *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	old, err := decode(req.GetUrn(), "state", req.GetProperties())
	if err != nil {
		return nil, err
	}
	_, in, err := parseProps(req.GetUrn(), inputsOf(old))
	if err != nil {
		return nil, err
	}
	if _, err := p.step(ctx, req.GetUrn(), req.GetTimeout(), in.Delete, in, outputOf(old)); err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

// step runs one command under the limits of the call; without a command the output stays as it was.
func (p *Provider) step(
	ctx context.Context, urn string, timeout float64, command *string, in Inputs, previous Output,
) (Output, error) {
	if command == nil {
		return previous, nil
	}
	ctx, end := p.Inflight.Derive(ctx, timeout)
	defer end()
	return run(ctx, *command, in, previous, func(line string) {
		p.Log.Status(ctx, diag.Info, urn, line)
	})
}
