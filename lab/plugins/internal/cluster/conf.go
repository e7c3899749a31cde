package cluster

import (
	"encoding/json"
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// errKubeconfig hides the cause on purpose: a YAML error can quote the line, and the line can be a key.
var errKubeconfig = errors.New("the kubeconfig is neither the path of a readable file nor a valid document")

// ParseKubeconfig reads a kubeconfig given as a path or as a document.
func ParseKubeconfig(pathOrDocument string) (*api.Config, error) {
	if pathOrDocument == "" {
		return &api.Config{}, nil
	}
	document := []byte(pathOrDocument)
	if path := expandHome(pathOrDocument); isFile(path) {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, errKubeconfig
		}
		document = content
	}
	config, err := clientcmd.Load(document)
	if err != nil {
		return nil, errKubeconfig
	}
	return config, nil
}

func expandHome(path string) string {
	if path != "~" && !strings.HasPrefix(path, "~/") {
		return path
	}
	current, err := user.Current()
	if err != nil {
		return path
	}
	return filepath.Join(current.HomeDir, strings.TrimPrefix(path, "~"))
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// ParseProperty reads the kubeconfig input of a provider: a document, a path or an object.
func ParseProperty(v resource.PropertyValue) (*api.Config, error) {
	switch {
	case v.IsString():
		return ParseKubeconfig(v.StringValue())
	case v.IsObject():
		document, err := json.Marshal(v.ObjectValue().Mappable())
		if err != nil {
			return nil, errKubeconfig
		}
		return ParseKubeconfig(string(document))
	case v.IsNull():
		return &api.Config{}, nil
	default:
		return nil, errKubeconfig
	}
}

// Same reports whether two configurations of a provider name the same API server with the same CA. Where
// one of them names none there is nothing to compare, and they count as the same.
func Same(oldInputs, newInputs resource.PropertyMap) (bool, error) {
	oldConfig, err := ParseProperty(oldInputs[KeyKubeconfig])
	if err != nil {
		return false, err
	}
	newConfig, err := ParseProperty(newInputs[KeyKubeconfig])
	if err != nil {
		return false, err
	}
	before, after := active(oldConfig, oldInputs), active(newConfig, newInputs)
	return before == nil || after == nil || reflect.DeepEqual(before, after), nil
}

func active(config *api.Config, inputs resource.PropertyMap) *api.Cluster {
	name := config.CurrentContext
	if v := inputs[KeyContext]; v.IsString() && v.StringValue() != "" {
		name = v.StringValue()
	}
	current := config.Contexts[name]
	if current == nil {
		return nil
	}
	clusterName := current.Cluster
	if v := inputs[KeyCluster]; v.IsString() && v.StringValue() != "" {
		clusterName = v.StringValue()
	}
	return config.Clusters[clusterName]
}
