package kube

import (
	"regexp"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"lab/plugins/internal/rpctest"
)

func TestCheckNamesAnObjectAndKeepsTheName(t *testing.T) {
	p, _ := newProvider()
	unnamed := m{"apiVersion": "v1", "kind": "ConfigMap", "data": m{"a": "1"}}
	first := objectOf(rpctest.Check(t, p, mapURN, nil, unnamed))
	if !regexp.MustCompile(`^settings-[0-9a-f]{8}$`).MatchString(first.name()) {
		t.Fatalf("name is %q", first.name())
	}
	if first.annotation(annotationAutonamed) != "true" || first.namespace() != "default" {
		t.Fatalf("metadata is %v", first["metadata"])
	}
	if again := objectOf(rpctest.Check(t, p, mapURN, first, unnamed)); again.name() != first.name() {
		t.Fatalf("the name changed from %q to %q", first.name(), again.name())
	}
}

func TestCheckFollowsTheEngineOnNames(t *testing.T) {
	p, _ := newProvider()
	request := func(mode pulumirpc.CheckRequest_AutonamingOptions_Mode) *pulumirpc.CheckRequest {
		return &pulumirpc.CheckRequest{
			Urn: mapURN, News: rpctest.Wire(t, m{"apiVersion": "v1", "kind": "ConfigMap"}),
			Autonaming: &pulumirpc.CheckRequest_AutonamingOptions{Mode: mode, ProposedName: "proposed"},
		}
	}
	response, err := p.Check(t.Context(), request(pulumirpc.CheckRequest_AutonamingOptions_PROPOSE))
	if err != nil {
		t.Fatal(err)
	}
	if name := objectOf(rpctest.Decode(t, response.GetInputs())).name(); name != "proposed" {
		t.Fatalf("name is %q", name)
	}
	_, err = p.Check(t.Context(), request(pulumirpc.CheckRequest_AutonamingOptions_DISABLE))
	rpctest.WantError(t, err, "settings: autonaming is off, so metadata.name is required")
}

func TestCheckSetsTheNamespaceByScope(t *testing.T) {
	namespace := m{"apiVersion": "v1", "kind": "Namespace", "metadata": m{"name": "x"}}
	pool := m{"apiVersion": "cilium.io/v2", "kind": "CiliumLoadBalancerIPPool", "metadata": m{"name": "x"}}
	p, c := newProvider()
	if got := objectOf(rpctest.Check(t, p, mapURN, nil, namespace)).namespace(); got != "" {
		t.Errorf("a Namespace got namespace %q", got)
	}
	if got := objectOf(rpctest.Check(t, p, poolURN, nil, pool)).namespace(); got != "default" {
		t.Errorf("an object of an unknown kind got namespace %q, want the default", got)
	}
	mapper, _ := c.Mapper.(*fixedMapper)
	mapper.addPools()
	if got := objectOf(rpctest.Check(t, p, poolURN, nil, pool)).namespace(); got != "" {
		t.Errorf("a pool got namespace %q", got)
	}
}

func TestCheckKeepsUnknownsAndSecrets(t *testing.T) {
	p, _ := newProvider()
	unknown := resource.MakeComputed(resource.NewProperty(""))
	news := resource.PropertyMap{
		"apiVersion": resource.NewProperty("v1"), "kind": resource.NewProperty("ConfigMap"),
		"metadata": resource.NewProperty(resource.PropertyMap{"name": unknown, "annotations": unknown}),
		"data":     resource.NewProperty(resource.PropertyMap{"a": resource.MakeSecret(resource.NewProperty("s"))}),
	}
	response, err := p.Check(t.Context(), &pulumirpc.CheckRequest{Urn: mapURN, News: rpctest.Encode(t, news)})
	if err != nil {
		t.Fatal(err)
	}
	got := rpctest.Decode(t, response.GetInputs())
	metadata := got["metadata"].ObjectValue()
	if !metadata["name"].IsComputed() || !metadata["annotations"].IsComputed() {
		t.Errorf("metadata is %v", metadata)
	}
	if !got["data"].ObjectValue()["a"].IsSecret() {
		t.Errorf("data is %v", got["data"])
	}
}

func TestCheckMovesStringDataAndMarksItSecret(t *testing.T) {
	p, _ := newProvider()
	got := rpctest.Check(t, p, mapURN, nil, m{
		"apiVersion": "v1", "kind": "Secret", "metadata": m{"name": "x"}, "stringData": m{"k": "v"},
	})
	data := got["data"]
	if !data.IsSecret() || data.SecretValue().Element.ObjectValue()["k"].StringValue() != "dg==" {
		t.Fatalf("data is %v", got)
	}
	if _, left := got["stringData"]; left {
		t.Fatal("stringData is left")
	}
}

func TestCheckNormalizesBuiltInKinds(t *testing.T) {
	p, _ := newProvider()
	got := objectOf(rpctest.Check(t, p, mapURN, nil, m{
		"apiVersion": "v1", "kind": "Pod", "metadata": m{"name": "x", "uid": "set by the server"},
		"spec": m{"containers": []any{m{"name": "c", "resources": m{"requests": m{"cpu": "0.5"}}}}},
	}))
	containers, _ := got.at("spec", "containers").([]any)
	container, _ := containers[0].(map[string]any)
	if cpu := object(container).text("resources", "requests", "cpu"); cpu != "500m" {
		t.Errorf("cpu is %q, want 500m", cpu)
	}
	if len(container) != 2 {
		t.Errorf("defaults were added: %v", container)
	}
	if got.at("metadata", "uid") != nil {
		t.Error("uid is an input")
	}
}

func TestCheckRefusesWhatItWouldDoDifferently(t *testing.T) {
	p, _ := newProvider()
	for name, tc := range map[string]struct {
		urn  string
		news m
		want string
	}{
		"patch": {
			"urn:pulumi:t::p::kubernetes:core/v1:NamespacePatch::x",
			m{"apiVersion": "v1", "kind": "Namespace", "metadata": m{"name": "x"}},
			"kubernetes:core/v1:NamespacePatch: a patch resource is not supported by the lab plugin; " +
				"use the real pulumi-resource-kubernetes",
		},
		"list": {
			"urn:pulumi:t::p::kubernetes:core/v1:ServiceList::x", m{"apiVersion": "v1", "kind": "ServiceList"},
			"kubernetes:core/v1:ServiceList: a list cannot be created, only the objects in it",
		},
		"waitFor": {
			mapURN, m{
				"apiVersion": "v1", "kind": "ConfigMap",
				"metadata": m{"annotations": m{"pulumi.com/waitFor": "condition=Ready"}},
			},
			"metadata.annotations: pulumi.com/waitFor is not supported by the lab plugin; " +
				"use the real pulumi-resource-kubernetes",
		},
		"generateName": {
			mapURN, m{"apiVersion": "v1", "kind": "ConfigMap", "metadata": m{"generateName": "x-"}},
			"metadata.generateName: server-side apply needs metadata.name",
		},
		"kind": {mapURN, m{"apiVersion": "v1"}, "kubernetes:core/v1:ConfigMap: apiVersion and kind are required"},
	} {
		t.Run(name, func(t *testing.T) {
			response, err := p.Check(t.Context(), &pulumirpc.CheckRequest{Urn: tc.urn, News: rpctest.Wire(t, tc.news)})
			if err != nil {
				t.Fatal(err)
			}
			if f := response.GetFailures(); len(f) != 1 || f[0].GetReason() != tc.want {
				t.Fatalf("failures %v, want %q", f, tc.want)
			}
		})
	}
}
