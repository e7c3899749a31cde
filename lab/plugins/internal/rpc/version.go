package rpc

import (
	"path/filepath"
	"strings"

	"github.com/blang/semver"
)

// installedVersion returns the version that the engine expects of a plugin which was started as program:
// that of its directory plugins/resource-NAME-vVERSION, else the one baked into the binary.
func installedVersion(program, name, baked string) string {
	directory := filepath.Base(filepath.Dir(program))
	version, found := strings.CutPrefix(directory, "resource-"+name+"-v")
	if !found {
		return baked
	}
	if _, err := semver.Parse(version); err != nil {
		return baked
	}
	return version
}
