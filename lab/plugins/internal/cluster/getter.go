package cluster

import (
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
)

// Getter hands the cluster to Helm (genericclioptions.RESTClientGetter).
type Getter struct {
	cluster   *Cluster
	namespace string
}

// Getter returns a view of the cluster whose default namespace is namespace.
func (c *Cluster) Getter(namespace string) *Getter { return &Getter{cluster: c, namespace: namespace} }

// ToRESTConfig implements genericclioptions.RESTClientGetter.
func (g *Getter) ToRESTConfig() (*rest.Config, error) {
	if g.cluster.Rest == nil {
		return nil, errNoClient
	}
	return rest.CopyConfig(g.cluster.Rest), nil
}

// ToDiscoveryClient implements genericclioptions.RESTClientGetter.
func (g *Getter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	if g.cluster.Discovery == nil {
		return nil, errNoClient
	}
	return g.cluster.Discovery, nil
}

// ToRESTMapper implements genericclioptions.RESTClientGetter.
func (g *Getter) ToRESTMapper() (meta.RESTMapper, error) {
	if g.cluster.Mapper == nil {
		return nil, errNoClient
	}
	return restmapper.NewShortcutExpander(g.cluster.Mapper, g.cluster.Discovery, nil), nil
}

// ToRawKubeConfigLoader implements genericclioptions.RESTClientGetter.
func (g *Getter) ToRawKubeConfigLoader() clientcmd.ClientConfig { return g.cluster.Loader(g.namespace) }
