package kube

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"lab/plugins/internal/rpctest"
)

func TestDiffConfig(t *testing.T) {
	one, two := kubeconfigFor("https://10.0.50.10:6443"), kubeconfigFor("https://10.0.50.11:6443")
	renewed := strings.ReplaceAll(one, "sesame", "new")
	unknown := resource.Computed{}
	for name, tc := range map[string]struct {
		olds, news m
		replaces   []string
		changed    bool
	}{
		"same":                        {m{"kubeconfig": one}, m{"kubeconfig": one}, nil, false},
		"renewed credentials":         {m{"kubeconfig": one}, m{"kubeconfig": renewed}, nil, true},
		"another server":              {m{"kubeconfig": one}, m{"kubeconfig": two}, []string{"kubeconfig"}, true},
		"another server, same id":     {m{"kubeconfig": one, "clusterIdentifier": "a"}, m{"kubeconfig": two, "clusterIdentifier": "a"}, nil, true},
		"unknown":                     {m{"kubeconfig": one}, m{"kubeconfig": unknown}, []string{"kubeconfig"}, true},
		"unknown, same id":            {m{"kubeconfig": one, "clusterIdentifier": "a"}, m{"kubeconfig": unknown, "clusterIdentifier": "a"}, nil, true},
		"another id":                  {m{"kubeconfig": one, "clusterIdentifier": "a"}, m{"kubeconfig": one, "clusterIdentifier": "b"}, []string{"clusterIdentifier"}, true},
		"id added":                    {m{"kubeconfig": one}, m{"kubeconfig": one, "clusterIdentifier": "a"}, nil, true},
		"another flag":                {m{"kubeconfig": one}, m{"kubeconfig": one, "deleteUnreachable": "true"}, nil, true},
		"no context in the old one":   {m{"kubeconfig": "apiVersion: v1\nkind: Config\n"}, m{"kubeconfig": one}, nil, true},
		"context that does not exist": {m{"kubeconfig": one}, m{"kubeconfig": two, "context": "x"}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := newProvider()
			got, err := p.DiffConfig(t.Context(), &pulumirpc.DiffRequest{Urn: providerURN, Olds: rpctest.Wire(t, tc.olds), News: rpctest.Wire(t, tc.news)})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.GetReplaces(), tc.replaces) {
				t.Errorf("replaces %q, want %q", got.GetReplaces(), tc.replaces)
			}
			if changed := got.GetChanges() == pulumirpc.DiffResponse_DIFF_SOME; changed != tc.changed {
				t.Errorf("changed is %v", changed)
			}
		})
	}
}

func TestCheckConfigRefusesWhatIsNotImplemented(t *testing.T) {
	p, _ := newProvider()
	response, err := p.CheckConfig(t.Context(), &pulumirpc.CheckRequest{Urn: providerURN, News: rpctest.Wire(t, m{
		"kubeconfig": "x", "enableServerSideApply": "false", "renderYamlToDirectory": "out", "strictMode": "false",
	})})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range response.GetFailures() {
		got = append(got, f.GetProperty()+": "+f.GetReason())
	}
	want := []string{
		"enableServerSideApply: the lab plugin always uses server-side apply",
		"renderYamlToDirectory: renderYamlToDirectory is not supported by the lab plugin; " +
			"use the real pulumi-resource-kubernetes",
	}
	if !slices.Equal(got, want) {
		t.Fatalf("failures %q", got)
	}
}

func TestAClusterThatDoesNotAnswerStopsOnlyRealSteps(t *testing.T) {
	server := closedServer()
	p := configure(t, map[string]string{"kubeconfig": kubeconfigFor(server)})
	inputs := configMap("x", m{"a": "1"})
	checked := rpctest.Check(t, p, mapURN, nil, inputs)
	preview, err := p.Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: mapURN, Preview: true, Properties: rpctest.Encode(t, checked),
	})
	if err != nil {
		t.Fatalf("preview: %v", err)
	}
	if got := objectOf(rpctest.Decode(t, preview.GetProperties())).name(); got != "x" {
		t.Errorf("the preview gave name %q", got)
	}
	_, err = p.Create(t.Context(), &pulumirpc.CreateRequest{Urn: mapURN, Properties: rpctest.Encode(t, checked)})
	rpctest.WantError(t, err, "the configured Kubernetes cluster is unreachable", server, "connection refused")
	state := rpctest.Encode(t, stateOf(inputs).properties(nil))
	_, err = p.Read(t.Context(), &pulumirpc.ReadRequest{Urn: mapURN, Id: "default/x", Properties: state})
	rpctest.WantError(t, err, "read settings", "unreachable", "PULUMI_K8S_DELETE_UNREACHABLE=true")
	_, err = p.Delete(t.Context(), &pulumirpc.DeleteRequest{Urn: mapURN, Id: "default/x", Properties: state})
	rpctest.WantError(t, err, "delete settings", "unreachable", "PULUMI_K8S_DELETE_UNREACHABLE=true")
}

func TestDeleteUnreachableDropsObjectsButNoReleases(t *testing.T) {
	p := configure(t, map[string]string{"kubeconfig": kubeconfigFor(closedServer()), "deleteUnreachable": "true"})
	state := rpctest.Encode(t, stateOf(configMap("x", nil)).properties(nil))
	read, err := p.Read(t.Context(), &pulumirpc.ReadRequest{Urn: mapURN, Id: "default/x", Properties: state})
	if err != nil || read.GetId() != "" {
		t.Errorf("read gave %v, %v", read, err)
	}
	if _, err := p.Delete(t.Context(), &pulumirpc.DeleteRequest{Urn: mapURN, Properties: state}); err != nil {
		t.Errorf("delete: %v", err)
	}
	_, err = p.Delete(t.Context(), &pulumirpc.DeleteRequest{
		Urn: "urn:pulumi:t::p::kubernetes:helm.sh/v3:Release::r", Properties: rpctest.Wire(t, m{"name": "r", "namespace": "n"}),
	})
	rpctest.WantError(t, err, "the configured Kubernetes cluster is unreachable")
}

func TestABrokenKubeconfigIsNotQuoted(t *testing.T) {
	p := configure(t, map[string]string{"kubeconfig": "token: sesame\n\t:::"})
	_, err := p.Create(t.Context(), &pulumirpc.CreateRequest{Urn: mapURN, Properties: rpctest.Wire(t, configMap("x", nil))})
	rpctest.WantError(t, err, "failed to parse the provider input `kubeconfig`",
		"neither the path of a readable file nor a valid document")
	if strings.Contains(err.Error(), "sesame") {
		t.Fatalf("the error quotes the kubeconfig: %v", err)
	}
}

func TestBeforeConfigureEveryStepSaysSo(t *testing.T) {
	p := &Provider{}
	_, err := p.Check(t.Context(), &pulumirpc.CheckRequest{Urn: mapURN})
	rpctest.WantError(t, err, "the provider is not configured")
}
