package release

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/cli"
	"helm.sh/helm/v3/pkg/downloader"
	"helm.sh/helm/v3/pkg/getter"
	"helm.sh/helm/v3/pkg/registry"
)

// storage is where Helm keeps its releases: Secrets of the release's namespace, as the helm command.
const storage = "secret"

// helm returns a Helm configuration for one namespace. What Helm logs is dropped: it may hold values.
func (p *Provider) helm(namespace string) (*action.Configuration, error) {
	config := &action.Configuration{}
	drop := func(string, ...any) {}
	if err := config.Init(p.cluster.Getter(namespace), namespace, storage, drop); err != nil {
		return nil, fmt.Errorf("configure Helm: %w", err)
	}
	client, err := registry.NewClient(
		registry.ClientOptEnableCache(true),
		registry.ClientOptWriter(io.Discard),
		registry.ClientOptCredentialsFile(p.settings.RegistryConfig),
	)
	if err != nil {
		return nil, fmt.Errorf("configure Helm's registry client: %w", err)
	}
	config.RegistryClient = client
	return config, nil
}

// load finds and reads the chart: a directory or an archive on this machine, a chart of a repository, or
// an oci:// address. It returns the path too.
func load(
	options *action.ChartPathOptions, client *registry.Client, settings *cli.EnvSettings, s *Spec,
) (*chart.Chart, string, error) {
	name := chartName(options, s)
	path, err := options.LocateChart(name, settings)
	if err != nil {
		return nil, "", fmt.Errorf("chart %q: %w", s.Chart, err)
	}
	loaded, err := loader.Load(path)
	if err != nil {
		return nil, "", fmt.Errorf("chart %q: %w", s.Chart, err)
	}
	updated, err := resolveDependencies(loaded, path, client, settings, s)
	if err != nil || !updated {
		return loaded, path, err
	}
	loaded, err = loader.Load(path)
	return loaded, path, err
}

// chartName fills in the options and returns the name as Helm wants it: repo/chart for a repository
// that is known by name.
func chartName(options *action.ChartPathOptions, s *Spec) string {
	name := strings.TrimSpace(s.Chart)
	options.Version = s.versionWish()
	if s.RepositoryOpts == nil {
		return name
	}
	r := s.RepositoryOpts
	options.CaFile, options.CertFile, options.KeyFile = r.CAFile, r.CertFile, r.KeyFile
	options.Username, options.Password = r.Username, r.Password
	if registry.IsOCI(name) || r.Repo == "" {
		return name
	}
	if _, err := url.ParseRequestURI(r.Repo); err == nil {
		options.RepoURL = r.Repo
		return name
	}
	if strings.Contains(name, "/") {
		return name
	}
	return r.Repo + "/" + name
}

func resolveDependencies(
	c *chart.Chart, path string, client *registry.Client, settings *cli.EnvSettings, s *Spec,
) (bool, error) {
	err := action.CheckDependencies(c, c.Metadata.Dependencies)
	if err == nil {
		return false, nil
	}
	if !s.DependencyUpdate {
		return false, fmt.Errorf("chart %q: %w", s.Chart, err)
	}
	manager := &downloader.Manager{
		Out: io.Discard, ChartPath: path, Getters: getter.All(settings), RegistryClient: client,
		RepositoryConfig: settings.RepositoryConfig, RepositoryCache: settings.RepositoryCache,
	}
	if err := manager.Update(); err != nil {
		return false, fmt.Errorf("chart %q: update its dependencies: %w", s.Chart, err)
	}
	return true, nil
}

func installable(c *chart.Chart) error {
	switch c.Metadata.Type {
	case "", "application":
		return nil
	default:
		return fmt.Errorf("chart %q is a %s chart, which cannot be installed", c.Metadata.Name, c.Metadata.Type)
	}
}
