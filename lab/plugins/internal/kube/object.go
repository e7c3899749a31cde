// Package kube implements the resources of the kubernetes provider: every kind that the API server
// serves, and the configuration of the provider itself.
package kube

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"lab/plugins/internal/rpc"
)

// Keys of a state beside the fields of the live object; the real provider uses the same.
const (
	keyInputs       = "__inputs"
	keyFirstVersion = "__initialApiVersion"
	keyFieldManager = "__fieldManager"
)

// Annotations that change what the provider does.
const (
	annotationAutonamed    = "pulumi.com/autonamed"
	annotationSkipAwait    = "pulumi.com/skipAwait"
	annotationWaitFor      = "pulumi.com/waitFor"
	annotationTimeout      = "pulumi.com/timeoutSeconds"
	annotationPatchForce   = "pulumi.com/patchForce"
	annotationFieldManager = "pulumi.com/patchFieldManager"
	annotationPropagation  = "pulumi.com/deletionPropagationPolicy"
)

// dashed maps the property names that stand for schema extensions of a CRD.
var dashed = map[string]string{
	"x_kubernetes_embedded_resource":       "x-kubernetes-embedded-resource",
	"x_kubernetes_int_or_string":           "x-kubernetes-int-or-string",
	"x_kubernetes_list_map_keys":           "x-kubernetes-list-map-keys",
	"x_kubernetes_list_type":               "x-kubernetes-list-type",
	"x_kubernetes_map_type":                "x-kubernetes-map-type",
	"x_kubernetes_preserve_unknown_fields": "x-kubernetes-preserve-unknown-fields",
	"x_kubernetes_validations":             "x-kubernetes-validations",
}

func toDashed(key string) string {
	if name, found := dashed[key]; found {
		return name
	}
	return key
}

func toUnderscored(key string) string {
	if underscored := strings.ReplaceAll(key, "-", "_"); dashed[underscored] == key {
		return underscored
	}
	return key
}

// object is a Kubernetes object as plain values. In a preview it can hold unknowns, which most methods
// of unstructured.Unstructured cannot take, so Check and Diff use only the helpers of this file.
type object map[string]any

func objectOf(props resource.PropertyMap) object { return rpc.ToPlain(props, toDashed) }

func (o object) properties() resource.PropertyMap { return rpc.ToProperties(o, toUnderscored) }

func (o object) unstructured() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: o}
}

func (o object) text(path ...string) string {
	value, _ := o.at(path...).(string)
	return value
}

// at returns the value at a path of keys, or nil.
func (o object) at(path ...string) any {
	var current any = map[string]any(o)
	for _, key := range path {
		m, ok := current.(map[string]any)
		if !ok {
			return nil
		}
		current = m[key]
	}
	return current
}

// set stores a value below metadata. It does nothing where metadata itself is unknown.
func (o object) setMetadata(key string, value any) {
	if o["metadata"] == nil {
		o["metadata"] = map[string]any{}
	}
	if metadata, ok := o["metadata"].(map[string]any); ok {
		metadata[key] = value
	}
}

func (o object) dropMetadata(keys ...string) {
	metadata, ok := o["metadata"].(map[string]any)
	if !ok {
		return
	}
	for _, key := range keys {
		delete(metadata, key)
	}
}

// annotate stores an annotation. It does nothing where the annotations are unknown.
func (o object) annotate(key, value string) {
	annotations := o.at("metadata", "annotations")
	if annotations == nil {
		annotations = map[string]any{}
		o.setMetadata("annotations", annotations)
	}
	if known, ok := annotations.(map[string]any); ok {
		known[key] = value
	}
}

func (o object) annotation(key string) string { return o.text("metadata", "annotations", key) }

func (o object) name() string      { return o.text("metadata", "name") }
func (o object) namespace() string { return o.text("metadata", "namespace") }
func (o object) kind() string      { return o.text("kind") }

// hasName reports whether the program gave a name, known or not.
func (o object) hasName() bool {
	_, unknown := o.at("metadata", "name").(resource.Computed)
	_, allUnknown := o["metadata"].(resource.Computed)
	return unknown || allUnknown || o.name() != ""
}

func (o object) gvk() schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(o.text("apiVersion"), o.kind())
}

// id names an object as namespace/name, or by name alone where it has no namespace.
func (o object) id() string {
	if o.namespace() == "" {
		return o.name()
	}
	return o.namespace() + "/" + o.name()
}

func parseID(id string) (namespace, name string) {
	namespace, name, found := strings.Cut(id, "/")
	if !found {
		return "", namespace
	}
	return namespace, name
}

// clone copies the maps and lists of an object, but not its leaves.
func (o object) clone() object {
	copied, _ := cloneValue(map[string]any(o)).(map[string]any)
	return copied
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[key] = cloneValue(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = cloneValue(value)
		}
		return out
	default:
		return v
	}
}
