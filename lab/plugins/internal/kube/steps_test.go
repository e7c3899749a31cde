package kube

import (
	"slices"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"lab/plugins/internal/rpctest"
)

func live(inputs m) *unstructured.Unstructured {
	o := object(inputs).clone()
	o.setMetadata("namespace", "default")
	return o.unstructured()
}

func TestCreateStoresTheLiveObjectAndItsInputs(t *testing.T) {
	p, _ := newProvider()
	response, err := p.Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: mapURN, Properties: rpctest.Encode(t, rpctest.Check(t, p, mapURN, nil, configMap("x", m{"a": "1"}))),
	})
	if err != nil {
		t.Fatal(err)
	}
	if response.GetId() != "default/x" {
		t.Errorf("id is %q", response.GetId())
	}
	state := parseCheckpoint(rpctest.Decode(t, response.GetProperties()))
	if state.live.text("data", "a") != "1" || state.inputs.text("data", "a") != "1" || state.firstVersion != "v1" {
		t.Errorf("state is %v", state)
	}
	if len(state.fieldManager) != len("pulumi-kubernetes-")+8 {
		t.Errorf("field manager is %q", state.fieldManager)
	}
}

func TestCreateFailsWhereTheObjectExists(t *testing.T) {
	p, _ := newProvider(live(configMap("x", nil)))
	request := &pulumirpc.CreateRequest{
		Urn: mapURN, Properties: rpctest.Encode(t, rpctest.Check(t, p, mapURN, nil, configMap("x", nil))),
	}
	_, err := p.Create(t.Context(), request)
	rpctest.WantError(t, err, `create ConfigMap "default/x" (resource settings)`, "already exists",
		"pulumi import", "upsertExistingObjects")
	request.Preview = true
	if _, err := p.Create(t.Context(), request); err != nil {
		t.Errorf("the preview of a replacement failed: %v", err)
	}
}

func TestCreateRetriesWhileTheKindIsUnknown(t *testing.T) {
	p, c := newProvider()
	pool := rpcProps(m{"apiVersion": "cilium.io/v2", "kind": "CiliumLoadBalancerIPPool", "metadata": m{"name": "p"}})
	var slept []time.Duration
	s := &step{Provider: p, cluster: c, urn: poolURN, sleep: recordSleep(100, &slept)}
	_, _, err := s.create(t.Context(), pool)
	rpctest.WantError(t, err, `create CiliumLoadBalancerIPPool "p" (resource pool)`, "does not serve cilium.io/v2", "CRD")
	want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second}
	if !slices.Equal(slept, want) {
		t.Fatalf("slept %v, want %v", slept, want)
	}
	if mapper, _ := c.Mapper.(*fixedMapper); mapper.resets < createTries {
		t.Errorf("discovery was repeated %d times", mapper.resets)
	}
}

func TestCreateStopsRetryingWhenItIsCancelled(t *testing.T) {
	p, c := newProvider()
	pool := rpcProps(m{"apiVersion": "cilium.io/v2", "kind": "CiliumLoadBalancerIPPool", "metadata": m{"name": "p"}})
	var slept []time.Duration
	s := &step{Provider: p, cluster: c, urn: poolURN, sleep: recordSleep(2, &slept)}
	_, _, err := s.create(t.Context(), pool)
	rpctest.WantError(t, err, "enough, last answer: no matches for kind")
}

func TestReadDropsWhatIsGone(t *testing.T) {
	p, _ := newProvider()
	for urn, inputs := range map[string]m{
		mapURN:  configMap("x", nil),
		poolURN: {"apiVersion": "cilium.io/v2", "kind": "CiliumLoadBalancerIPPool", "metadata": m{"name": "x"}},
	} {
		response, err := p.Read(t.Context(), &pulumirpc.ReadRequest{
			Urn: urn, Id: "default/x", Properties: rpctest.Encode(t, stateOf(inputs).properties(nil)), Inputs: rpctest.Wire(t, inputs),
		})
		if err != nil || response.GetId() != "" {
			t.Errorf("%s: %v, %v", urn, response, err)
		}
	}
}

func TestReadTakesDriftIntoTheInputs(t *testing.T) {
	drifted := live(configMap("x", m{"a": "2", "extra": "3"}))
	p, _ := newProvider(drifted)
	inputs := configMap("x", m{"a": "1"})
	response, err := p.Read(t.Context(), &pulumirpc.ReadRequest{
		Urn: mapURN, Id: "default/x", Properties: rpctest.Encode(t, stateOf(inputs).properties(nil)), Inputs: rpctest.Wire(t, inputs),
	})
	if err != nil {
		t.Fatal(err)
	}
	data, _ := objectOf(rpctest.Decode(t, response.GetInputs())).at("data").(map[string]any)
	if len(data) != 1 || data["a"] != "2" {
		t.Fatalf("inputs have data %v, want only a=2", data)
	}
}

func TestImportTakesTheWholeObject(t *testing.T) {
	existing := live(configMap("x", m{"a": "1"}))
	existing.SetUID("7")
	p, _ := newProvider(existing)
	response, err := p.Read(t.Context(), &pulumirpc.ReadRequest{Urn: mapURN, Id: "default/x"})
	if err != nil {
		t.Fatal(err)
	}
	inputs := objectOf(rpctest.Decode(t, response.GetInputs()))
	if inputs.text("data", "a") != "1" || inputs.at("metadata", "uid") != nil || inputs.kind() != "ConfigMap" {
		t.Fatalf("inputs are %v", inputs)
	}
}

func TestDeleteOfAnAbsentObjectSucceeds(t *testing.T) {
	p, _ := newProvider()
	if _, err := p.Delete(t.Context(), &pulumirpc.DeleteRequest{
		Urn: mapURN, Properties: rpctest.Encode(t, stateOf(configMap("x", nil)).properties(nil)),
	}); err != nil {
		t.Fatal(err)
	}
}

func TestDeleteWaitsUntilTheObjectIsGone(t *testing.T) {
	existing := live(configMap("x", nil))
	existing.SetFinalizers([]string{"lab.test/hold"})
	existing.SetUID("1")
	p, c := newProvider(existing)
	fake, _ := c.Dynamic.(interface {
		PrependReactor(verb, resource string, reaction clienttesting.ReactionFunc)
	})
	fake.PrependReactor("delete", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, nil // the finalizer holds it
	})
	var slept []time.Duration
	s := &step{Provider: p, cluster: c, urn: mapURN, sleep: recordSleep(3, &slept)}
	err := s.delete(t.Context(), stateOf(configMap("x", nil)))
	rpctest.WantError(t, err, `delete ConfigMap "default/x" (resource settings)`, "enough", `finalizers ["lab.test/hold"] are left`)
}

func TestDeletionPolicy(t *testing.T) {
	for annotation, want := range map[string]metav1.DeletionPropagation{
		"": metav1.DeletePropagationForeground, "Orphan": metav1.DeletePropagationOrphan,
		"background": metav1.DeletePropagationBackground,
	} {
		o := object{}
		o.annotate(annotationPropagation, annotation)
		if got := propagation(o); got != want {
			t.Errorf("%q gives %v", annotation, got)
		}
	}
}

func TestAwaitReportsWhatIsMissing(t *testing.T) {
	service := m{
		"apiVersion": "v1", "kind": "Service", "metadata": m{"name": "web"}, "spec": m{"type": "LoadBalancer"},
	}
	p, _ := newProvider()
	checked := rpctest.Check(t, p, serviceURN, nil, service)
	_, err := p.Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: serviceURN, Timeout: 0.01, Properties: rpctest.Encode(t, checked),
	})
	rpctest.WantError(t, err, `Service "default/web" was created, but is not ready: timed out: no address in status.loadBalancer.ingress`)
	skipping := object(service).clone()
	skipping.setMetadata("name", "other")
	skipping.annotate(annotationSkipAwait, "true")
	if _, err := p.Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: serviceURN, Properties: rpctest.Encode(t, rpctest.Check(t, p, serviceURN, nil, skipping)),
	}); err != nil {
		t.Fatal(err)
	}
}

func TestReadiness(t *testing.T) {
	for name, tc := range map[string]struct {
		kind string
		o    object
		want string
	}{
		"cluster IP":        {"Service", object{"spec": m{"type": "ClusterIP"}}, ""},
		"load balancer":     {"Service", object{"spec": m{"type": "LoadBalancer"}, "status": m{"loadBalancer": m{"ingress": []any{m{"ip": "10.0.50.200"}}}}}, ""},
		"unobserved":        {"Deployment.apps", object{"metadata": m{"generation": int64(2)}, "status": m{"observedGeneration": int64(1)}}, "its controller has not seen the change"},
		"deployment":        {"Deployment.apps", object{"status": m{"updatedReplicas": int64(1), "availableReplicas": int64(1), "replicas": int64(1)}}, ""},
		"old pods left":     {"Deployment.apps", object{"status": m{"updatedReplicas": int64(1), "availableReplicas": int64(1), "replicas": int64(2)}}, "1 of 1 pods are updated, 1 available"},
		"daemon set":        {"DaemonSet.apps", object{"status": m{"desiredNumberScheduled": int64(3), "updatedNumberScheduled": int64(3), "numberAvailable": int64(2)}}, "3 of 3 pods are updated, 2 available"},
		"daemon set, ready": {"DaemonSet.apps", object{"status": m{"desiredNumberScheduled": int64(3), "updatedNumberScheduled": int64(3), "numberAvailable": int64(3)}}, ""},
		"stateful set":      {"StatefulSet.apps", object{"spec": m{"replicas": int64(2)}, "status": m{"updatedReplicas": int64(2), "readyReplicas": int64(1)}}, "2 of 2 pods are updated, 1 ready"},
		"pod":               {"Pod", object{"status": m{"phase": "Pending"}}, "pod is not Ready, phase Pending"},
		"ready pod":         {"Pod", object{"status": m{"conditions": []any{m{"type": "Ready", "status": "True"}}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := readiness[tc.kind](tc.o); got != tc.want {
				t.Fatalf("lacks %q, want %q", got, tc.want)
			}
		})
	}
}

func TestForced(t *testing.T) {
	managed := func(manager string, operation metav1.ManagedFieldsOperationType) *unstructured.Unstructured {
		o := &unstructured.Unstructured{Object: m{}}
		o.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: manager, Operation: operation}})
		return o
	}
	annotated := object{}
	annotated.annotate(annotationPatchForce, "true")
	for name, tc := range map[string]struct {
		wanted  object
		live    *unstructured.Unstructured
		enabled bool
		preview bool
		want    bool
	}{
		"others":             {object{}, managed("flux", metav1.ManagedFieldsOperationApply), false, false, false},
		"annotation":         {annotated, managed("flux", metav1.ManagedFieldsOperationApply), false, false, true},
		"provider":           {object{}, managed("flux", metav1.ManagedFieldsOperationApply), true, false, true},
		"nobody":             {object{}, &unstructured.Unstructured{Object: m{}}, false, false, true},
		"ours, preview":      {object{}, managed(createManager, metav1.ManagedFieldsOperationUpdate), false, true, true},
		"ours, real":         {object{}, managed(createManager, metav1.ManagedFieldsOperationUpdate), false, false, false},
		"others, in preview": {object{}, managed("flux", metav1.ManagedFieldsOperationApply), false, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := forced(tc.wanted, tc.live, tc.enabled, tc.preview); got != tc.want {
				t.Fatalf("forced is %v", got)
			}
		})
	}
}

func TestFieldManager(t *testing.T) {
	annotated := object{}
	annotated.annotate(annotationFieldManager, "mine")
	for _, tc := range []struct {
		o         object
		old, want string
	}{{annotated, "before", "mine"}, {object{}, "before", "before"}} {
		if got, err := fieldManager(tc.o, tc.old); err != nil || got != tc.want {
			t.Errorf("manager %q, %v, want %q", got, err, tc.want)
		}
	}
}

func TestIgnoredPathsOfOthersLeaveTheRequest(t *testing.T) {
	o := live(configMap("x", m{"ours": "live", "theirs": "live"}))
	owns := func(manager, field string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{
			Manager: manager, Operation: metav1.ManagedFieldsOperationApply,
			FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:data":{"f:` + field + `":{}}}`)},
		}
	}
	o.SetManagedFields([]metav1.ManagedFieldsEntry{owns("us", "ours"), owns("flux", "theirs")})
	sent := object(configMap("x", m{"ours": "program", "theirs": "program", "new": "program"}))
	if err := leaveAlone(sent, o, "us", []string{"data.ours", "data.theirs", "data.new"}); err != nil {
		t.Fatal(err)
	}
	data, _ := sent["data"].(map[string]any)
	if len(data) != 2 || data["ours"] != "live" || data["new"] != "program" {
		t.Fatalf("sent %v", data)
	}
	rpctest.WantError(t, leaveAlone(sent, o, "us", []string{"spec.ports[0]"}),
		"ignore spec.ports[0]: the lab plugin takes only keys in ignoreChanges, no index")
}

func TestInvokeAndConstructAreRefusedByName(t *testing.T) {
	p, _ := newProvider()
	_, err := p.Invoke(t.Context(), &pulumirpc.InvokeRequest{Tok: "kubernetes:yaml:decode"})
	rpctest.WantError(t, err, "function kubernetes:yaml:decode is not supported by the lab plugin")
	_, err = p.Construct(t.Context(), &pulumirpc.ConstructRequest{Type: "kubernetes:helm.sh/v4:Chart"})
	rpctest.WantError(t, err, "component kubernetes:helm.sh/v4:Chart is not supported by the lab plugin")
}

func rpcProps(o m) resource.PropertyMap { return object(o).properties() }
