package command

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"lab/plugins/internal/propdiff"
)

// Diff compares two sets of inputs: a change of triggers replaces, any other change updates.
func Diff(old, inputs resource.PropertyMap) *pulumirpc.DiffResponse {
	change := old.Diff(comparable(inputs))
	if change == nil || !change.AnyChanges() {
		return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE, HasDetailedDiff: true}
	}
	details := map[string]*pulumirpc.PropertyDiff{}
	for path, detail := range plugin.NewDetailedDiffFromObjectDiff(change, false) {
		if isTrigger(path) {
			detail.Kind = detail.Kind.AsReplace()
		}
		details[path] = &pulumirpc.PropertyDiff{Kind: pulumirpc.PropertyDiff_Kind(detail.Kind)}
	}
	return propdiff.Response(details)
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
