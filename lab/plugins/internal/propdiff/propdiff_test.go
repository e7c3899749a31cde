package propdiff

import (
	"maps"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

type m = map[string]any

func TestCompare(t *testing.T) {
	unknown := resource.Computed{}
	for name, tc := range map[string]struct {
		in   Input
		want []string
	}{
		"equal":               {Input{Live: m{"a": int64(1)}, Inputs: m{"a": int64(1)}, Wanted: m{"a": 1.0}}, nil},
		"changed":             {Input{Live: m{"a": "x"}, Wanted: m{"a": "y"}}, []string{"a UPDATE"}},
		"added":               {Input{Live: m{}, Wanted: m{"a": "y"}}, []string{"a ADD"}},
		"added null":          {Input{Live: m{}, Wanted: m{"a": nil}}, nil},
		"removed":             {Input{Live: m{"a": "x"}, Inputs: m{"a": "x"}, Wanted: m{}}, []string{"a DELETE"}},
		"only live":           {Input{Live: m{"a": "x"}, Inputs: m{}, Wanted: m{}}, nil},
		"unknown":             {Input{Live: m{"a": "x"}, Wanted: m{"a": unknown}}, []string{"a UPDATE"}},
		"unknown and new":     {Input{Live: m{}, Wanted: m{"a": unknown}}, []string{"a ADD"}},
		"type":                {Input{Live: m{"a": m{"b": "x"}}, Wanted: m{"a": "x"}}, []string{"a UPDATE"}},
		"nested":              {Input{Live: m{"a": m{"b": "x"}}, Wanted: m{"a": m{"b": "y"}}}, []string{"a.b UPDATE"}},
		"odd key":             {Input{Live: m{"a": m{"b.c/d": "x"}}, Wanted: m{"a": m{"b.c/d": "y"}}}, []string{`a["b.c/d"] UPDATE`}},
		"list item":           {Input{Live: m{"a": []any{"x", "z"}}, Wanted: m{"a": []any{"y", "z"}}}, []string{"a[0] UPDATE"}},
		"list grows":          {Input{Live: m{"a": []any{"x"}}, Wanted: m{"a": []any{"x", "y"}}}, []string{"a[1] ADD"}},
		"list shrinks":        {Input{Live: m{"a": []any{"x", "y"}}, Wanted: m{"a": []any{"x"}}}, []string{"a[1] DELETE"}},
		"pinned":              {Input{Live: m{"a": "x"}, Wanted: m{"a": "y"}, Pinned: []string{"a"}}, []string{"a UPDATE_REPLACE"}},
		"below pinned":        {Input{Live: m{"a": m{"b": "x"}}, Wanted: m{"a": m{"b": "y"}}, Pinned: []string{"a"}}, []string{"a.b UPDATE_REPLACE"}},
		"above pinned":        {Input{Live: m{}, Wanted: m{"a": m{"b": "y"}}, Pinned: []string{"a.b"}}, []string{"a ADD_REPLACE"}},
		"above, not pinned":   {Input{Live: m{}, Wanted: m{"a": m{"c": "y"}}, Pinned: []string{"a.b"}}, []string{"a ADD"}},
		"pinned in list":      {Input{Live: m{"a": []any{m{"b": "x"}}}, Wanted: m{"a": []any{m{"b": "y"}}}, Pinned: []string{"a[*].b"}}, []string{"a[0].b UPDATE_REPLACE"}},
		"item holds a pinned": {Input{Live: m{"a": []any{}}, Wanted: m{"a": []any{m{"b": "y"}}}, Pinned: []string{"a[*].b"}}, []string{"a[0] ADD_REPLACE"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			diff := Compare(tc.in)
			for _, path := range slices.Sorted(maps.Keys(diff)) {
				got = append(got, path+" "+diff[path].GetKind().String())
			}
			if !slices.Equal(got, tc.want) {
				t.Fatalf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestResponseNamesTopLevelPropertiesOnce(t *testing.T) {
	got := Response(Compare(Input{
		Live:   m{"spec": m{"a": 1, "b": 1}, "metadata": m{"name": "x"}},
		Wanted: m{"spec": m{"a": 2, "b": 2}, "metadata": m{"name": "y"}},
		Pinned: []string{"metadata.name"},
	}))
	if !slices.Equal(got.GetDiffs(), []string{"metadata", "spec"}) {
		t.Errorf("diffs %q", got.GetDiffs())
	}
	if !slices.Equal(got.GetReplaces(), []string{"metadata.name"}) {
		t.Errorf("replaces %q", got.GetReplaces())
	}
}
