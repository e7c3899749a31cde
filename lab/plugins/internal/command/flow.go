package command

import (
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Outputs that are not inputs.
var produced = map[resource.PropertyKey]bool{"stdout": true, "stderr": true}

// withOutput returns the state after a run: the inputs with their secret marks, and what was printed.
// Whether stdout is a secret is the caller's business (additionalSecretOutputs).
func withOutput(inputs resource.PropertyMap, out Output) resource.PropertyMap {
	state := inputs.Copy()
	state["stdout"] = resource.NewProperty(out.Stdout)
	state["stderr"] = resource.NewProperty(out.Stderr)
	return state
}

// previewCreate returns the state a create would give: the output of a command that has not run is
// not known.
func previewCreate(inputs resource.PropertyMap) resource.PropertyMap {
	state := inputs.Copy()
	for key := range produced {
		state[key] = resource.MakeComputed(resource.NewProperty(""))
	}
	return state
}

// previewUpdate returns the state an update would give. The old output stays known as long as no
// input that the old state has would change.
func previewUpdate(old, inputs resource.PropertyMap) resource.PropertyMap {
	if changesOutput(old, inputs) {
		return previewCreate(inputs)
	}
	return withOutput(inputs, outputOf(old))
}

func changesOutput(old, inputs resource.PropertyMap) bool {
	for key := range kinds {
		before, had := old[key]
		after := inputs[key]
		if after.ContainsUnknowns() || (had && !before.DeepEquals(after)) {
			return true
		}
	}
	return false
}

// outputOf reads the output of the previous run from a state.
func outputOf(state resource.PropertyMap) Output {
	return Output{Stdout: stringOf(state["stdout"]), Stderr: stringOf(state["stderr"])}
}

func stringOf(v resource.PropertyValue) string {
	for v.IsSecret() {
		v = v.SecretValue().Element
	}
	if !v.IsString() {
		return ""
	}
	return v.StringValue()
}

// inputsOf drops from a state what is not an input.
func inputsOf(state resource.PropertyMap) resource.PropertyMap {
	inputs := resource.PropertyMap{}
	for key, value := range state {
		if _, known := kinds[key]; known {
			inputs[key] = value
		}
	}
	return inputs
}
