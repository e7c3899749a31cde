package kube

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"lab/plugins/internal/rpc"
	"lab/plugins/internal/rpctest"
)

// real drives the provider in front of a real API server, as the engine would.
type real struct {
	*testing.T

	p *Provider
}

func (r *real) create(urn string, inputs m) (id string, state resource.PropertyMap, err error) {
	r.Helper()
	checked := rpctest.Check(r.T, r.p, urn, nil, inputs)
	response, err := r.p.Create(r.Context(), &pulumirpc.CreateRequest{Urn: urn, Properties: rpctest.Encode(r.T, checked)})
	if err != nil {
		return "", nil, err
	}
	return response.GetId(), rpctest.Decode(r.T, response.GetProperties()), nil
}

func (r *real) mustCreate(urn string, inputs m) (string, resource.PropertyMap) {
	r.Helper()
	id, state, err := r.create(urn, inputs)
	if err != nil {
		r.Fatal(err)
	}
	return id, state
}

func (r *real) update(urn string, state resource.PropertyMap, inputs m, preview bool) (resource.PropertyMap, error) {
	r.Helper()
	checked := rpctest.Check(r.T, r.p, urn, inputs, inputs)
	response, err := r.p.Update(r.Context(), &pulumirpc.UpdateRequest{
		Urn: urn, Olds: rpctest.Encode(r.T, state), News: rpctest.Encode(r.T, checked), Preview: preview,
	})
	if err != nil {
		return nil, err
	}
	return rpctest.Decode(r.T, response.GetProperties()), nil
}

// diff returns the detailed diff between a state and inputs, which a program without changes keeps empty.
func (r *real) diff(urn string, state resource.PropertyMap, inputs m) []string {
	r.Helper()
	response, err := r.p.Diff(r.Context(), &pulumirpc.DiffRequest{
		Urn: urn, Olds: rpctest.Encode(r.T, state), News: rpctest.Encode(r.T, rpctest.Check(r.T, r.p, urn, inputs, inputs)),
	})
	if err != nil {
		r.Fatal(err)
	}
	return kinds(response.GetDetailedDiff())
}

// apply writes an object as another field manager.
func (r *real) apply(manager string, o m) {
	r.Helper()
	wanted := object(o).clone().unstructured()
	client, err := r.p.cluster.Load().For(wanted)
	if err != nil {
		r.Fatal(err)
	}
	if _, err := (apply{client: client, manager: manager, force: true}).run(r.Context(), wanted); err != nil {
		r.Fatal(err)
	}
}

func (r *real) get(o m) *unstructured.Unstructured {
	r.Helper()
	wanted := object(o).unstructured()
	client, err := r.p.cluster.Load().For(wanted)
	if err != nil {
		r.Fatal(err)
	}
	live, err := client.Get(r.Context(), wanted.GetName(), metav1.GetOptions{})
	if err != nil {
		r.Fatal(err)
	}
	return live
}

func service(selector string) m {
	return m{
		"apiVersion": "v1", "kind": "Service", "metadata": m{"name": "web", "annotations": m{}},
		"spec": m{"selector": m{"app": selector}, "ports": []any{m{"port": int64(80)}}},
	}
}

func poolDefinition() m {
	return m{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": m{"name": "ciliumloadbalancerippools.cilium.io"},
		"spec": m{
			"group": "cilium.io", "scope": "Cluster",
			"names": m{
				"plural": "ciliumloadbalancerippools", "singular": "ciliumloadbalancerippool",
				"kind": "CiliumLoadBalancerIPPool", "listKind": "CiliumLoadBalancerIPPoolList",
			},
			"versions": []any{m{
				"name": "v2", "served": true, "storage": true,
				"schema": m{"openAPIV3Schema": m{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
			}},
		},
	}
}

func TestRealAPIServer(t *testing.T) {
	config := startCluster(t)
	r := &real{T: t, p: configure(t, map[string]string{"kubeconfig": config})}
	t.Run("objects", func(t *testing.T) { (&real{T: t, p: r.p}).objects() })
	t.Run("conflict", func(t *testing.T) { (&real{T: t, p: r.p}).conflict() })
	t.Run("custom resource", func(t *testing.T) { (&real{T: t, p: r.p}).customResource() })
	t.Run("upsert", func(t *testing.T) {
		p := configure(t, map[string]string{"kubeconfig": config, "upsertExistingObjects": "true"})
		(&real{T: t, p: p}).upsert()
	})
	t.Run("release", func(t *testing.T) { (&real{T: t, p: r.p}).release() })
}

func (r *real) objects() {
	namespace := m{"apiVersion": "v1", "kind": "Namespace", "metadata": m{"name": "ingress-nginx"}}
	const namespaceURN = "urn:pulumi:test::project::kubernetes:core/v1:Namespace::ns"
	if id, state := r.mustCreate(namespaceURN, namespace); id != "ingress-nginx" || len(r.diff(namespaceURN, state, namespace)) > 0 {
		r.Errorf("namespace %q has diff %q", id, r.diff(namespaceURN, state, namespace))
	}
	id, state := r.mustCreate(serviceURN, service("a"))
	if id != "default/web" || parseCheckpoint(state).live.text("spec", "clusterIP") == "" {
		r.Errorf("service %q is %v", id, state)
	}
	if diff := r.diff(serviceURN, state, service("a")); len(diff) > 0 {
		r.Errorf("an unchanged Service has diff %q", diff)
	}
	previewed, err := r.update(serviceURN, state, service("b"), true)
	if err != nil {
		r.Fatal(err)
	}
	if got := parseCheckpoint(previewed).live.text("spec", "selector", "app"); got != "b" {
		r.Errorf("the preview has selector %q", got)
	}
	if got, _, _ := unstructured.NestedString(r.get(service("")).Object, "spec", "selector", "app"); got != "a" {
		r.Errorf("the preview changed the selector to %q", got)
	}
	updated, err := r.update(serviceURN, state, service("b"), false)
	if err != nil {
		r.Fatal(err)
	}
	manager := parseCheckpoint(updated).fieldManager
	if got := managers(r.get(service(""))); !slices.Equal(got, []string{manager + " Apply"}) {
		r.Errorf("managers are %q, want only %q", got, manager)
	}
	invalid := service("a")
	invalid["spec"] = m{"type": "Nope"}
	_, err = r.p.Create(r.Context(), &pulumirpc.CreateRequest{
		Urn: serviceURN, Preview: true, Properties: rpctest.Encode(r.T, rpctest.Check(r.T, r.p, serviceURN, nil, invalid)),
	})
	rpctest.WantError(r.T, err, `create Service "default/web" (resource web)`, "spec.type: Unsupported value")
	r.delete(serviceURN, id, updated)
	if _, err := r.p.Read(r.Context(), &pulumirpc.ReadRequest{Urn: serviceURN, Id: id, Properties: rpctest.Encode(r.T, updated)}); err != nil {
		r.Errorf("read of a deleted Service: %v", err)
	}
}

func managers(o *unstructured.Unstructured) []string {
	var names []string
	for _, entry := range o.GetManagedFields() {
		names = append(names, entry.Manager+" "+string(entry.Operation))
	}
	return names
}

// delete removes an object. No controller manager runs here that would finish a foreground deletion.
func (r *real) delete(urn, id string, state resource.PropertyMap) {
	r.Helper()
	if !isRelease(urn) {
		c := parseCheckpoint(state)
		c.inputs.annotate(annotationPropagation, "background")
		state = c.properties(state)
	}
	if _, err := r.p.Delete(r.Context(), &pulumirpc.DeleteRequest{
		Urn: urn, Id: id, Properties: rpctest.Encode(r.T, state), Timeout: 60,
	}); err != nil {
		r.Fatal(err)
	}
}

func (r *real) conflict() {
	id, state := r.mustCreate(mapURN, labelled("program"))
	r.apply("flux", labelled("flux"))
	_, err := r.update(mapURN, state, labelled("program-2"), false)
	rpctest.WantError(r.T, err, `update ConfigMap "default/shared" (resource settings)`, `as field manager "pulumi-kubernetes-`,
		`conflict with "flux": .metadata.labels.owner`, "pulumi.com/patchForce")
	forced := labelled("program-2")
	object(forced).annotate(annotationPatchForce, "true")
	if _, err := r.update(mapURN, state, forced, false); err != nil {
		r.Fatal(err)
	}
	if got := r.get(labelled("")).GetLabels()["owner"]; got != "program-2" {
		r.Errorf("the label is %q", got)
	}
	_, _, err = r.create(mapURN, labelled("again"))
	rpctest.WantError(r.T, err, "already exists")
	r.delete(mapURN, id, state)
}

func labelled(owner string) m {
	return m{"apiVersion": "v1", "kind": "ConfigMap", "metadata": m{"name": "shared", "labels": m{"owner": owner}}}
}

func (r *real) customResource() {
	const definitionURN = "urn:pulumi:test::project::kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition::crd"
	pool := m{
		"apiVersion": "cilium.io/v2", "kind": "CiliumLoadBalancerIPPool", "metadata": m{"name": "reserved"},
		"spec": m{"blocks": []any{m{"cidr": "10.0.50.200/32"}}},
	}
	early := rpctest.Check(r.T, r.p, poolURN, nil, pool) // before the kind exists
	_, definition := r.mustCreate(definitionURN, poolDefinition())
	created, err := r.p.Create(r.Context(), &pulumirpc.CreateRequest{Urn: poolURN, Properties: rpctest.Encode(r.T, early)})
	if err != nil {
		r.Fatal(err)
	}
	if created.GetId() != "reserved" {
		r.Errorf("id is %q", created.GetId())
	}
	state := rpctest.Decode(r.T, created.GetProperties())
	if diff := r.diff(poolURN, state, pool); len(diff) > 0 {
		r.Errorf("an unchanged pool has diff %q", diff)
	}
	if diff := r.diff(definitionURN, definition, poolDefinition()); len(diff) > 0 {
		r.Errorf("an unchanged definition has diff %q", diff)
	}
	moved := object(pool).clone()
	moved["spec"] = m{"blocks": []any{m{"cidr": "10.0.50.201/32"}}}
	if diff := r.diff(poolURN, state, moved); !slices.Equal(diff, []string{"spec.blocks[0].cidr UPDATE"}) {
		r.Errorf("diff is %q", diff)
	}
	updated, err := r.update(poolURN, state, moved, false)
	if err != nil {
		r.Fatal(err)
	}
	r.delete(poolURN, "reserved", updated)
	r.delete(definitionURN, "ciliumloadbalancerippools.cilium.io", definition)
	r.delete(poolURN, "reserved", updated) // its kind is gone
}

func (r *real) upsert() {
	r.apply("flux", labelled("flux"))
	_, _, err := r.create(mapURN, labelled("program"))
	rpctest.WantError(r.T, err, `conflict with "flux"`)
	unlabelled := m{"apiVersion": "v1", "kind": "ConfigMap", "metadata": m{"name": "shared"}, "data": m{"a": "1"}}
	_, state := r.mustCreate(mapURN, unlabelled)
	if got := r.get(labelled("")).GetLabels()["owner"]; got != "flux" {
		r.Errorf("the label of the other owner is %q", got)
	}
	r.delete(mapURN, "default/shared", state)
}

func (r *real) release() {
	for _, name := range []string{"HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"} {
		r.Setenv(name, r.TempDir())
	}
	const releaseURN = "urn:pulumi:test::project::kubernetes:helm.sh/v3:Release::cilium"
	inputs := func(replicas int64) m {
		return m{
			"chart": os.Getenv(envChart), "name": "cilium", "namespace": "kube-system", "skipAwait": true,
			"values": m{"operator": m{"replicas": replicas}, "k8sServiceHost": "localhost", "k8sServicePort": int64(7445)},
		}
	}
	id, state := r.mustCreate(releaseURN, inputs(1))
	got := rpc.ToPlain(state, nil)
	if id != "kube-system/cilium" || object(got).text("status", "status") != "deployed" {
		r.Errorf("release %q has status %v", id, got["status"])
	}
	if names, _ := got["resourceNames"].(map[string]any); names["DaemonSet.apps/apps/v1"] == nil {
		r.Errorf("resource names are %v", names)
	}
	if diff := r.diff(releaseURN, state, inputs(1)); len(diff) > 0 {
		r.Errorf("an unchanged release has diff %q", diff)
	}
	if diff := r.diff(releaseURN, state, inputs(2)); !slices.Equal(diff, []string{"values.operator.replicas UPDATE"}) {
		r.Errorf("diff is %q", diff)
	}
	updated, err := r.update(releaseURN, state, inputs(2), false)
	if err != nil {
		r.Fatal(err)
	}
	storage := m{
		"apiVersion": "v1", "kind": "Secret",
		"metadata": m{"name": "sh.helm.release.v1.cilium.v2", "namespace": "kube-system"},
	}
	if labels := r.get(storage).GetLabels(); labels["owner"] != "helm" || labels["status"] != "deployed" {
		r.Errorf("the stored revision has labels %v", labels)
	}
	r.delete(releaseURN, id, updated)
	read, err := r.p.Read(r.Context(), &pulumirpc.ReadRequest{Urn: releaseURN, Id: id, Properties: rpctest.Encode(r.T, updated)})
	if err != nil || read.GetId() != "" {
		r.Errorf("a release that is gone reads as %q, %v", read.GetId(), err)
	}
	r.delete(releaseURN, id, updated)
	_, _, err = r.create(releaseURN, m{"chart": os.Getenv(envChart), "name": "Not a name", "namespace": "kube-system", "skipAwait": true})
	if err == nil || !strings.Contains(err.Error(), `create Helm release "kube-system/Not a name" (resource cilium)`) {
		r.Errorf("error is %v", err)
	}
}
