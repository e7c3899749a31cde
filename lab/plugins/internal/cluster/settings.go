// Package cluster turns the inputs of a kubernetes provider resource into clients of one cluster.
// No error of this package quotes a kubeconfig: it holds keys.
package cluster

import (
	"fmt"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Names of the provider inputs that this plugin reads.
const (
	KeyKubeconfig  = "kubeconfig"
	KeyContext     = "context"
	KeyCluster     = "cluster"
	KeyNamespace   = "namespace"
	KeyIdentifier  = "clusterIdentifier"
	keyUpsert      = "upsertExistingObjects"
	keyUnreachable = "deleteUnreachable"
	keyPatchForce  = "enablePatchForce"
	keyConfigMaps  = "enableConfigMapMutable"
	keySecrets     = "enableSecretMutable"
	keySSA         = "enableServerSideApply"
)

// Settings are the provider inputs, all plain.
type Settings struct {
	Kubeconfig string // document or path; empty means the ambient kubeconfig
	Context    string
	Cluster    string
	Namespace  string

	UpsertExistingObjects  bool // a create may take over an object that exists
	DeleteUnreachable      bool // resources of a cluster that does not answer leave the state
	EnablePatchForce       bool // server-side apply wins every conflict
	EnableConfigMapMutable bool // a change of data updates instead of replacing
	EnableSecretMutable    bool
}

// flags maps each boolean input to the variable that sets it where the input is absent.
var flags = map[string]string{
	keyUpsert:      "PULUMI_K8S_UPSERT_EXISTING_OBJECTS",
	keyUnreachable: "PULUMI_K8S_DELETE_UNREACHABLE",
	keyPatchForce:  "PULUMI_K8S_ENABLE_PATCH_FORCE",
	keyConfigMaps:  "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE",
	keySecrets:     "PULUMI_K8S_ENABLE_SECRET_MUTABLE",
}

// ParseSettings reads the variables of a Configure call, keyed by the input's name.
func ParseSettings(vars map[string]string) Settings {
	return Settings{
		Kubeconfig:             vars[KeyKubeconfig],
		Context:                vars[KeyContext],
		Cluster:                vars[KeyCluster],
		Namespace:              vars[KeyNamespace],
		UpsertExistingObjects:  flag(vars, keyUpsert),
		DeleteUnreachable:      flag(vars, keyUnreachable),
		EnablePatchForce:       flag(vars, keyPatchForce),
		EnableConfigMapMutable: flag(vars, keyConfigMaps),
		EnableSecretMutable:    flag(vars, keySecrets),
	}
}

func flag(vars map[string]string, name string) bool {
	if value, set := vars[name]; set {
		return value == "true"
	}
	return os.Getenv(flags[name]) == "true"
}

// Unsupported names the inputs that would change what this plugin does, but which it does not
// implement. Each result is an input's name and the reason.
func Unsupported(inputs resource.PropertyMap) map[string]string {
	found := map[string]string{}
	if isFalse(inputs[keySSA]) {
		found[keySSA] = "the lab plugin always uses server-side apply"
	}
	for _, name := range []string{
		"renderYamlToDirectory", "skipUpdateUnreachable", "helmReleaseSettings", "rejectUnknownResources", "strictMode",
	} {
		if isSet(inputs[resource.PropertyKey(name)]) {
			found[name] = fmt.Sprintf("%s is not supported by the lab plugin; use the real pulumi-resource-kubernetes", name)
		}
	}
	return found
}

func isFalse(v resource.PropertyValue) bool {
	return (v.IsBool() && !v.BoolValue()) || (v.IsString() && v.StringValue() == "false")
}

func isSet(v resource.PropertyValue) bool {
	switch {
	case v.IsBool():
		return v.BoolValue()
	case v.IsString():
		return v.StringValue() != "" && v.StringValue() != "false"
	default:
		return v.IsObject() && len(v.ObjectValue()) > 0
	}
}
