package kube

import (
	"slices"
	"testing"

	"lab/plugins/internal/cluster"
)

// stateOf returns what a create would have stored for inputs, with what a server adds.
func stateOf(inputs m) checkpoint {
	live := object(inputs).clone()
	live.setMetadata("uid", "1")
	live.setMetadata("namespace", "default")
	live["status"] = m{"phase": "Active"}
	return checkpoint{inputs: object(inputs).clone(), live: live}
}

func TestDiffObjects(t *testing.T) {
	service := m{
		"apiVersion": "v1", "kind": "Service", "metadata": m{"name": "web", "labels": m{"a": "1"}},
		"spec": m{"type": "LoadBalancer", "clusterIP": "10.96.0.9", "ports": []any{m{"port": int64(80)}}},
	}
	with := func(change func(object)) m {
		wanted := object(service).clone()
		change(wanted)
		return wanted
	}
	spec := func(o object) object {
		inner, _ := o["spec"].(map[string]any)
		return inner
	}
	for name, tc := range map[string]struct {
		wanted    m
		want      []string
		deletable bool // delete before replace
	}{
		"same":              {service, nil, false},
		"default namespace": {with(func(o object) { o.setMetadata("namespace", "default") }), nil, false},
		"label":             {with(func(o object) { o.setMetadata("labels", m{"a": "2"}) }), []string{"metadata.labels.a UPDATE"}, false},
		"label removed":     {with(func(o object) { o.setMetadata("labels", m{}) }), []string{"metadata.labels DELETE"}, false},
		"port":              {with(func(o object) { spec(o)["ports"] = []any{m{"port": int64(81)}} }), []string{"spec.ports[0].port UPDATE"}, false},
		"cluster IP":        {with(func(o object) { spec(o)["clusterIP"] = "None" }), []string{"spec.clusterIP UPDATE_REPLACE"}, true},
		"name":              {with(func(o object) { o.setMetadata("name", "other") }), []string{"metadata.name UPDATE_REPLACE"}, false},
		"namespace":         {with(func(o object) { o.setMetadata("namespace", "x") }), []string{"metadata.namespace UPDATE_REPLACE"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, c := newProvider()
			got := diffObjects(c, stateOf(service), object(tc.wanted).clone())
			if paths := kinds(got.GetDetailedDiff()); !slices.Equal(paths, tc.want) {
				t.Fatalf("diff %q, want %q", paths, tc.want)
			}
			if got.GetDeleteBeforeReplace() != tc.deletable {
				t.Fatalf("delete before replace is %v", got.GetDeleteBeforeReplace())
			}
		})
	}
}

func TestDiffIgnoresTheNamespaceOfAKindThatIsUnknown(t *testing.T) {
	pool := m{"apiVersion": "cilium.io/v2", "kind": "CiliumLoadBalancerIPPool", "metadata": m{"name": "p"}, "spec": m{"a": "b"}}
	old := stateOf(pool)
	old.live.dropMetadata("namespace") // the server knows that it is cluster-scoped
	wanted := object(pool).clone()
	wanted.setMetadata("namespace", "default") // what Check assumes without a cluster
	_, c := newProvider()
	if got := kinds(diffObjects(c, old, wanted).GetDetailedDiff()); len(got) > 0 {
		t.Fatalf("diff %q", got)
	}
}

func TestDiffOfAnAutonamedObjectCreatesFirst(t *testing.T) {
	inputs := configMap("settings-0123abcd", m{"a": "1"})
	object(inputs).annotate(annotationAutonamed, "true")
	wanted := object(inputs).clone()
	wanted["data"] = m{"a": "2"}
	_, c := newProvider()
	got := diffObjects(c, stateOf(inputs), wanted)
	if !slices.Equal(got.GetReplaces(), []string{"data.a"}) || got.GetDeleteBeforeReplace() {
		t.Fatalf("replaces %q, delete first %v", got.GetReplaces(), got.GetDeleteBeforeReplace())
	}
}

func TestDataReplacesUnlessItIsMutable(t *testing.T) {
	for name, tc := range map[string]struct {
		kind      string
		settings  cluster.Settings
		immutable bool
		want      bool
	}{
		"ConfigMap":           {"ConfigMap", cluster.Settings{}, false, true},
		"mutable ConfigMap":   {"ConfigMap", cluster.Settings{EnableConfigMapMutable: true}, false, false},
		"immutable ConfigMap": {"ConfigMap", cluster.Settings{EnableConfigMapMutable: true}, true, true},
		"Secret":              {"Secret", cluster.Settings{}, false, true},
		"mutable Secret":      {"Secret", cluster.Settings{EnableSecretMutable: true}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := object{"apiVersion": "v1", "kind": tc.kind, "immutable": tc.immutable}
			if got := slices.Contains(pinned(tc.settings, o), "data"); got != tc.want {
				t.Fatalf("data is pinned: %v", got)
			}
		})
	}
}

func TestCheckpointRoundTripKeepsDashedKeys(t *testing.T) {
	c := checkpoint{
		inputs:       object{"kind": "CustomResourceDefinition", "x-kubernetes-list-type": "map"},
		live:         object{"kind": "CustomResourceDefinition", "metadata": m{"name": "n"}, "x-kubernetes-list-type": "map"},
		firstVersion: "v1", fieldManager: "pulumi-kubernetes-1",
	}
	state := c.properties(nil)
	if _, found := state["x_kubernetes_list_type"]; !found {
		t.Fatalf("state is %v", state)
	}
	back := parseCheckpoint(state)
	if back.fieldManager != c.fieldManager || back.firstVersion != "v1" || back.live.text("x-kubernetes-list-type") != "map" ||
		back.inputs.text("x-kubernetes-list-type") != "map" || back.live[keyInputs] != nil {
		t.Fatalf("parsed %v", back)
	}
}
