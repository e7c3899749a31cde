// Package release implements kubernetes:helm.sh/v3:Release with the Helm SDK: the releases it makes are
// those that the helm command shows.
package release

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/asset"

	"lab/plugins/internal/rpc"
)

// Type is the type token of a release.
const Type = "kubernetes:helm.sh/v3:Release"

// defaultTimeout is Helm's own limit for one operation, in seconds.
const defaultTimeout = 300

// Spec holds the inputs of a release, and the outputs that Helm adds.
type Spec struct {
	AllowNullValues          bool                `json:"allowNullValues"` // has no effect any more
	Atomic                   bool                `json:"atomic"`
	Chart                    string              `json:"chart"`
	CleanupOnFail            bool                `json:"cleanupOnFail"`
	CreateNamespace          bool                `json:"createNamespace"`
	DependencyUpdate         bool                `json:"dependencyUpdate"`
	Description              string              `json:"description"`
	Devel                    bool                `json:"devel"`
	DisableCRDHooks          bool                `json:"disableCRDHooks"`
	DisableOpenapiValidation bool                `json:"disableOpenapiValidation"`
	DisableWebhooks          bool                `json:"disableWebhooks"`
	ForceUpdate              bool                `json:"forceUpdate"`
	Keyring                  string              `json:"keyring"` // refused unless empty, like Postrender and Verify
	Lint                     bool                `json:"lint"`
	MaxHistory               *int                `json:"maxHistory,omitempty"`
	Name                     string              `json:"name"`
	Namespace                string              `json:"namespace"`
	Postrender               string              `json:"postrender"`
	RecreatePods             bool                `json:"recreatePods"`
	RenderSubchartNotes      bool                `json:"renderSubchartNotes"`
	Replace                  bool                `json:"replace"`
	RepositoryOpts           *Repository         `json:"repositoryOpts,omitempty"`
	ResetValues              bool                `json:"resetValues"`
	ReuseValues              bool                `json:"reuseValues"`
	SkipAwait                bool                `json:"skipAwait"`
	SkipCrds                 bool                `json:"skipCrds"`
	Timeout                  int                 `json:"timeout"` // seconds for each Kubernetes operation
	Values                   map[string]any      `json:"values"`
	Verify                   bool                `json:"verify"`
	Version                  string              `json:"version"`
	WaitForJobs              bool                `json:"waitForJobs"`
	ResourceNames            map[string][]string `json:"resourceNames,omitempty"` // by kind/version
	Status                   *Status             `json:"status,omitempty"`
}

// Repository says where a chart comes from, if not from a path or an oci:// address.
type Repository struct {
	Repo     string `json:"repo,omitempty"`
	CAFile   string `json:"caFile,omitempty"`
	CertFile string `json:"certFile,omitempty"`
	KeyFile  string `json:"keyFile,omitempty"`
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
}

// Status is what Helm says about the last revision.
type Status struct {
	AppVersion string `json:"appVersion"`
	Chart      string `json:"chart"`
	Name       string `json:"name"`
	Namespace  string `json:"namespace"`
	Revision   int    `json:"revision"`
	Status     string `json:"status"`
	Version    string `json:"version"`
}

// unsupported are inputs that run other programs or read files which this plugin does not handle.
var unsupported = []resource.PropertyKey{"valueYamlFiles", "postrender", "verify", "keyring"}

// refused returns the unsupported inputs that are set.
func refused(props resource.PropertyMap) []resource.PropertyKey {
	var found []resource.PropertyKey
	for _, key := range unsupported {
		if isSet(rpc.Plain(props[key])) {
			found = append(found, key)
		}
	}
	return found
}

func isSet(v resource.PropertyValue) bool {
	switch {
	case v.IsBool():
		return v.BoolValue()
	case v.IsString():
		return v.StringValue() != ""
	case v.IsArray():
		return len(v.ArrayValue()) > 0
	default:
		return !v.IsNull()
	}
}

// parse reads inputs or a state. Unknown values count as absent, and within the chart values as null.
func parse(props resource.PropertyMap) (*Spec, error) {
	document, err := json.Marshal(withoutUnknowns(rpc.ToPlain(props, nil)))
	if err != nil {
		return nil, fmt.Errorf("read the release: %w", err)
	}
	spec := &Spec{}
	if err := json.Unmarshal(document, spec); err != nil {
		return nil, fmt.Errorf("read the release: %w", err)
	}
	if spec.Values == nil {
		spec.Values = map[string]any{}
	}
	return spec, nil
}

// withoutUnknowns replaces what cannot be written as JSON by null.
func withoutUnknowns(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[key] = withoutUnknowns(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = withoutUnknowns(value)
		}
		return out
	case resource.Computed, *asset.Asset:
		return nil
	default:
		return v
	}
}

// properties is the reverse of parse.
func (s *Spec) properties() (resource.PropertyMap, error) {
	document, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("write the release %s: %w", s.Name, err)
	}
	plain := map[string]any{}
	if err := json.Unmarshal(document, &plain); err != nil {
		return nil, fmt.Errorf("write the release %s: %w", s.Name, err)
	}
	return rpc.ToProperties(plain, nil), nil
}

func (s *Spec) limit() time.Duration {
	if s.Timeout == 0 {
		return defaultTimeout * time.Second
	}
	return time.Duration(s.Timeout) * time.Second
}

func (s *Spec) id() string { return s.Namespace + "/" + s.Name }

// versionWish is the version constraint handed to Helm.
func (s *Spec) versionWish() string {
	if s.Version == "" && s.Devel {
		return ">0.0.0-0"
	}
	return strings.TrimSpace(s.Version)
}
