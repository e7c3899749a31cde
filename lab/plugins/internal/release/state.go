package release

import (
	"fmt"
	"sort"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	helmrelease "helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/releaseutil"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"lab/plugins/internal/rpc"
)

// keyInputs holds the inputs within the state. It is secret as a whole, because values often are.
const keyInputs = "__inputs"

// checkpoint returns the state of a release: inputs and outputs, with the secret and unknown marks of
// the inputs.
func checkpoint(spec *Spec, inputs resource.PropertyMap, preview bool) (resource.PropertyMap, error) {
	state, err := spec.properties()
	if err != nil {
		return nil, err
	}
	rpc.CopyUnknowns(state, inputs)
	rpc.CopySecrets(state, inputs)
	state[keyInputs] = resource.MakeSecret(resource.NewProperty(inputs))
	if preview {
		state["status"] = resource.MakeComputed(resource.NewProperty(""))
		state["resourceNames"] = resource.MakeComputed(resource.NewProperty(""))
	}
	return state, nil
}

// oldInputs returns the inputs that a state holds, or nil for an imported release.
func oldInputs(state resource.PropertyMap) resource.PropertyMap {
	inputs := rpc.Plain(state[keyInputs])
	if !inputs.IsObject() {
		return nil
	}
	raw := state[keyInputs]
	for raw.IsSecret() {
		raw = raw.SecretValue().Element
	}
	return raw.ObjectValue()
}

// record copies into spec what Helm knows about a release.
func (s *Spec) record(r *helmrelease.Release) error {
	s.Name, s.Namespace = r.Name, r.Namespace
	if s.Chart == "" {
		s.Chart = r.Chart.Metadata.Name
	}
	s.Values = merge(s.Values, r.Config)
	s.Version = r.Chart.Metadata.Version
	s.Status = &Status{
		AppVersion: r.Chart.Metadata.AppVersion, Chart: r.Chart.Metadata.Name,
		Name: r.Name, Namespace: r.Namespace, Revision: r.Version,
		Status: r.Info.Status.String(), Version: r.Chart.Metadata.Version,
	}
	names, err := resourceNames(r.Manifest)
	s.ResourceNames = names
	return err
}

// merge returns base with the values of over laid on it, map by map.
func merge(base, over map[string]any) map[string]any {
	out := make(map[string]any, len(base))
	for key, value := range base {
		out[key] = value
	}
	for key, value := range over {
		inner, isMap := value.(map[string]any)
		below, wasMap := out[key].(map[string]any)
		if isMap && wasMap {
			value = merge(below, inner)
		}
		out[key] = value
	}
	return out
}

// resourceNames lists the objects of a manifest as namespace/name, by kind.group/apiVersion.
func resourceNames(manifest string) (map[string][]string, error) {
	names := map[string][]string{}
	for _, document := range releaseutil.SplitManifests(manifest) {
		obj := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &obj.Object); err != nil {
			return nil, fmt.Errorf("read the manifest of the release: %w", err)
		}
		if obj.GetKind() == "" {
			continue
		}
		key := obj.GroupVersionKind().GroupKind().String() + "/" + obj.GetAPIVersion()
		name := strings.TrimPrefix(obj.GetNamespace()+"/"+obj.GetName(), "/")
		names[key] = append(names[key], name)
	}
	for _, list := range names {
		sort.Strings(list)
	}
	return names, nil
}
