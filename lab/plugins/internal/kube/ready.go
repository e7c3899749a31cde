package kube

import "fmt"

// readiness holds, by kind.group, what a live object still lacks; "" means that it is ready. Kinds
// that are not in here, custom resources among them, are ready as soon as they exist.
var readiness = map[string]func(object) string{
	"Service":          serviceLacks,
	"Pod":              podLacks,
	"Deployment.apps":  deploymentLacks,
	"DaemonSet.apps":   daemonSetLacks,
	"StatefulSet.apps": statefulSetLacks,
}

func (o object) count(path ...string) int64 {
	n, _ := o.at(path...).(int64)
	return n
}

func serviceLacks(o object) string {
	if o.text("spec", "type") != "LoadBalancer" {
		return ""
	}
	if ingress, _ := o.at("status", "loadBalancer", "ingress").([]any); len(ingress) > 0 {
		return ""
	}
	return "no address in status.loadBalancer.ingress; is there a load balancer with a free address?"
}

func podLacks(o object) string {
	conditions, _ := o.at("status", "conditions").([]any)
	for _, item := range conditions {
		condition, _ := item.(map[string]any)
		if condition["type"] == "Ready" && condition["status"] == "True" {
			return ""
		}
	}
	if o.text("status", "phase") == "Succeeded" {
		return ""
	}
	return "pod is not Ready, phase " + o.text("status", "phase")
}

// unobserved says that the controller has not yet seen the current spec.
func unobserved(o object) string {
	if o.count("status", "observedGeneration") < o.count("metadata", "generation") {
		return "its controller has not seen the change"
	}
	return ""
}

func replicas(o object) int64 {
	if o.at("spec", "replicas") == nil {
		return 1
	}
	return o.count("spec", "replicas")
}

func deploymentLacks(o object) string {
	if reason := unobserved(o); reason != "" {
		return reason
	}
	want := replicas(o)
	updated, available := o.count("status", "updatedReplicas"), o.count("status", "availableReplicas")
	if updated < want || available < want || o.count("status", "replicas") > updated {
		return fmt.Sprintf("%d of %d pods are updated, %d available", updated, want, available)
	}
	return ""
}

func daemonSetLacks(o object) string {
	if reason := unobserved(o); reason != "" {
		return reason
	}
	want := o.count("status", "desiredNumberScheduled")
	updated, available := o.count("status", "updatedNumberScheduled"), o.count("status", "numberAvailable")
	if updated < want || available < want {
		return fmt.Sprintf("%d of %d pods are updated, %d available", updated, want, available)
	}
	return ""
}

func statefulSetLacks(o object) string {
	if reason := unobserved(o); reason != "" {
		return reason
	}
	want := replicas(o)
	updated, ready := o.count("status", "updatedReplicas"), o.count("status", "readyReplicas")
	if updated < want || ready < want {
		return fmt.Sprintf("%d of %d pods are updated, %d ready", updated, want, ready)
	}
	return ""
}
