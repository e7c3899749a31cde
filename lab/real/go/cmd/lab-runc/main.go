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
	file, change := subject(os.Args[1:])
	if change != nil {
		if err := rewrite(file, change); err != nil {
			fmt.Fprintln(os.Stderr, "lab-runc:", err)
			os.Exit(1)
		}
	}
	err := syscall.Exec(real, append([]string{real}, os.Args[1:]...), os.Environ())
	fmt.Fprintln(os.Stderr, "lab-runc:", real, err)
	os.Exit(1)
}

// subject returns the file that describes what runc is about to start, and how to change it: the OCI spec of a
// new container, or the process of an exec. The change is nil where nothing is started.
func subject(arguments []string) (string, func(map[string]any)) {
	verb, bundle, process := "", ".", ""
	for i, argument := range arguments {
		name, value, joined := strings.Cut(argument, "=")
		if !joined && i+1 < len(arguments) {
			value = arguments[i+1]
		}
		switch name {
		case "--bundle", "-b":
			bundle = value
		case "--process", "-p":
			process = value
		case "create", "run", "restore", "exec":
			if verb == "" {
				verb = argument
			}
		}
	}
	switch {
	case verb == "exec" && process != "":
		return process, softenProcess
	case verb != "" && verb != "exec":
		return filepath.Join(bundle, "config.json"), soften
	}
	return "", nil
}

func rewrite(path string, change func(map[string]any)) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	change(document)
	text, err = json.Marshal(document)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// soften takes what the kernel would refuse out of an OCI spec: of its process, and all resource limits.
func soften(spec map[string]any) {
	if process, ok := spec["process"].(map[string]any); ok {
		softenProcess(process)
	}
	if linux, ok := spec["linux"].(map[string]any); ok {
		if resources, ok := linux["resources"].(map[string]any); ok {
			for _, limit := range []string{"memory", "cpu", "pids", "blockIO", "hugepageLimits", "unified"} {
				delete(resources, limit)
			}
		}
	}
}

// softenProcess takes rlimits, negative OOM scores and CAP_SYS_RESOURCE out of the process of an OCI spec.
func softenProcess(process map[string]any) {
	delete(process, "rlimits")
	if score, ok := process["oomScoreAdj"].(float64); ok && score <= 0 {
		delete(process, "oomScoreAdj")
	}
	sets, ok := process["capabilities"].(map[string]any)
	if !ok {
		return
	}
	for name, set := range sets {
		if list, ok := set.([]any); ok {
			sets[name] = slices.DeleteFunc(list, func(c any) bool { return c == "CAP_SYS_RESOURCE" })
		}
	}
}
