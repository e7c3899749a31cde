package kube

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/csaupgrade"
	"k8s.io/client-go/util/retry"
)

// createManager owns the fields of an object between its creation and its first update.
const createManager = "pulumi-kubernetes"

// clientSideManagers owned fields before server-side apply took over; an update takes them from these.
var clientSideManagers = sets.New(
	createManager, "pulumi-kubernetes.exe", "pulumi-resource-kubernetes", "kubectl", "before-first-apply",
)

// fieldManager returns the owner of an object's fields: the annotation's, else the one in the state,
// else a new random one.
func fieldManager(wanted object, old string) (string, error) {
	if name := wanted.annotation(annotationFieldManager); name != "" {
		return name, nil
	}
	if old != "" {
		return old, nil
	}
	return resource.NewUniqueHex(createManager+"-", 0, 0)
}

// apply is one server-side apply.
type apply struct {
	client  dynamic.ResourceInterface
	manager string
	force   bool // take fields from other owners
	dryRun  bool
}

func (a apply) run(ctx context.Context, wanted *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	document, err := json.Marshal(wanted.Object)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", wanted.GetName(), err)
	}
	options := metav1.PatchOptions{FieldManager: a.manager, Force: &a.force, DryRun: dryRun(a.dryRun)}
	live, err := a.client.Patch(ctx, wanted.GetName(), types.ApplyPatchType, document, options)
	return live, a.explain(err)
}

// explain adds what a person can do about a conflict.
func (a apply) explain(err error) error {
	if !apierrors.IsConflict(err) {
		return err
	}
	return fmt.Errorf("server-side apply as field manager %q met fields that others own: %w; "+
		"give up the field, or set the annotation %s, or enablePatchForce on the provider",
		a.manager, err, annotationPatchForce)
}

func dryRun(on bool) []string {
	if on {
		return []string{metav1.DryRunAll}
	}
	return nil
}

// forced reports whether an apply may take fields from other owners. In a preview the fields of
// clientSideManagers count as ours, because a real update takes them over first.
func forced(wanted object, live *unstructured.Unstructured, enablePatchForce, preview bool) bool {
	if wanted.annotation(annotationPatchForce) == "true" || enablePatchForce {
		return true
	}
	if len(live.GetManagedFields()) == 0 {
		return true // older than server-side apply
	}
	if !preview {
		return false
	}
	for _, entry := range live.GetManagedFields() {
		if entry.Operation == metav1.ManagedFieldsOperationUpdate && clientSideManagers.Has(entry.Manager) {
			return true
		}
	}
	return false
}

// takeOver moves the fields of clientSideManagers to manager and returns the object after it.
func takeOver(
	ctx context.Context, client dynamic.ResourceInterface, live *unstructured.Unstructured, manager string,
) (*unstructured.Unstructured, error) {
	name := live.GetName()
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		patch, err := csaupgrade.UpgradeManagedFieldsPatch(live, clientSideManagers, manager)
		if err != nil || patch == nil {
			return err
		}
		moved, err := client.Patch(ctx, name, types.JSONPatchType, patch, metav1.PatchOptions{})
		if apierrors.IsConflict(err) { // a controller wrote in between
			if fresh, getErr := client.Get(ctx, name, metav1.GetOptions{}); getErr == nil {
				live = fresh
			}
		}
		if err == nil {
			live = moved
		}
		return err
	})
	return live, err
}

// relinquish makes manager own nothing of an object any more.
func relinquish(
	ctx context.Context, client dynamic.ResourceInterface, live *unstructured.Unstructured, manager string,
) error {
	empty := &unstructured.Unstructured{}
	empty.SetGroupVersionKind(live.GroupVersionKind())
	empty.SetNamespace(live.GetNamespace())
	empty.SetName(live.GetName())
	_, err := apply{client: client, manager: manager}.run(ctx, empty)
	return err
}
