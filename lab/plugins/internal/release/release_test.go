package release

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"helm.sh/helm/v3/pkg/action"

	"lab/plugins/internal/cluster"
	"lab/plugins/internal/rpc"
	"lab/plugins/internal/rpctest"
)

type m = map[string]any

const urn = "urn:pulumi:test::project::kubernetes:helm.sh/v3:Release::cilium"

// newProvider returns a provider whose Helm keeps its caches in the test's directory, in front of a
// cluster that cannot be reached.
func newProvider(t *testing.T) *Provider {
	t.Helper()
	for _, name := range []string{"HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"} {
		t.Setenv(name, t.TempDir())
	}
	return New(rpc.NewBase("1.2.3"), &cluster.Cluster{Unreachable: "nothing listens there"})
}

// writeChart makes a chart and returns its path.
func writeChart(t *testing.T, kind string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "small")
	if err := os.MkdirAll(filepath.Join(dir, "templates"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"Chart.yaml":        "apiVersion: v2\nname: small\nversion: 0.1.0\nappVersion: '9'\ntype: " + kind + "\n",
		"values.yaml":       "data: x\n",
		"templates/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: small}\ndata: {d: '{{ .Values.data }}'}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCheckFillsInDefaultsAndTheVersionOfTheChart(t *testing.T) {
	p := newProvider(t)
	got := rpc.ToPlain(rpctest.Check(t, p, urn, nil, m{"chart": writeChart(t, "application"), "compat": "true"}), nil)
	if name, _ := got["name"].(string); !regexp.MustCompile(`^cilium-[0-9a-f]{8}$`).MatchString(name) {
		t.Errorf("name is %q", name)
	}
	wanted := m{
		"version": "0.1.0", "namespace": "default", "timeout": int64(300), "skipAwait": false,
		// The real plugin writes these too: a state that it takes over must show no change.
		"keyring": "", "postrender": "", "verify": false,
	}
	for key, want := range wanted {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
	if _, found := got["status"]; found {
		t.Error("status is an input")
	}
	again := rpc.ToPlain(rpctest.Check(t, p, urn, got, m{"chart": got["chart"], "skipAwait": true}), nil)
	if again["name"] != got["name"] || again["timeout"] != int64(0) {
		t.Errorf("name %v, timeout %v", again["name"], again["timeout"])
	}
}

func TestCheckNamesTheChartThatIsMissing(t *testing.T) {
	p := newProvider(t)
	response, err := p.Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn, News: rpctest.Wire(t, m{"chart": "./none"})})
	if err != nil {
		t.Fatal(err)
	}
	want := `chart "./none": path "./none" not found; check the chart's name and its repository`
	if f := response.GetFailures(); len(f) != 1 || f[0].GetProperty() != "chart" || f[0].GetReason() != want {
		t.Fatalf("failures %v", f)
	}
}

func TestCheckRefusesInputsThatItWouldIgnore(t *testing.T) {
	p := newProvider(t)
	response, err := p.Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn, News: rpctest.Wire(t, m{
		"chart": "x", "postrender": "sed", "verify": true, "valueYamlFiles": []any{"a"}, "keyring": "",
	})})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range response.GetFailures() {
		got = append(got, f.GetProperty())
	}
	if !slices.Equal(got, []string{"valueYamlFiles", "postrender", "verify"}) {
		t.Fatalf("failures %q", got)
	}
}

func TestCheckKeepsUnknownAndSecretValues(t *testing.T) {
	p := newProvider(t)
	unknown := resource.MakeComputed(resource.NewProperty(""))
	news := resource.PropertyMap{
		"chart": resource.NewProperty("never looked at"), "version": unknown,
		"values": resource.NewProperty(resource.PropertyMap{
			"host": unknown, "key": resource.MakeSecret(resource.NewProperty("hush")),
		}),
	}
	response, err := p.Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn, News: rpctest.Encode(t, news)})
	if err != nil {
		t.Fatal(err)
	}
	got := rpctest.Decode(t, response.GetInputs())
	values := got["values"].ObjectValue()
	if !got["version"].IsComputed() || !values["host"].IsComputed() || !values["key"].IsSecret() {
		t.Fatalf("inputs %v", got)
	}
	created, err := p.Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: urn, Preview: true, Properties: response.GetInputs(),
	})
	if err != nil {
		t.Fatal(err)
	}
	state := rpctest.Decode(t, created.GetProperties())
	if !state["status"].IsComputed() || !state["resourceNames"].IsComputed() || !state[keyInputs].IsSecret() {
		t.Fatalf("state %v", state)
	}
	if values := state["values"].ObjectValue(); !values["host"].IsComputed() || !values["key"].IsSecret() {
		t.Fatalf("values %v", values)
	}
}

func TestStepsSayThatTheClusterIsUnreachable(t *testing.T) {
	p := newProvider(t)
	inputs := m{"chart": "x", "name": "cilium", "namespace": "kube-system"}
	_, err := p.Create(t.Context(), &pulumirpc.CreateRequest{Urn: urn, Properties: rpctest.Wire(t, inputs)})
	rpctest.WantError(t, err, `create Helm release "kube-system/cilium" (resource cilium)`, "unreachable: nothing listens there")
	_, err = p.Update(t.Context(), &pulumirpc.UpdateRequest{Urn: urn, Olds: rpctest.Wire(t, inputs), News: rpctest.Wire(t, inputs)})
	rpctest.WantError(t, err, `update Helm release "kube-system/cilium" (resource cilium)`, "unreachable: nothing listens there")
}

func TestDiff(t *testing.T) {
	inputs := m{
		"chart": "cilium", "name": "cilium", "namespace": "kube-system", "version": "1.20.2",
		"values": m{"a": int64(1), "b": m{"c": "d"}},
	}
	for name, tc := range map[string]struct {
		live, change m
		ignored      []string
		want         []string
	}{
		"same":          {nil, nil, nil, nil},
		"version":       {nil, m{"version": "1.20.3"}, nil, []string{"version UPDATE"}},
		"ignored":       {nil, m{"version": "1.20.3"}, []string{"version"}, nil},
		"value":         {nil, m{"values": m{"a": int64(2), "b": m{"c": "d"}}}, nil, []string{"values.a UPDATE"}},
		"value removed": {nil, m{"values": m{"a": int64(1)}}, nil, []string{"values.b DELETE"}},
		"drift":         {m{"values": m{"a": int64(3), "b": m{"c": "d"}}}, nil, nil, []string{"values.a UPDATE"}},
		"foreign value": {m{"values": m{"a": int64(1), "b": m{"c": "d"}, "z": "1"}}, nil, nil, nil},
		"renamed":       {nil, m{"name": "other"}, nil, []string{"name UPDATE_REPLACE"}},
		"moved":         {nil, m{"namespace": "other"}, nil, []string{"namespace UPDATE_REPLACE"}},
		// States from before Check wrote every input: what says nothing is no change.
		"never written": {nil, m{"keyring": "", "verify": false}, nil, nil},
		"new and set":   {nil, m{"keyring": "ring", "verify": true}, nil, []string{"keyring ADD", "verify ADD"}},
		"unknown":       {nil, m{"values": m{"a": resource.Computed{}, "b": m{"c": "d"}}}, nil, []string{"values.a UPDATE"}},
	} {
		t.Run(name, func(t *testing.T) {
			state := rpc.ToProperties(merge(inputs, tc.live), nil)
			if tc.live["values"] != nil {
				state["values"] = rpc.ToProperties(tc.live, nil)["values"]
			}
			state["status"] = resource.NewProperty(resource.PropertyMap{"revision": resource.NewProperty(1.0)})
			state[keyInputs] = resource.MakeSecret(resource.NewProperty(rpc.ToProperties(inputs, nil)))
			news := rpc.ToProperties(inputs, nil)
			maps.Copy(news, rpc.ToProperties(tc.change, nil))
			var got []string
			details := diff(state, news, tc.ignored).GetDetailedDiff()
			for _, path := range slices.Sorted(maps.Keys(details)) {
				got = append(got, path+" "+details[path].GetKind().String())
			}
			if !slices.Equal(got, tc.want) {
				t.Fatalf("diff %q, want %q", got, tc.want)
			}
		})
	}
}

func TestChartName(t *testing.T) {
	for name, tc := range map[string]struct {
		chart, repo   string
		want, wantURL string
	}{
		"path":             {"./charts/cilium", "", "./charts/cilium", ""},
		"repository":       {"cilium", "https://helm.cilium.io", "cilium", "https://helm.cilium.io"},
		"named repository": {"cilium", "cilium", "cilium/cilium", ""},
		"OCI":              {"oci://quay.io/cilium/cilium", "https://x", "oci://quay.io/cilium/cilium", ""},
	} {
		t.Run(name, func(t *testing.T) {
			options := &action.ChartPathOptions{}
			got := chartName(options, &Spec{Chart: tc.chart, Version: " 1 ", RepositoryOpts: &Repository{Repo: tc.repo}})
			if got != tc.want || options.RepoURL != tc.wantURL || options.Version != "1" {
				t.Fatalf("name %q, repository %q, version %q", got, options.RepoURL, options.Version)
			}
		})
	}
}

func TestResourceNamesGroupsByKindAndVersion(t *testing.T) {
	got, err := resourceNames("---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: b, namespace: lab}\n" +
		"---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: a, namespace: lab}\n---\n# nothing\n" +
		"---\nkind: DaemonSet\napiVersion: apps/v1\nmetadata: {name: c}\n")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"ConfigMap/v1": {"lab/a", "lab/b"}, "DaemonSet.apps/apps/v1": {"c"}}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Fatalf("names %v", got)
	}
}

func TestALibraryChartIsNotInstallable(t *testing.T) {
	p := newProvider(t)
	config, err := p.helm("default")
	if err != nil {
		t.Fatal(err)
	}
	client := action.NewInstall(config)
	found, _, err := load(&client.ChartPathOptions, config.RegistryClient, p.settings, &Spec{Chart: writeChart(t, "library")})
	if err != nil {
		t.Fatal(err)
	}
	rpctest.WantError(t, installable(found), `chart "small" is a library chart, which cannot be installed`)
}

func TestReadIsNotMisledByAnEmptyState(t *testing.T) {
	if inputs := oldInputs(resource.PropertyMap{}); inputs != nil {
		t.Fatalf("inputs %v", inputs)
	}
}
