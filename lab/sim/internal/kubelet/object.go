package kubelet

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"example.invalid/lab/sim/internal/nodeconfig"
)

const (
	controlPlaneLabel = "node-role.kubernetes.io/control-plane"
	leaseNamespace    = "kube-node-lease"
	leaseSeconds      = int32(40)
	noNetwork         = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady " +
		"message:Network plugin returns error: cni plugin not initialized"
	kernelVersion  = "6.18.24-talos"
	runtimeVersion = "containerd://2.2.2"
)

func selectAgents(options *metav1.ListOptions) { options.LabelSelector = agentSelector }

// Labels of the Node object: the kubelet's own and those of the machine configuration.
func Labels(node *nodeconfig.Node) map[string]string {
	labels := map[string]string{
		"kubernetes.io/hostname": node.Hostname, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
		"beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "amd64",
	}

	if node.ControlPlane() {
		labels[controlPlaneLabel] = ""
	}

	maps.Copy(labels, node.Provider.Machine().NodeLabels())

	return labels
}

// Taints the machine configuration asks for.
func Taints(node *nodeconfig.Node) []corev1.Taint {
	var taints []corev1.Taint

	if node.ControlPlane() && !node.Provider.Cluster().ScheduleOnControlPlanes() {
		taints = append(taints, corev1.Taint{Key: controlPlaneLabel, Effect: corev1.TaintEffectNoSchedule})
	}

	for key, text := range node.Provider.Machine().NodeTaints() {
		value, effect, both := strings.Cut(text, ":")
		if !both {
			value, effect = "", text
		}

		taints = append(taints, corev1.Taint{Key: key, Value: value, Effect: corev1.TaintEffect(effect)})
	}

	slices.SortFunc(taints, func(a, b corev1.Taint) int { return strings.Compare(a.Key, b.Key) })

	return taints
}

// register creates the Node object, or takes over one that is there.
func (m *Manager) register(ctx context.Context, node Node) (*corev1.Node, error) {
	config := node.Config()
	object := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: config.Hostname, Labels: Labels(config), Annotations: annotations(config)},
		Spec:       corev1.NodeSpec{Taints: Taints(config)},
		Status:     m.status(node, nil, false),
	}

	created, err := m.client.CoreV1().Nodes().Create(ctx, object, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return created, err
	}

	return m.client.CoreV1().Nodes().Get(ctx, config.Hostname, metav1.GetOptions{})
}

func annotations(config *nodeconfig.Node) map[string]string {
	all := map[string]string{"volumes.kubernetes.io/controller-managed-attach-detach": "true"}
	maps.Copy(all, config.Provider.Machine().NodeAnnotations())

	return all
}

const ownedLabels = "talos.dev/owned-labels"

// reconcileMeta applies changed labels, annotations and taints, and takes labels away that the configuration no longer has.
func (m *Manager) reconcileMeta(ctx context.Context, node Node, object *corev1.Node) error {
	config := node.Config()
	notes := annotations(config)

	owned, err := json.Marshal(slices.Sorted(maps.Keys(config.Provider.Machine().NodeLabels())))
	if err != nil {
		return err
	}

	notes[ownedLabels] = string(owned)

	wanted := Labels(config)
	labels, changedNotes := differences(object.Labels, wanted), differences(object.Annotations, notes)

	for _, key := range formerlyOwned(object) {
		if _, still := wanted[key]; !still {
			labels[key] = nil
		}
	}

	patch := map[string]any{"metadata": map[string]any{"labels": labels, "annotations": changedNotes}}
	taints, retainted := mergeTaints(object.Spec.Taints, Taints(config))

	if retainted {
		patch["spec"] = map[string]any{"taints": taints}
	}

	if len(labels) == 0 && len(changedNotes) == 0 && !retainted {
		return nil
	}

	return m.mergePatch(ctx, object.Name, patch, "")
}

// differences are the entries that have another value than wanted, or are missing.
func differences(have, wanted map[string]string) map[string]any {
	changed := map[string]any{}

	for key, value := range wanted {
		if present, there := have[key]; !there || present != value {
			changed[key] = value
		}
	}

	return changed
}

func formerlyOwned(object *corev1.Node) []string {
	var keys []string
	if err := json.Unmarshal([]byte(object.Annotations[ownedLabels]), &keys); err != nil {
		return nil
	}

	return keys
}

// mergeTaints adds what is missing and removes the control plane taint when the configuration dropped it.
func mergeTaints(have, wanted []corev1.Taint) ([]corev1.Taint, bool) {
	same := func(a corev1.Taint) func(corev1.Taint) bool {
		return func(b corev1.Taint) bool { return a.Key == b.Key && a.Effect == b.Effect && a.Value == b.Value }
	}

	merged := slices.DeleteFunc(slices.Clone(have), func(t corev1.Taint) bool {
		return t.Key == controlPlaneLabel && !slices.ContainsFunc(wanted, same(t))
	})
	changed := len(merged) != len(have)

	for _, taint := range wanted {
		if !slices.ContainsFunc(merged, same(taint)) {
			merged, changed = append(merged, taint), true
		}
	}

	return merged, changed
}

func (m *Manager) mergePatch(ctx context.Context, name string, patch map[string]any, subresource string) error {
	data, err := json.Marshal(patch)
	if err != nil {
		return err
	}

	var resources []string
	if subresource != "" {
		resources = append(resources, subresource)
	}

	_, err = m.client.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, data, metav1.PatchOptions{}, resources...)

	return err
}

func (m *Manager) patchStatus(ctx context.Context, node Node, object *corev1.Node, ready bool) error {
	return m.mergePatch(ctx, object.Name, map[string]any{"status": m.status(node, object, ready)}, "status")
}

func (m *Manager) status(node Node, object *corev1.Node, ready bool) corev1.NodeStatus {
	facts, config := node.Facts(), node.Config()
	capacity := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourcePods: resource.MustParse("110"),
		corev1.ResourceMemory:           *resource.NewQuantity(int64(facts.Memory), resource.BinarySI),
		corev1.ResourceEphemeralStorage: *resource.NewQuantity(int64(facts.Disk), resource.BinarySI),
	}

	status := corev1.NodeStatus{
		Capacity: capacity, Allocatable: capacity, Conditions: conditions(object, ready),
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: 10250}},
		NodeInfo: corev1.NodeSystemInfo{
			MachineID: facts.MachineID, SystemUUID: facts.SystemUUID, BootID: facts.BootID,
			KernelVersion: kernelVersion, OSImage: "Talos (" + facts.TalosVersion + ")", ContainerRuntimeVersion: runtimeVersion,
			KubeletVersion: facts.KubernetesVersion, OperatingSystem: "linux", Architecture: "amd64",
		},
	}

	if ip, ok := config.NodeIP(); ok {
		status.Addresses = append(status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: ip.String()})
	}

	status.Addresses = append(status.Addresses, corev1.NodeAddress{Type: corev1.NodeHostName, Address: config.Hostname})

	return status
}

func conditions(object *corev1.Node, ready bool) []corev1.NodeCondition {
	readyCondition := corev1.NodeCondition{
		Type: corev1.NodeReady, Status: corev1.ConditionFalse, Reason: "KubeletNotReady", Message: noNetwork,
	}
	if ready {
		readyCondition.Status, readyCondition.Reason, readyCondition.Message = corev1.ConditionTrue, "KubeletReady", "kubelet is posting ready status"
	}

	all := []corev1.NodeCondition{
		{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientMemory", Message: "kubelet has sufficient memory available"},
		{Type: corev1.NodeDiskPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasNoDiskPressure", Message: "kubelet has no disk pressure"},
		{Type: corev1.NodePIDPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientPID", Message: "kubelet has sufficient PID available"},
		readyCondition,
	}

	now := metav1.NewTime(time.Now())
	for i := range all {
		all[i].LastHeartbeatTime, all[i].LastTransitionTime = now, since(object, all[i], now)
	}

	return keepForeign(object, all)
}

// keepForeign keeps conditions others wrote, such as Cilium's NetworkUnavailable: the patch replaces the list.
func keepForeign(object *corev1.Node, own []corev1.NodeCondition) []corev1.NodeCondition {
	if object == nil {
		return own
	}

	for _, condition := range object.Status.Conditions {
		if !slices.ContainsFunc(own, func(c corev1.NodeCondition) bool { return c.Type == condition.Type }) {
			own = append(own, condition)
		}
	}

	return own
}

func since(object *corev1.Node, condition corev1.NodeCondition, now metav1.Time) metav1.Time {
	if object == nil {
		return now
	}

	for _, old := range object.Status.Conditions {
		if old.Type == condition.Type && old.Status == condition.Status {
			return old.LastTransitionTime
		}
	}

	return now
}

func (m *Manager) renewLease(ctx context.Context, object *corev1.Node) error {
	leases := m.client.CoordinationV1().Leases(leaseNamespace)
	now := metav1.NewMicroTime(time.Now())
	seconds := leaseSeconds

	data, err := json.Marshal(map[string]any{"spec": map[string]any{"renewTime": now}})
	if err != nil {
		return err
	}

	_, err = leases.Patch(ctx, object.Name, types.MergePatchType, data, metav1.PatchOptions{})
	if !apierrors.IsNotFound(err) {
		return err
	}

	_, err = leases.Create(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: object.Name, Namespace: leaseNamespace, OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "v1", Kind: "Node", Name: object.Name, UID: object.UID},
		}},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: &object.Name, LeaseDurationSeconds: &seconds, RenewTime: &now},
	}, metav1.CreateOptions{})

	return err
}
