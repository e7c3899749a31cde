// Command lab-runc stands before runc in nodes on a machine that lacks CAP_SYS_RESOURCE or the controllers of
// cgroup v2: it takes from a container's config.json what the kernel would refuse, then becomes runc.
//
// Limits of pods are then not enforced; the lab limits the whole node instead.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const real = "/usr/bin/runc.real"

func main() {
	if bundle, creates := bundleOf(os.Args[1:]); creates {
		if err := rewrite(filepath.Join(bundle, "config.json")); err != nil {
			fmt.Fprintln(os.Stderr, "lab-runc:", err)
			os.Exit(1)
		}
	}
	err := syscall.Exec(real, append([]string{real}, os.Args[1:]...), os.Environ())
	fmt.Fprintln(os.Stderr, "lab-runc:", real, err)
	os.Exit(1)
}

// bundleOf returns the bundle directory, and whether the arguments make a container.
func bundleOf(arguments []string) (string, bool) {
	bundle, creates := ".", false
	for i, argument := range arguments {
		value, joined := strings.CutPrefix(argument, "--bundle=")
		switch {
		case joined:
			bundle = value
		case (argument == "--bundle" || argument == "-b") && i+1 < len(arguments):
			bundle = arguments[i+1]
		case argument == "create" || argument == "run" || argument == "restore":
			creates = true
		}
	}
	return bundle, creates
}

func rewrite(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var spec map[string]any
	if err := json.Unmarshal(text, &spec); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	soften(spec)
	text, err = json.Marshal(spec)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// soften takes rlimits, negative OOM scores, CAP_SYS_RESOURCE and resource limits out of an OCI spec.
func soften(spec map[string]any) {
	if process, ok := spec["process"].(map[string]any); ok {
		delete(process, "rlimits")
		if score, ok := process["oomScoreAdj"].(float64); ok && score <= 0 {
			delete(process, "oomScoreAdj")
		}
		if sets, ok := process["capabilities"].(map[string]any); ok {
			for name, set := range sets {
				if list, ok := set.([]any); ok {
					sets[name] = slices.DeleteFunc(list, func(c any) bool { return c == "CAP_SYS_RESOURCE" })
				}
			}
		}
	}
	if linux, ok := spec["linux"].(map[string]any); ok {
		if resources, ok := linux["resources"].(map[string]any); ok {
			for _, limit := range []string{"memory", "cpu", "pids", "blockIO", "hugepageLimits", "unified"} {
				delete(resources, limit)
			}
		}
	}
}
