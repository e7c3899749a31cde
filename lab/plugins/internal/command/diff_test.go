package command

import (
	"maps"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

func TestDiff(t *testing.T) {
	old := map[string]any{
		"create": "a", "update": "u", "stdin": "s", "interpreter": []any{"sh", "-c"},
		"environment": map[string]any{"A": "1"}, "triggers": []any{"one"},
	}
	for name, tc := range map[string]struct {
		change   map[string]any
		diffs    []string
		replaces []string
	}{
		"nothing":            {nil, nil, nil},
		"create":             {map[string]any{"create": "b"}, []string{"create"}, nil},
		"stdin":              {map[string]any{"stdin": "t"}, []string{"stdin"}, nil},
		"environment":        {map[string]any{"environment": map[string]any{"A": "2"}}, []string{"environment.A"}, nil},
		"interpreter":        {map[string]any{"interpreter": []any{"sh", "-ec"}}, []string{"interpreter[1]"}, nil},
		"logging added":      {map[string]any{"logging": "none"}, []string{"logging"}, nil},
		"triggers":           {map[string]any{"triggers": []any{"two"}}, []string{"triggers[0]"}, []string{"triggers[0]"}},
		"triggers grow":      {map[string]any{"triggers": []any{"one", "two"}}, []string{"triggers[1]"}, []string{"triggers[1]"}},
		"the engine's field": {map[string]any{"__defaults": []any{}}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			news := resource.NewPropertyMapFromMap(old)
			for k, v := range tc.change {
				news[resource.PropertyKey(k)] = resource.NewPropertyValue(v)
			}
			got := Diff(resource.NewPropertyMapFromMap(old), news)
			paths := slices.Sorted(maps.Keys(got.GetDetailedDiff()))
			if !slices.Equal(paths, tc.diffs) || !slices.Equal(got.GetReplaces(), tc.replaces) {
				t.Fatalf("diffs %q replaces %q, want %q and %q", paths, got.GetReplaces(), tc.diffs, tc.replaces)
			}
			want := pulumirpc.DiffResponse_DIFF_SOME
			if tc.diffs == nil {
				want = pulumirpc.DiffResponse_DIFF_NONE
			}
			if got.GetChanges() != want {
				t.Fatalf("changes %v, want %v", got.GetChanges(), want)
			}
		})
	}
}

func TestDiffMarksTriggersAsReplacement(t *testing.T) {
	old := resource.NewPropertyMapFromMap(map[string]any{"triggers": []any{"one"}})
	news := resource.NewPropertyMapFromMap(map[string]any{"triggers": []any{"two"}})
	detail := Diff(old, news).GetDetailedDiff()["triggers[0]"]
	if detail.GetKind() != pulumirpc.PropertyDiff_UPDATE_REPLACE {
		t.Fatalf("kind is %v", detail.GetKind())
	}
}

func TestDiffWithoutOldInputsUsesTheState(t *testing.T) {
	p, _ := newProvider(t)
	state := wire(t, map[string]any{"create": "a", "stdout": "x", "stderr": ""})
	response, err := p.Diff(t.Context(), &pulumirpc.DiffRequest{
		Urn: testURN, Olds: state, News: wire(t, map[string]any{"create": "a"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if response.GetChanges() != pulumirpc.DiffResponse_DIFF_NONE {
		t.Fatalf("changes %v", response.GetDiffs())
	}
}

func TestDiffSeesAnUnknownAsAChange(t *testing.T) {
	old := resource.NewPropertyMapFromMap(map[string]any{"stdin": "a"})
	news := resource.PropertyMap{"stdin": resource.MakeComputed(resource.NewProperty(""))}
	if got := Diff(old, news).GetDiffs(); !slices.Equal(got, []string{"stdin"}) {
		t.Fatalf("diffs %q", got)
	}
}
