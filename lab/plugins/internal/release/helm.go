package release

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/action"
	helmrelease "helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
)

// incompleteError is the error of a release that Helm stored, but which did not become what it should.
type incompleteError struct{ cause error }

func (e *incompleteError) Error() string { return e.cause.Error() }
func (e *incompleteError) Unwrap() error { return e.cause }

// install makes a new release and records it in s.
func (p *Provider) install(ctx context.Context, s *Spec) error {
	config, err := p.helm(s.Namespace)
	if err != nil {
		return err
	}
	client := action.NewInstall(config)
	c, _, err := load(&client.ChartPathOptions, config.RegistryClient, p.settings, s)
	if err != nil {
		return err
	}
	if err := installable(c); err != nil {
		return err
	}
	client.ReleaseName, client.Namespace, client.CreateNamespace = s.Name, s.Namespace, s.CreateNamespace
	client.Wait, client.WaitForJobs = !s.SkipAwait, !s.SkipAwait && s.WaitForJobs
	client.Timeout, client.Atomic, client.Replace = s.limit(), s.Atomic, s.Replace
	client.Devel, client.Description = s.Devel, s.Description
	client.DisableHooks, client.SkipCRDs, client.SubNotes = s.DisableWebhooks, s.SkipCrds, s.RenderSubchartNotes
	client.DisableOpenAPIValidation = s.DisableOpenapiValidation
	made, err := client.RunWithContext(ctx, c, merge(s.Values, nil))
	if err == nil {
		return s.record(made)
	}
	if made == nil {
		return err
	}
	return s.recordFailed(config, err)
}

// recordFailed records a release whose install failed, if Helm kept it: an atomic install removes it.
func (s *Spec) recordFailed(config *action.Configuration, cause error) error {
	stored, found, err := lookup(config, s.Name)
	if err != nil || !found {
		return cause
	}
	if err := s.record(stored); err != nil {
		return err
	}
	return &incompleteError{cause: cause}
}

// upgrade makes a new revision of the release and records it in s.
func (p *Provider) upgrade(ctx context.Context, old, s *Spec) error {
	config, err := p.helm(old.Namespace)
	if err != nil {
		return err
	}
	client := action.NewUpgrade(config)
	c, path, err := load(&client.ChartPathOptions, config.RegistryClient, p.settings, s)
	if err != nil {
		return err
	}
	if err := s.lint(path); err != nil {
		return err
	}
	s.setUpgrade(client)
	made, err := client.RunWithContext(ctx, s.Name, c, merge(s.Values, nil))
	if err == nil {
		return s.record(made)
	}
	if made == nil || errors.Is(err, driver.ErrNoDeployedReleases) {
		return err
	}
	if recordErr := s.record(made); recordErr != nil {
		return recordErr
	}
	return &incompleteError{cause: err}
}

func (s *Spec) setUpgrade(client *action.Upgrade) {
	client.Namespace, client.Devel, client.Description = s.Namespace, s.Devel, s.Description
	client.Wait, client.WaitForJobs = !s.SkipAwait, !s.SkipAwait && s.WaitForJobs
	client.Timeout, client.Atomic, client.CleanupOnFail = s.limit(), s.Atomic, s.CleanupOnFail
	client.DisableHooks, client.SubNotes, client.Force = s.DisableCRDHooks, s.RenderSubchartNotes, s.ForceUpdate
	client.ResetValues, client.ReuseValues, client.Recreate = s.ResetValues, s.ReuseValues, s.RecreatePods
	client.DisableOpenAPIValidation = s.DisableOpenapiValidation
	if s.MaxHistory != nil {
		client.MaxHistory = *s.MaxHistory
	}
}

// lint runs helm lint on the chart, where the program asks for it.
func (s *Spec) lint(path string) error {
	if !s.Lint {
		return nil
	}
	result := action.NewLint().Run([]string{path}, s.Values)
	if len(result.Errors) == 0 {
		return nil
	}
	lines := make([]string, 0, len(result.Errors))
	for _, err := range result.Errors {
		lines = append(lines, err.Error())
	}
	return fmt.Errorf("chart %q does not pass helm lint: %s", s.Chart, strings.Join(lines, "; "))
}

// uninstall removes the release; one that is not there is removed already. It returns what Helm has to say.
func (p *Provider) uninstall(s *Spec) (string, error) {
	config, err := p.helm(s.Namespace)
	if err != nil {
		return "", err
	}
	client := action.NewUninstall(config)
	client.Wait = s.Atomic || !s.SkipAwait
	client.Timeout = s.limit()
	response, err := client.Run(s.Name)
	switch {
	case errors.Is(err, driver.ErrReleaseNotFound):
		return "", nil
	case err != nil:
		return "", err
	default:
		return response.Info, nil
	}
}

// lookup returns the last revision of a release.
func lookup(config *action.Configuration, name string) (*helmrelease.Release, bool, error) {
	found, err := action.NewGet(config).Run(name)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, false, nil
	}
	return found, err == nil, err
}
