// Package command implements the resource command:local:Command: a program that runs on the machine
// of the engine when the resource is created, changed or deleted.
package command

import (
	"fmt"
	"sort"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"lab/plugins/internal/rpc"
)

// Values of the input "logging".
const (
	logStdout = "stdout"
	logStderr = "stderr"
	logBoth   = "stdoutAndStderr"
	logNone   = "none"
)

// Inputs is what one run needs. A nil command means that the step does nothing.
type Inputs struct {
	Create, Update, Delete *string

	Interpreter  []string          // argv before the command; empty means /bin/sh -c
	Environment  map[string]string // added to the environment of the plugin
	Stdin        string
	Dir          string // working directory; empty means that of the plugin
	Logging      string // one of the log constants
	PassPrevious bool   // hand the previous output to the command by its environment
}

// kind checks and stores one input that is known.
type kind func(in *Inputs, v resource.PropertyValue) error

var kinds = map[resource.PropertyKey]kind{
	"create":                 text(func(in *Inputs, s string) { in.Create = &s }),
	"update":                 text(func(in *Inputs, s string) { in.Update = &s }),
	"delete":                 text(func(in *Inputs, s string) { in.Delete = &s }),
	"stdin":                  text(func(in *Inputs, s string) { in.Stdin = s }),
	"dir":                    text(func(in *Inputs, s string) { in.Dir = s }),
	"logging":                logging,
	"interpreter":            interpreter,
	"environment":            environment,
	"addPreviousOutputInEnv": passPrevious,
	"triggers":               triggers,
	"assetPaths":             unsupported,
	"archivePaths":           unsupported,
}

// ParseInputs reads inputs that may hold secrets and unknowns; an unknown counts as absent.
// The failures are sorted by property and never hold a value.
func ParseInputs(props resource.PropertyMap) (Inputs, []*pulumirpc.CheckFailure) {
	in := Inputs{Logging: logBoth, PassPrevious: true}
	var failures []*pulumirpc.CheckFailure
	for key, value := range rpc.PlainMap(props) {
		if err := parseOne(&in, key, value); err != nil {
			failures = append(failures, &pulumirpc.CheckFailure{Property: string(key), Reason: err.Error()})
		}
	}
	sort.Slice(failures, func(i, j int) bool { return failures[i].Property < failures[j].Property })
	return in, failures
}

func parseOne(in *Inputs, key resource.PropertyKey, value resource.PropertyValue) error {
	if strings.HasPrefix(string(key), "__") {
		return nil // the engine's own
	}
	parse, found := kinds[key]
	if !found {
		return fmt.Errorf("unrecognized field '%s' of command:local:Command", key)
	}
	if value.IsNull() || value.IsComputed() {
		return nil
	}
	return parse(in, value)
}

func text(set func(*Inputs, string)) kind {
	return func(in *Inputs, v resource.PropertyValue) error {
		if !v.IsString() {
			return fmt.Errorf("must be a string, not %s", v.TypeString())
		}
		set(in, v.StringValue())
		return nil
	}
}

func logging(in *Inputs, v resource.PropertyValue) error {
	allowed := map[string]bool{logStdout: true, logStderr: true, logBoth: true, logNone: true}
	if !v.IsString() || !allowed[v.StringValue()] {
		return fmt.Errorf("must be %s, %s, %s or %s", logStdout, logStderr, logBoth, logNone)
	}
	in.Logging = v.StringValue()
	return nil
}

func interpreter(in *Inputs, v resource.PropertyValue) error {
	if !v.IsArray() {
		return fmt.Errorf("must be a list of strings, not %s", v.TypeString())
	}
	for i, item := range v.ArrayValue() {
		switch {
		case item.IsString():
			in.Interpreter = append(in.Interpreter, item.StringValue())
		case !item.IsComputed():
			return fmt.Errorf("item %d must be a string, not %s", i, item.TypeString())
		}
	}
	return nil
}

func environment(in *Inputs, v resource.PropertyValue) error {
	if !v.IsObject() {
		return fmt.Errorf("must be a map of strings, not %s", v.TypeString())
	}
	in.Environment = map[string]string{}
	for name, item := range v.ObjectValue() {
		switch {
		case item.IsString():
			in.Environment[string(name)] = item.StringValue()
		case !item.IsComputed():
			return fmt.Errorf("variable %s must be a string, not %s", name, item.TypeString())
		}
	}
	return nil
}

func passPrevious(in *Inputs, v resource.PropertyValue) error {
	if !v.IsBool() {
		return fmt.Errorf("must be a boolean, not %s", v.TypeString())
	}
	in.PassPrevious = v.BoolValue()
	return nil
}

func triggers(_ *Inputs, v resource.PropertyValue) error {
	if !v.IsArray() {
		return fmt.Errorf("must be a list, not %s", v.TypeString())
	}
	return nil
}

func unsupported(*Inputs, resource.PropertyValue) error {
	return fmt.Errorf("not supported by the lab plugin; use the real pulumi-resource-command")
}
