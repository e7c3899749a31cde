package kube

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"github.com/go-logr/logr"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/klog/v2"

	"lab/plugins/internal/cluster"
	"lab/plugins/internal/release"
	"lab/plugins/internal/rpc"
)

// Provider serves Kubernetes objects and hands Helm releases to package release.
type Provider struct {
	*rpc.Base

	cluster  atomic.Pointer[cluster.Cluster] // set by Configure
	releases atomic.Pointer[release.Provider]
}

// New returns a provider that has to be configured.
func New(base *rpc.Base) pulumirpc.ResourceProviderServer { return &Provider{Base: base} }

// GetSchema returns a schema without types: programs use the published SDK.
func (p *Provider) GetSchema(context.Context, *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	return &pulumirpc.GetSchemaResponse{Schema: fmt.Sprintf(`{"name":"kubernetes","version":%q}`, p.Version)}, nil
}

// Configure connects to the cluster. A cluster that does not answer is no error: previews go on.
func (p *Provider) Configure(
	ctx context.Context, req *pulumirpc.ConfigureRequest,
) (*pulumirpc.ConfigureResponse, error) {
	silence()
	vars := map[string]string{}
	for key, value := range req.GetVariables() {
		vars[strings.TrimPrefix(key, "kubernetes:config:")] = value
	}
	p.use(cluster.Connect(ctx, cluster.ParseSettings(vars)))
	return &pulumirpc.ConfigureResponse{
		AcceptSecrets: true, SupportsPreview: true, SupportsAutonamingConfiguration: true,
	}, nil
}

func (p *Provider) use(c *cluster.Cluster) {
	p.cluster.Store(c)
	p.releases.Store(release.New(p.Base, c))
}

// silence keeps the libraries off stdout, where the engine reads, and klog off stderr, which the engine
// shows to the user.
func silence() {
	os.Stdout = os.Stderr
	klog.SetLogger(logr.Discard())
}

// Invoke refuses every function.
func (p *Provider) Invoke(_ context.Context, req *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	return nil, status.Errorf(codes.Unimplemented,
		"function %s is not supported by the lab plugin; use the real pulumi-resource-kubernetes", req.GetTok())
}

// Construct refuses the component resources (Chart, ConfigFile, Kustomization).
func (p *Provider) Construct(
	_ context.Context, req *pulumirpc.ConstructRequest,
) (*pulumirpc.ConstructResponse, error) {
	return nil, status.Errorf(codes.Unimplemented,
		"component %s is not supported by the lab plugin; use the real pulumi-resource-kubernetes", req.GetType())
}

// ready returns the configured cluster.
func (p *Provider) ready() (*cluster.Cluster, error) {
	if c := p.cluster.Load(); c != nil {
		return c, nil
	}
	return nil, status.Error(codes.FailedPrecondition, "the provider is not configured")
}

// reachable returns the configured cluster, or the error of a step that needs it.
func (p *Provider) reachable() (*cluster.Cluster, error) {
	c, err := p.ready()
	if err != nil {
		return nil, err
	}
	if c.Unreachable != "" {
		return nil, fmt.Errorf("the configured Kubernetes cluster is unreachable: %s", c.Unreachable)
	}
	return c, nil
}

// isRelease reports whether a resource is a Helm release.
func isRelease(urn string) bool { return resource.URN(urn).Type() == release.Type }

// decodeBoth reads the state and the new inputs of a resource.
func decodeBoth(urn string, state, inputs *structpb.Struct) (olds, news resource.PropertyMap, err error) {
	if olds, err = decode(urn, "state", state); err != nil {
		return nil, nil, err
	}
	news, err = decode(urn, "inputs", inputs)
	return olds, news, err
}

// decode reads a wire struct of a resource; what names it in errors.
func decode(urn, what string, s *structpb.Struct) (resource.PropertyMap, error) {
	return rpc.Decode(resource.URN(urn).Name()+" "+what, s)
}
