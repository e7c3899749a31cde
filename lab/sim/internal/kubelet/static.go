package kubelet

import (
	"context"
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// StaticPod is a control plane component the node runs without asking the API server.
type StaticPod struct {
	Name  string
	Image string
	Ready bool
}

const (
	systemNamespace = "kube-system"
	sourceKey       = "kubernetes.io/config.source"
)

// syncStatic shows the node's static pods in the API, as the kubelet's mirror pods do.
func (m *Manager) syncStatic(ctx context.Context, node Node, object *corev1.Node) error {
	running := node.StaticPods()
	if len(running) == 0 {
		return m.removeMirrors(ctx, object.Name)
	}

	for _, static := range running {
		name := static.Name + "-" + object.Name

		existing, err := m.mirror(name)
		if err != nil {
			return err
		}

		if existing == nil {
			if existing, err = m.createMirror(ctx, mirrorPod(static, name, object)); err != nil {
				return err
			}
		}

		if podReady(existing) == static.Ready {
			continue
		}

		if err := m.patchMirror(ctx, name, mirrorStatus(static, node)); err != nil {
			return err
		}
	}

	return nil
}

// removeMirrors takes away the mirror pods of a node that no longer runs static pods.
func (m *Manager) removeMirrors(ctx context.Context, node string) error {
	pods, err := m.pods.ByIndex(byNode, node)
	if err != nil {
		return err
	}

	for _, item := range pods {
		pod, ok := item.(*corev1.Pod)
		if !ok || pod.Annotations[corev1.MirrorPodAnnotationKey] == "" {
			continue
		}

		err := m.client.CoreV1().Pods(systemNamespace).Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}

	return nil
}

func (m *Manager) mirror(name string) (*corev1.Pod, error) {
	item, exists, err := m.pods.GetByKey(cache.NewObjectName(systemNamespace, name).String())
	if err != nil || !exists {
		return nil, err
	}

	pod, _ := item.(*corev1.Pod)

	return pod, nil
}

func (m *Manager) createMirror(ctx context.Context, pod *corev1.Pod) (*corev1.Pod, error) {
	created, err := m.client.CoreV1().Pods(systemNamespace).Create(ctx, pod, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return m.client.CoreV1().Pods(systemNamespace).Get(ctx, pod.Name, metav1.GetOptions{})
	}

	return created, err
}

func (m *Manager) patchMirror(ctx context.Context, name string, status corev1.PodStatus) error {
	data, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}

	_, err = m.client.CoreV1().Pods(systemNamespace).Patch(ctx, name, types.MergePatchType, data, metav1.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) {
		return nil
	}

	return err
}

func mirrorPod(static StaticPod, name string, object *corev1.Node) *corev1.Pod {
	controller := true
	hash := string(object.UID) + "-" + static.Name

	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: systemNamespace,
			Labels: map[string]string{
				"tier": "control-plane", "k8s-app": static.Name, "component": static.Name,
				"app.kubernetes.io/name": static.Name, "app.kubernetes.io/component": "control-plane", "app.kubernetes.io/managed-by": "Talos",
			},
			Annotations:     map[string]string{corev1.MirrorPodAnnotationKey: hash, sourceKey: "file"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: object.Name, UID: object.UID, Controller: &controller}},
		},
		Spec: corev1.PodSpec{
			NodeName: object.Name, HostNetwork: true, PriorityClassName: "system-cluster-critical", RestartPolicy: corev1.RestartPolicyAlways,
			Containers:  []corev1.Container{{Name: static.Name, Image: static.Image}},
			Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}},
		},
	}
}

func mirrorStatus(static StaticPod, node Node) corev1.PodStatus {
	now := metav1.NewTime(time.Now())
	ready := corev1.ConditionFalse

	if static.Ready {
		ready = corev1.ConditionTrue
	}

	status := corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &now,
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: static.Name, Image: static.Image, Ready: static.Ready, Started: &static.Ready,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		}},
	}

	if ip, ok := node.Config().NodeIP(); ok {
		status.HostIP, status.PodIP = ip.String(), ip.String()
		status.HostIPs, status.PodIPs = []corev1.HostIP{{IP: status.HostIP}}, []corev1.PodIP{{IP: status.PodIP}}
	}

	for _, kind := range []corev1.PodConditionType{corev1.PodInitialized, corev1.PodScheduled, corev1.ContainersReady, corev1.PodReady} {
		condition := corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now}
		if kind == corev1.ContainersReady || kind == corev1.PodReady {
			condition.Status = ready
		}

		status.Conditions = append(status.Conditions, condition)
	}

	return status
}

func podReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}

	return false
}

// Shutdown tells the API that the node goes down on purpose.
func (m *Manager) Shutdown(ctx context.Context, node Node) error {
	object, err := m.client.CoreV1().Nodes().Get(ctx, node.Config().Hostname, metav1.GetOptions{})
	if err != nil {
		return err
	}

	status := m.status(node, object, false)
	for i := range status.Conditions {
		if status.Conditions[i].Type == corev1.NodeReady {
			status.Conditions[i].Message = "node is shutting down"
		}
	}

	return m.mergePatch(ctx, object.Name, map[string]any{"status": status}, "status")
}
