package kube

import (
	"bytes"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// leaveAlone makes an apply not touch the ignored paths: what somebody else owns leaves the request,
// and what is ours is sent with the value it has now.
func leaveAlone(sent object, live *unstructured.Unstructured, manager string, ignored []string) error {
	if len(ignored) == 0 {
		return nil
	}
	ours, theirs, err := owners(live, manager)
	if err != nil {
		return err
	}
	for _, text := range ignored {
		path, keys, err := keyPath(text)
		if err != nil {
			return err
		}
		if theirs.Has(path) && !ours.Has(path) {
			unstructured.RemoveNestedField(sent, keys...)
			continue
		}
		if err := keepLive(sent, live, keys); err != nil {
			return fmt.Errorf("ignore %s: %w", text, err)
		}
	}
	return nil
}

// keepLive sends the live value; where the live object has none, the program's stands.
func keepLive(sent object, live *unstructured.Unstructured, keys []string) error {
	value, found, err := unstructured.NestedFieldCopy(live.Object, keys...)
	if err != nil || !found {
		return nil //nolint:nilerr // something else than an object is on the way: nothing to keep
	}
	return unstructured.SetNestedField(sent, value, keys...)
}

// keyPath reads an ignored path made of keys; one with an index is refused, because a list's items have
// no stable position.
func keyPath(text string) (fieldpath.Path, []string, error) {
	parsed, err := resource.ParsePropertyPath(text)
	if err != nil {
		return nil, nil, fmt.Errorf("ignore %s: %w", text, err)
	}
	var path fieldpath.Path
	var keys []string
	for _, part := range parsed {
		key, ok := part.(string)
		if !ok {
			return nil, nil, fmt.Errorf("ignore %s: the lab plugin takes only keys in ignoreChanges, no index", text)
		}
		path = append(path, fieldpath.PathElement{FieldName: &key})
		keys = append(keys, key)
	}
	return path, keys, nil
}

// owners returns the paths that manager owns, and those that others own, each with its parents.
func owners(live *unstructured.Unstructured, manager string) (ours, theirs *fieldpath.Set, err error) {
	ours, theirs = &fieldpath.Set{}, &fieldpath.Set{}
	for _, entry := range live.GetManagedFields() {
		if entry.FieldsV1 == nil {
			continue
		}
		owned := &fieldpath.Set{}
		if err := owned.FromJSON(bytes.NewReader(entry.FieldsV1.Raw)); err != nil {
			return nil, nil, fmt.Errorf("read the managed fields of %s: %w", entry.Manager, err)
		}
		target := theirs
		if entry.Manager == manager {
			target = ours
		}
		owned.Iterate(func(path fieldpath.Path) {
			for i := range path {
				target.Insert(path[:i+1].Copy())
			}
		})
	}
	return ours, theirs, nil
}
