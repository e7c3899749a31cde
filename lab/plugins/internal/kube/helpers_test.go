package kube

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/scheme"

	"lab/plugins/internal/cluster"
	"lab/plugins/internal/rpc"
)

type m = map[string]any

const (
	providerURN = "urn:pulumi:test::project::pulumi:providers:kubernetes::lab"
	mapURN      = "urn:pulumi:test::project::kubernetes:core/v1:ConfigMap::settings"
	serviceURN  = "urn:pulumi:test::project::kubernetes:core/v1:Service::web"
	poolURN     = "urn:pulumi:test::project::kubernetes:cilium.io/v2:CiliumLoadBalancerIPPool::pool"
)

// fixedMapper knows a few kinds and counts how often its cache is dropped.
type fixedMapper struct {
	*meta.DefaultRESTMapper

	resets int
}

func (f *fixedMapper) Reset() { f.resets++ }

func newMapper() *fixedMapper {
	mapper := &fixedMapper{DefaultRESTMapper: meta.NewDefaultRESTMapper(nil)}
	for _, kind := range []string{"ConfigMap", "Secret", "Service"} {
		mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: kind}, meta.RESTScopeNamespace)
	}
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, meta.RESTScopeRoot)
	return mapper
}

func (f *fixedMapper) addPools() {
	gvk := schema.GroupVersionKind{Group: "cilium.io", Version: "v2", Kind: "CiliumLoadBalancerIPPool"}
	f.Add(gvk, meta.RESTScopeRoot)
}

// newProvider returns a provider in front of an API server made of maps.
func newProvider(objects ...runtime.Object) (*Provider, *cluster.Cluster) {
	c := &cluster.Cluster{
		Settings: cluster.Settings{Namespace: "default"},
		Dynamic:  dynamicfake.NewSimpleDynamicClient(scheme.Scheme, objects...),
		Mapper:   newMapper(),
	}
	p := &Provider{Base: rpc.NewBase("1.2.3")}
	p.use(c)
	return p, c
}

func configure(t *testing.T, vars map[string]string) *Provider {
	t.Helper()
	t.Setenv("KUBECONFIG", t.TempDir()+"/none")
	p := &Provider{Base: rpc.NewBase("1.2.3")}
	prefixed := map[string]string{}
	for key, value := range vars {
		prefixed["kubernetes:config:"+key] = value
	}
	stdout := swapStdout()
	defer stdout()
	if _, err := p.Configure(t.Context(), &pulumirpc.ConfigureRequest{Variables: prefixed}); err != nil {
		t.Fatal(err)
	}
	return p
}

func configMap(name string, data map[string]any) m {
	return m{"apiVersion": "v1", "kind": "ConfigMap", "metadata": m{"name": name}, "data": data}
}

func kinds(diff map[string]*pulumirpc.PropertyDiff) []string {
	var out []string
	for _, path := range slices.Sorted(maps.Keys(diff)) {
		out = append(out, path+" "+diff[path].GetKind().String())
	}
	return out
}

// recordSleep returns a sleep that takes no time and fails after limit calls.
func recordSleep(limit int, slept *[]time.Duration) func(context.Context, time.Duration) error {
	return func(_ context.Context, d time.Duration) error {
		*slept = append(*slept, d)
		if len(*slept) >= limit {
			return errors.New("enough")
		}
		return nil
	}
}

// kubeconfigFor returns a kubeconfig whose server is url.
func kubeconfigFor(url string) string {
	return "apiVersion: v1\nkind: Config\ncurrent-context: lab\n" +
		"clusters: [{name: lab, cluster: {server: '" + url + "', insecure-skip-tls-verify: true}}]\n" +
		"contexts: [{name: lab, context: {cluster: lab, user: admin}}]\n" +
		"users: [{name: admin, user: {token: sesame}}]\n"
}

// closedServer returns the address of a server that has just stopped listening.
func closedServer() string {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	server.Close()
	return server.URL
}
