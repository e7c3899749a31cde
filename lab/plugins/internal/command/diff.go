package command

import (
	"sort"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// Diff compares two sets of inputs: a change of triggers replaces, any other change updates.
func Diff(old, inputs resource.PropertyMap) *pulumirpc.DiffResponse {
	change := old.Diff(comparable(inputs))
	if change == nil || !change.AnyChanges() {
		return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE, HasDetailedDiff: true}
	}
	response := &pulumirpc.DiffResponse{
		Changes:         pulumirpc.DiffResponse_DIFF_SOME,
		HasDetailedDiff: true,
		DetailedDiff:    map[string]*pulumirpc.PropertyDiff{},
	}
	replaced := false
	for path, detail := range plugin.NewDetailedDiffFromObjectDiff(change, false) {
		if isTrigger(path) {
			detail.Kind = detail.Kind.AsReplace()
			replaced = true
		}
		response.DetailedDiff[path] = &pulumirpc.PropertyDiff{Kind: pulumirpc.PropertyDiff_Kind(detail.Kind)}
		response.Diffs = append(response.Diffs, path)
	}
	sort.Strings(response.Diffs)
	if replaced {
		response.Replaces = []string{"triggers"}
	}
	return response
}

// comparable drops what the engine adds for itself.
func comparable(inputs resource.PropertyMap) resource.PropertyMap {
	own := resource.PropertyMap{}
	for key, value := range inputs {
		if key != "version" && !strings.HasPrefix(string(key), "__") {
			own[key] = value
		}
	}
	return own
}

func isTrigger(path string) bool {
	return path == "triggers" || strings.HasPrefix(path, "triggers[") || strings.HasPrefix(path, "triggers.")
}
