package cluster

import (
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
)

// clusterScoped holds the built-in kinds without a namespace. A CRD and an APIService are not in
// client-go's scheme, but every cluster has them.
var clusterScoped = map[string]bool{
	"Namespace": true, "Node": true, "PersistentVolume": true, "ComponentStatus": true,
	"ClusterRole": true, "ClusterRoleBinding": true,
	"StorageClass": true, "CSIDriver": true, "CSINode": true, "VolumeAttachment": true, "VolumeAttributesClass": true,
	"PriorityClass": true, "RuntimeClass": true, "IngressClass": true, "IPAddress": true, "ServiceCIDR": true,
	"MutatingWebhookConfiguration": true, "ValidatingWebhookConfiguration": true,
	"ValidatingAdmissionPolicy": true, "ValidatingAdmissionPolicyBinding": true,
	"MutatingAdmissionPolicy": true, "MutatingAdmissionPolicyBinding": true,
	"CertificateSigningRequest": true, "ClusterTrustBundle": true,
	"FlowSchema": true, "PriorityLevelConfiguration": true,
	"DeviceClass": true, "ResourceSlice": true, "DeviceTaintRule": true,
	"TokenReview": true, "SubjectAccessReview": true, "SelfSubjectAccessReview": true,
	"SelfSubjectRulesReview": true, "SelfSubjectReview": true,
	"StorageVersion": true, "StorageVersionMigration": true,
}

// IsBuiltIn reports whether a kind belongs to Kubernetes itself.
func IsBuiltIn(gvk schema.GroupVersionKind) bool {
	switch gvk.Group {
	case "apiextensions.k8s.io", "apiregistration.k8s.io":
		return true
	default:
		return scheme.Scheme.Recognizes(gvk)
	}
}

// Namespaced reports whether objects of a kind live in a namespace. A kind that neither this plugin nor
// the cluster knows counts as namespaced, because most are; known is false then.
func (c *Cluster) Namespaced(gvk schema.GroupVersionKind) (namespaced, known bool) {
	switch {
	case gvk.Group == "apiextensions.k8s.io" || gvk.Group == "apiregistration.k8s.io":
		return false, true
	case IsBuiltIn(gvk):
		return !clusterScoped[gvk.Kind], true
	case c.Unreachable != "" || c.Mapper == nil:
		return true, false
	}
	mapping, err := c.mapping(gvk)
	if err != nil {
		return true, false
	}
	return mapping.Scope.Name() == meta.RESTScopeNameNamespace, true
}

// Exists reports whether the API server serves the kind. It is false while the cluster is unreachable.
func (c *Cluster) Exists(gvk schema.GroupVersionKind) bool {
	if c.Unreachable != "" || c.Mapper == nil {
		return false
	}
	_, err := c.mapping(gvk)
	return err == nil
}

// mapping finds the resource of a kind. One that is unknown is asked for again: an operator may have
// registered its CRD a moment ago.
func (c *Cluster) mapping(gvk schema.GroupVersionKind) (*meta.RESTMapping, error) {
	found, err := c.Mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		c.Mapper.Reset()
		found, err = c.Mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	}
	return found, err
}

// For returns the client for one object. The namespace of a cluster-scoped kind is ignored; that of a
// namespaced one defaults to the provider's. The error is a NoMatch error where the kind is unknown.
func (c *Cluster) For(obj *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	mapping, err := c.mapping(obj.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		obj.SetNamespace("")
		return c.Dynamic.Resource(mapping.Resource), nil
	}
	namespace := obj.GetNamespace()
	if namespace == "" {
		namespace = c.Namespace
	}
	return c.Dynamic.Resource(mapping.Resource).Namespace(namespace), nil
}
