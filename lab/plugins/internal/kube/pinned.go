package kube

import "lab/plugins/internal/cluster"

// alwaysPinned is the identity of an object.
var alwaysPinned = []string{"metadata.name", "metadata.namespace"}

// pinnedByKind lists, by group/kind, what the API server refuses to change in place. For a Secret or a
// ConfigMap see pinned.
var pinnedByKind = map[string][]string{
	"/Service":               {"spec.clusterIP"},
	"/PersistentVolumeClaim": {"spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"},
	"/ResourceQuota":         {"spec.scopes"},
	"/Pod": {
		"spec.nodeName", "spec.nodeSelector", "spec.affinity", "spec.volumes", "spec.hostNetwork", "spec.hostPID",
		"spec.hostIPC", "spec.hostname", "spec.subdomain", "spec.dnsPolicy", "spec.dnsConfig", "spec.restartPolicy",
		"spec.serviceAccountName", "spec.securityContext", "spec.schedulerName", "spec.runtimeClassName",
		"spec.priorityClassName", "spec.containers[*].image", "spec.containers[*].command", "spec.containers[*].args",
		"spec.containers[*].env", "spec.containers[*].ports", "spec.containers[*].resources",
		"spec.containers[*].volumeMounts", "spec.containers[*].securityContext",
		"spec.containers[*].livenessProbe", "spec.containers[*].readinessProbe",
	},
	"apps/DaemonSet":  {"spec.selector"},
	"apps/Deployment": {"spec.selector"},
	"apps/StatefulSet": {
		"spec.podManagementPolicy", "spec.revisionHistoryLimit", "spec.selector", "spec.serviceName",
		"spec.volumeClaimTemplates",
	},
	"batch/Job":                                    {"spec.completions", "spec.parallelism", "spec.selector", "spec.template"},
	"rbac.authorization.k8s.io/RoleBinding":        {"roleRef"},
	"rbac.authorization.k8s.io/ClusterRoleBinding": {"roleRef"},
	"storage.k8s.io/StorageClass":                  {"parameters", "provisioner"},
}

// pinned returns the paths whose change replaces an object.
func pinned(settings cluster.Settings, o object) []string {
	paths := append([]string{}, alwaysPinned...)
	gvk := o.gvk()
	immutable, _ := o["immutable"].(bool)
	switch gvk.Group + "/" + gvk.Kind {
	case "/Secret":
		paths = append(paths, "type")
		if immutable || !settings.EnableSecretMutable {
			paths = append(paths, "data", "stringData")
		}
	case "/ConfigMap":
		if immutable || !settings.EnableConfigMapMutable {
			paths = append(paths, "data", "binaryData")
		}
	default:
		paths = append(paths, pinnedByKind[gvk.Group+"/"+gvk.Kind]...)
	}
	return paths
}
