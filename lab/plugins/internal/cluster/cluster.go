package cluster

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

const (
	clientQPS   = 50  // requests per second
	clientBurst = 120 // requests
	// probeTimeout bounds the question whether the API server answers at all.
	probeTimeout = 10 * time.Second
)

// ResettableMapper is a REST mapper whose cache can be dropped after a CRD changed.
type ResettableMapper interface {
	meta.RESTMapper
	Reset()
}

// Cluster is one configured cluster. Where Unreachable is not empty the clients are nil.
type Cluster struct {
	Settings
	Unreachable string // why the cluster cannot be used, without any secret

	Rest      *rest.Config
	Dynamic   dynamic.Interface
	Discovery discovery.CachedDiscoveryInterface
	Mapper    ResettableMapper

	config    *api.Config // nil means the ambient kubeconfig
	overrides clientcmd.ConfigOverrides
}

// Connect makes the clients and asks the API server once whether it answers. What fails is recorded in
// Unreachable and reported by the first operation that needs the cluster, so that a preview works
// without one.
func Connect(ctx context.Context, settings Settings) *Cluster {
	c := &Cluster{Settings: settings}
	c.overrides = clientcmd.ConfigOverrides{
		CurrentContext: settings.Context,
		Context:        api.Context{Cluster: settings.Cluster, Namespace: settings.Namespace},
	}
	if settings.Kubeconfig != "" {
		config, err := ParseKubeconfig(settings.Kubeconfig)
		if err != nil {
			c.Unreachable = "failed to parse the provider input `kubeconfig`: " + err.Error()
			return c
		}
		c.config = config
	}
	if namespace, _, err := c.Loader("").Namespace(); err == nil {
		c.Namespace = namespace
	}
	if err := c.connect(ctx); err != nil {
		c.Unreachable = err.Error()
	}
	return c
}

// Loader returns the kubeconfig with the provider's overrides. A namespace that is not empty becomes
// the default of namespaced objects.
func (c *Cluster) Loader(namespace string) clientcmd.ClientConfig {
	overrides := c.overrides
	if namespace != "" {
		overrides.Context.Namespace = namespace
	}
	if c.config != nil {
		return clientcmd.NewDefaultClientConfig(*c.config, &overrides)
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.DefaultClientConfig = &clientcmd.DefaultClientConfig
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &overrides)
}

func (c *Cluster) connect(ctx context.Context) error {
	config, err := c.Loader("").ClientConfig()
	if err != nil {
		return errNoClient
	}
	config.QPS, config.Burst = clientQPS, clientBurst
	config.WarningHandler = rest.NoWarnings{}
	config.UserAgent = "pulumi-kubernetes-lab"
	if err := c.makeClients(config); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if err := c.Discovery.RESTClient().Get().AbsPath("/version").Do(ctx).Error(); err != nil {
		return fmt.Errorf("the API server does not answer: %w", err)
	}
	return nil
}

func (c *Cluster) makeClients(config *rest.Config) error {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return errNoClient
	}
	direct, err := discovery.NewDiscoveryClientForConfigAndClient(config, client)
	if err != nil {
		return fmt.Errorf("make a discovery client: %w", err)
	}
	if c.Dynamic, err = dynamic.NewForConfigAndClient(config, client); err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	c.Rest = config
	c.Discovery = memory.NewMemCacheClient(direct)
	c.Mapper = restmapper.NewDeferredDiscoveryRESTMapper(c.Discovery)
	return nil
}

// errNoClient hides its cause, which can quote certificate data.
var errNoClient = fmt.Errorf("no client can be made from the kubeconfig: " +
	"check its current context, its server and its certificate data")
