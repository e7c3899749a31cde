package cluster

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// client reaches the cluster's API while there is one.
func (c *Cluster) client() (kubernetes.Interface, error) {
	c.mu.Lock()
	api, ready := c.api, c.ready
	c.mu.Unlock()

	if api == nil || !ready {
		return nil, errors.New("the Kubernetes API does not answer")
	}

	config, err := RestConfig(api.authorities, fmt.Sprintf("127.0.0.1:%d", api.proxy.port()))
	if err != nil {
		return nil, err
	}

	return kubernetes.NewForConfig(config)
}

// drain cordons the node and evicts its pods, except those a DaemonSet would put back and static ones.
func (c *Cluster) drain(ctx context.Context, name string) error {
	client, err := c.client()
	if err != nil {
		return err
	}

	patch := []byte(`{"spec":{"unschedulable":true}}`)
	if _, err := client.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return err
	}

	pods, err := client.CoreV1().Pods("").List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + name})
	if err != nil {
		return err
	}

	var faults []error

	for _, pod := range pods.Items {
		if !evictable(&pod) {
			continue
		}

		faults = append(faults, client.CoreV1().Pods(pod.Namespace).EvictV1(ctx, &policyv1.Eviction{
			ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace},
		}))
	}

	return errors.Join(faults...)
}

func evictable(pod *corev1.Pod) bool {
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return false
	}

	owner := metav1.GetControllerOf(pod)

	return owner == nil || owner.Kind != "DaemonSet"
}
