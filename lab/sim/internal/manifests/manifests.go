// Package manifests applies what Talos applies to a new cluster: the cluster DNS, and kube-proxy unless it is disabled.
package manifests

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/template"

	"github.com/siderolabs/talos/pkg/machinery/config"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
)

//go:embed *.yaml
var files embed.FS

type values struct {
	DNSServiceIP string
	Domain       string
	CoreDNSImage string
	ProxyImage   string
	PodCIDRs     string
}

// Apply creates what is missing and leaves the rest as it is.
func Apply(ctx context.Context, client kubernetes.Interface, provider config.Provider) error {
	rendered, err := Render(provider)
	if err != nil {
		return err
	}

	for _, object := range rendered {
		if err := create(ctx, client, object); err != nil {
			return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}

	return nil
}

// Render gives the objects a configuration asks for.
func Render(provider config.Provider) ([]*unstructured.Unstructured, error) {
	cluster := provider.Cluster()

	dns, err := cluster.Network().DNSServiceIPs()
	if err != nil {
		return nil, err
	}

	v := values{
		DNSServiceIP: strconv.Quote(dns[0].String()), Domain: cluster.Network().DNSDomain(), CoreDNSImage: cluster.CoreDNS().Image(),
		ProxyImage: cluster.Proxy().Image(), PodCIDRs: strings.Join(cluster.Network().PodCIDRs(), ","),
	}
	names := []string{"bootstrap-rbac.yaml"}

	if cluster.CoreDNS().Enabled() {
		names = append(names, "coredns.yaml")
	}

	if cluster.Proxy().Enabled() {
		names = append(names, "kube-proxy.yaml")
	}

	var objects []*unstructured.Unstructured

	for _, name := range names {
		parsed, err := parse(name, v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}

		objects = append(objects, parsed...)
	}

	return objects, nil
}

func parse(name string, v values) ([]*unstructured.Unstructured, error) {
	text, err := files.ReadFile(name)
	if err != nil {
		return nil, err
	}

	source, err := template.New(name).Parse(string(text))
	if err != nil {
		return nil, err
	}

	var rendered bytes.Buffer
	if err := source.Execute(&rendered, v); err != nil {
		return nil, err
	}

	var objects []*unstructured.Unstructured

	decoder := yaml.NewYAMLOrJSONDecoder(&rendered, 4096)

	for {
		object := &unstructured.Unstructured{}

		switch err := decoder.Decode(object); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, err
		case len(object.Object) > 0:
			objects = append(objects, object)
		}
	}
}

var plurals = map[string]string{
	"ServiceAccount": "serviceaccounts", "ConfigMap": "configmaps", "Service": "services", "Deployment": "deployments",
	"DaemonSet": "daemonsets", "ClusterRole": "clusterroles", "ClusterRoleBinding": "clusterrolebindings",
}

func create(ctx context.Context, client kubernetes.Interface, object *unstructured.Unstructured) error {
	path := []string{"api", object.GetAPIVersion()}
	if strings.Contains(object.GetAPIVersion(), "/") {
		path[0] = "apis"
	}

	if namespace := object.GetNamespace(); namespace != "" {
		path = append(path, "namespaces", namespace)
	}

	path = append(path, plurals[object.GetKind()])
	rest := client.Discovery().RESTClient()

	// Looking first: creating a Service whose address is taken by itself fails as invalid, not as existing.
	err := rest.Get().AbsPath(append(path, object.GetName())...).Do(ctx).Error()
	if !apierrors.IsNotFound(err) {
		return err
	}

	body, err := json.Marshal(object.Object)
	if err != nil {
		return err
	}

	return rest.Post().AbsPath(path...).SetHeader("Content-Type", "application/json").Body(body).Do(ctx).Error()
}
