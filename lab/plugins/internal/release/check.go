package release

import (
	"cmp"
	"context"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"helm.sh/helm/v3/pkg/action"

	"lab/plugins/internal/propdiff"
	"lab/plugins/internal/rpc"
)

// Check names the release, fills in defaults and, once everything is known, resolves the version of
// the chart. It needs the chart, but no cluster.
func (p *Provider) Check(ctx context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	olds, news, err := decodeBoth(req.GetUrn(), req.GetOlds(), req.GetNews())
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.CheckResponse{Inputs: req.GetNews(), Failures: refusals(news)}
	if len(response.Failures) > 0 {
		return response, nil
	}
	if err := p.setDefaults(news, olds, resource.URN(req.GetUrn()).Name()); err != nil {
		return nil, err
	}
	spec, err := parse(news)
	if err != nil {
		return nil, err
	}
	if spec.AllowNullValues {
		p.Log.Line(ctx, diag.Warning, req.GetUrn(), "allowNullValues has no effect any more")
	}
	if !news.ContainsUnknowns() {
		if err := p.resolveVersion(spec); err != nil {
			response.Failures = append(response.Failures, &pulumirpc.CheckFailure{Property: "chart", Reason: err.Error()})
		}
	}
	return p.checked(response, spec, news)
}

// refusals are the failures of the inputs that this plugin does not implement.
func refusals(news resource.PropertyMap) []*pulumirpc.CheckFailure {
	var failures []*pulumirpc.CheckFailure
	for _, key := range refused(news) {
		failures = append(failures, &pulumirpc.CheckFailure{
			Property: string(key), Reason: "not supported by the lab plugin; use the real pulumi-resource-kubernetes",
		})
	}
	return failures
}

func (p *Provider) checked(
	response *pulumirpc.CheckResponse, spec *Spec, news resource.PropertyMap,
) (*pulumirpc.CheckResponse, error) {
	spec.ResourceNames, spec.Status = nil, nil
	inputs, err := spec.properties()
	if err != nil {
		return nil, err
	}
	rpc.CopyUnknowns(inputs, news)
	rpc.CopySecrets(inputs, news)
	response.Inputs, err = rpc.Encode(spec.Name, inputs)
	return response, err
}

func (p *Provider) setDefaults(news, olds resource.PropertyMap, resourceName string) error {
	if isEmpty(news["name"]) {
		news["name"] = olds["name"]
	}
	if isEmpty(news["name"]) {
		name, err := resource.NewUniqueHex(resourceName+"-", 0, 0)
		if err != nil {
			return err
		}
		news["name"] = resource.NewProperty(name)
	}
	if isEmpty(news["namespace"]) {
		news["namespace"] = resource.NewProperty(cmp.Or(p.cluster.Namespace, "default"))
	}
	skip := rpc.Plain(news["skipAwait"])
	if _, set := news["timeout"]; !set && (!skip.IsBool() || !skip.BoolValue()) {
		news["timeout"] = resource.NewProperty(float64(defaultTimeout))
	}
	return nil
}

func isEmpty(v resource.PropertyValue) bool {
	v = rpc.Plain(v)
	return v.IsNull() || (v.IsString() && v.StringValue() == "")
}

// resolveVersion replaces a version constraint by the version of the chart that it selects.
func (p *Provider) resolveVersion(spec *Spec) error {
	config, err := p.helm(spec.Namespace)
	if err != nil {
		return err
	}
	client := action.NewInstall(config)
	found, _, err := load(&client.ChartPathOptions, config.RegistryClient, p.settings, spec)
	if err != nil {
		return fmt.Errorf("%w; check the chart's name and its repository", err)
	}
	spec.Version = found.Metadata.Version
	return nil
}

// pinned replaces a release: Helm can neither rename nor move one.
var pinned = []string{"name", "namespace"}

// Diff compares the state (values and version as Helm knows them after a refresh) with the inputs.
func (p *Provider) Diff(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	state, err := decode(req.GetUrn(), "state", req.GetOlds())
	if err != nil {
		return nil, err
	}
	news, err := decode(req.GetUrn(), "inputs", req.GetNews())
	if err != nil {
		return nil, err
	}
	return diff(state, news, req.GetIgnoreChanges()), nil
}

func diff(state, news resource.PropertyMap, ignored []string) *pulumirpc.DiffResponse {
	for _, path := range ignored {
		if path == "version" { // Check resolved it again, so the engine could not keep it
			news["version"] = state["version"]
		}
	}
	inputs := oldInputs(state)
	delete(inputs, "resourceNames")
	for key := range news { // a state may be older than an input that says nothing
		if !state.HasValue(key) && !inputs.HasValue(key) && !isSet(rpc.Plain(news[key])) {
			delete(news, key)
		}
	}
	return propdiff.Response(propdiff.Compare(propdiff.Input{
		Live: rpc.ToPlain(state, nil), Inputs: rpc.ToPlain(inputs, nil), Wanted: rpc.ToPlain(news, nil), Pinned: pinned,
	}))
}
