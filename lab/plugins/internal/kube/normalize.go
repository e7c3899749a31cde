package kube

import (
	"encoding/base64"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// serverFields are set by the API server alone and never count as inputs.
var serverFields = []string{
	"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp",
	"generation", "managedFields", "resourceVersion", "uid",
}

// normalize writes an object the way the API server would, so that equal meanings compare equal
// ("0.5" CPU is "500m"). It keeps the shape of the object: no defaults are added. An object with
// unknowns, or of a kind that is not built in, keeps its values.
func normalize(o object) object {
	if !hasUnknown(map[string]any(o)) {
		o = normalizeKnown(o)
	}
	o.dropMetadata(serverFields...)
	return o
}

func normalizeKnown(o object) object {
	if o.gvk().GroupVersion().String() == "v1" && o.kind() == "Secret" {
		return normalizeSecret(o)
	}
	typed, err := scheme.Scheme.New(o.gvk())
	if err != nil {
		return o
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o, typed); err != nil {
		return o // the API server will say what is wrong with it
	}
	normal, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		return o
	}
	return prune(normal, o)
}

// normalizeSecret moves stringData to data, as the API server does.
func normalizeSecret(o object) object {
	texts, ok := o["stringData"].(map[string]any)
	if !ok || len(texts) == 0 {
		return o
	}
	data, ok := o["data"].(map[string]any)
	if !ok {
		data = map[string]any{}
	}
	for key, text := range texts {
		if text, ok := text.(string); ok {
			data[key] = base64.StdEncoding.EncodeToString([]byte(text))
		}
	}
	o["data"] = data
	delete(o, "stringData")
	return o
}

func hasUnknown(v any) bool {
	switch v := v.(type) {
	case resource.Computed:
		return true
	case map[string]any:
		for _, value := range v {
			if hasUnknown(value) {
				return true
			}
		}
	case []any:
		for _, value := range v {
			if hasUnknown(value) {
				return true
			}
		}
	}
	return false
}

// prune keeps of source what shape has too, at every depth, so that fields which only the API server
// or a controller set do not look like changes.
func prune(source, shape map[string]any) map[string]any {
	out := make(map[string]any, len(shape))
	for key, wanted := range shape {
		if value, found := source[key]; found {
			out[key] = pruneValue(value, wanted)
		}
	}
	return out
}

func pruneValue(value, shape any) any {
	switch value := value.(type) {
	case map[string]any:
		if shape, ok := shape.(map[string]any); ok {
			return prune(value, shape)
		}
	case []any:
		if shape, ok := shape.([]any); ok {
			return pruneList(value, shape)
		}
	}
	return value
}

func pruneList(values, shape []any) []any {
	out := make([]any, 0, len(shape))
	for i := range min(len(values), len(shape)) {
		out = append(out, pruneValue(values[i], shape[i]))
	}
	return out
}
