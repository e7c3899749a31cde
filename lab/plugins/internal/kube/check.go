package kube

import (
	"context"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"lab/plugins/internal/cluster"
	"lab/plugins/internal/rpc"
)

// Check names the object, gives it the default namespace and brings its values into the form that the
// API server uses. It needs no cluster.
func (p *Provider) Check(ctx context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	c, err := p.ready()
	if err != nil {
		return nil, err
	}
	if isRelease(req.GetUrn()) {
		return p.releases.Load().Check(ctx, req)
	}
	olds, err := decode(req.GetUrn(), "old inputs", req.GetOlds())
	if err != nil {
		return nil, err
	}
	news, err := decode(req.GetUrn(), "inputs", req.GetNews())
	if err != nil {
		return nil, err
	}
	wanted := normalize(objectOf(news))
	if failures := refuse(req.GetUrn(), wanted); len(failures) > 0 {
		return &pulumirpc.CheckResponse{Inputs: req.GetNews(), Failures: failures}, nil
	}
	if err := assignName(wanted, objectOf(olds), req); err != nil {
		return nil, err
	}
	assignNamespace(c, wanted)
	checked := wanted.properties()
	markSecrets(checked, news)
	inputs, err := rpc.Encode(req.GetUrn(), checked)
	return &pulumirpc.CheckResponse{Inputs: inputs}, err
}

// refuse lists what this plugin would otherwise silently do differently from the real one.
func refuse(urn string, wanted object) []*pulumirpc.CheckFailure {
	token := string(resource.URN(urn).Type())
	const advice = "is not supported by the lab plugin; use the real pulumi-resource-kubernetes"
	rules := []struct {
		broken bool
		reason string
	}{
		{isTypeSuffix(token, wanted.kind(), "Patch"), token + ": a patch resource " + advice},
		{isBuiltInList(wanted), token + ": a list cannot be created, only the objects in it"},
		{wanted.annotation(annotationWaitFor) != "", "metadata.annotations: " + annotationWaitFor + " " + advice},
		{
			wanted.at("metadata", "generateName") != nil && !wanted.hasName(),
			"metadata.generateName: server-side apply needs metadata.name",
		},
		{wanted.text("apiVersion") == "" || wanted.kind() == "", token + ": apiVersion and kind are required"},
	}
	var failures []*pulumirpc.CheckFailure
	for _, rule := range rules {
		if rule.broken {
			// Without a property the engine does not print the value, which is long and could be secret.
			failures = append(failures, &pulumirpc.CheckFailure{Reason: rule.reason})
		}
	}
	return failures
}

func isBuiltInList(o object) bool {
	return strings.HasSuffix(o.kind(), "List") && cluster.IsBuiltIn(o.gvk())
}

// isTypeSuffix reports whether the type has a suffix that the kind itself does not have.
func isTypeSuffix(token, kind, suffix string) bool {
	return strings.HasSuffix(token, suffix) && !strings.HasSuffix(kind, suffix)
}

// assignName keeps the generated name of the old inputs, or generates one.
func assignName(wanted, old object, req *pulumirpc.CheckRequest) error {
	if wanted.hasName() {
		return nil
	}
	name := old.name()
	if name == "" || old.annotation(annotationAutonamed) != "true" {
		generated, err := generateName(req)
		if err != nil {
			return err
		}
		name = generated
	}
	wanted.setMetadata("name", name)
	wanted.annotate(annotationAutonamed, "true")
	return nil
}

func generateName(req *pulumirpc.CheckRequest) (string, error) {
	if options := req.GetAutonaming(); options != nil {
		if options.GetMode() == pulumirpc.CheckRequest_AutonamingOptions_DISABLE {
			return "", fmt.Errorf("%s: autonaming is off, so metadata.name is required", resource.URN(req.GetUrn()).Name())
		}
		return options.GetProposedName(), nil
	}
	return resource.NewUniqueName(req.GetRandomSeed(), resource.URN(req.GetUrn()).Name()+"-", 0, 0, nil)
}

func assignNamespace(c *cluster.Cluster, wanted object) {
	if c.Namespace == "" || wanted.at("metadata", "namespace") != nil {
		return
	}
	if namespaced, _ := c.Namespaced(wanted.gvk()); namespaced {
		wanted.setMetadata("namespace", c.Namespace)
	}
}
