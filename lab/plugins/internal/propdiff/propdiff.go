// Package propdiff compares what a resource is with what a program wants, both as plain JSON-like
// values, and gives the engine's detailed diff. A resource.Computed stands for a value that is unknown.
package propdiff

import (
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// Input is one comparison.
type Input struct {
	Live   map[string]any // what the resource is now
	Inputs map[string]any // what the program wanted last time: only what is in here can be deleted
	Wanted map[string]any // what the program wants now
	Pinned []string       // paths that cannot change in place, like "spec.ports[*].name"
}

// Compare returns the detailed diff by property path. Values that only the live resource has do not
// count, because a controller may have put them there.
func Compare(in Input) map[string]*pulumirpc.PropertyDiff {
	w := &walker{found: map[string]*pulumirpc.PropertyDiff{}, pinned: parsePatterns(in.Pinned)}
	w.maps(nil, in.Live, in.Inputs, in.Wanted)
	return w.found
}

// Response wraps a detailed diff. Diffs holds the top-level properties, by which the engine filters its
// one-line display; Replaces holds the paths that replace.
func Response(diff map[string]*pulumirpc.PropertyDiff) *pulumirpc.DiffResponse {
	response := &pulumirpc.DiffResponse{
		Changes: pulumirpc.DiffResponse_DIFF_NONE, HasDetailedDiff: true, DetailedDiff: diff,
	}
	for path, detail := range diff {
		response.Changes = pulumirpc.DiffResponse_DIFF_SOME
		response.Diffs = append(response.Diffs, topLevel(path))
		if isReplace(detail.GetKind()) {
			response.Replaces = append(response.Replaces, path)
		}
	}
	sort.Strings(response.Diffs)
	response.Diffs = slices.Compact(response.Diffs)
	sort.Strings(response.Replaces)
	return response
}

func topLevel(path string) string {
	if end := strings.IndexAny(path, ".["); end > 0 {
		return path[:end]
	}
	return path
}

type walker struct {
	found  map[string]*pulumirpc.PropertyDiff
	pinned [][]string
}

// missing marks a key that a map does not have, as opposed to one whose value is null.
type missing struct{}

func lookup(m map[string]any, key string) any {
	if v, ok := m[key]; ok {
		return v
	}
	return missing{}
}

func (w *walker) maps(path []any, live, inputs, wanted map[string]any) {
	for key, value := range wanted {
		w.value(join(path, key), lookup(live, key), lookup(inputs, key), value)
	}
	for key := range inputs {
		if _, still := wanted[key]; !still {
			w.removed(join(path, key), inputs[key])
		}
	}
}

func (w *walker) value(path []any, live, input, wanted any) {
	if live == (any)(missing{}) {
		w.add(path, wanted)
		return
	}
	switch wanted := wanted.(type) {
	case map[string]any:
		if live, ok := live.(map[string]any); ok {
			inputs, _ := input.(map[string]any)
			w.maps(path, live, inputs, wanted)
			return
		}
	case []any:
		if live, ok := live.([]any); ok {
			inputs, _ := input.([]any)
			w.lists(path, live, inputs, wanted)
			return
		}
	}
	if isUnknown(wanted) || !equal(live, wanted) {
		w.record(path, wanted, pulumirpc.PropertyDiff_UPDATE, false)
	}
}

// lists compares by position. Everything a list holds was an input, so what is left over is deleted.
func (w *walker) lists(path []any, live, inputs, wanted []any) {
	for i, value := range wanted {
		switch {
		case i >= len(live):
			w.add(join(path, i), value)
		case i < len(inputs):
			w.value(join(path, i), live[i], inputs[i], value)
		default:
			w.value(join(path, i), live[i], live[i], value)
		}
	}
	for i := len(wanted); i < len(live); i++ {
		w.removed(join(path, i), live[i])
	}
}

func (w *walker) add(path []any, wanted any) {
	if wanted != nil {
		w.record(path, wanted, pulumirpc.PropertyDiff_ADD, false)
	}
}

func (w *walker) removed(path []any, was any) {
	if was != nil {
		w.record(path, was, pulumirpc.PropertyDiff_DELETE, true)
	}
}

func (w *walker) record(path []any, value any, kind pulumirpc.PropertyDiff_Kind, inputDiff bool) {
	if w.isPinned(path, value) {
		kind++ // each kind is followed by its replacing form
	}
	w.found[Path(path)] = &pulumirpc.PropertyDiff{Kind: kind, InputDiff: inputDiff}
}

func isReplace(kind pulumirpc.PropertyDiff_Kind) bool {
	return kind == pulumirpc.PropertyDiff_ADD_REPLACE || kind == pulumirpc.PropertyDiff_DELETE_REPLACE ||
		kind == pulumirpc.PropertyDiff_UPDATE_REPLACE
}

func isUnknown(v any) bool {
	_, unknown := v.(resource.Computed)
	return unknown
}

// equal compares leaves; an integer equals the same number as a float.
func equal(a, b any) bool {
	x, isNumber := number(a)
	y, isNumberToo := number(b)
	if isNumber && isNumberToo {
		return x == y
	}
	return reflect.DeepEqual(a, b)
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	default:
		return 0, false
	}
}

func join(path []any, step any) []any { return append(append([]any{}, path...), step) }

// Path writes steps (keys and indexes) as the engine does: spec.ports[0].name, labels["a.b/c"].
func Path(steps []any) string {
	var b strings.Builder
	for _, step := range steps {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", step)
		case string:
			writeKey(&b, step)
		}
	}
	return b.String()
}

func writeKey(b *strings.Builder, key string) {
	if strings.ContainsAny(key, `."[]`) {
		fmt.Fprintf(b, `["%s"]`, strings.ReplaceAll(key, `"`, `\"`))
		return
	}
	if b.Len() > 0 {
		b.WriteByte('.')
	}
	b.WriteString(key)
}
