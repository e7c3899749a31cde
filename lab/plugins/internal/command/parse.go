package command

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"google.golang.org/protobuf/types/known/structpb"

	"lab/plugins/internal/rpc"
)

// decode reads a wire struct of a resource; it refuses types that this plugin does not serve.
func decode(urn, what string, s *structpb.Struct) (resource.PropertyMap, error) {
	if kind := string(resource.URN(urn).Type()); kind != typeCommand {
		return nil, fmt.Errorf("resource type %s is not supported by the lab plugin, only %s is: "+
			"use the real pulumi-resource-command", kind, typeCommand)
	}
	return rpc.Decode(resource.URN(urn).Name()+" "+what, s)
}

// parse reads the inputs of a step that is about to run.
func parse(urn string, s *structpb.Struct) (resource.PropertyMap, Inputs, error) {
	props, err := decode(urn, "inputs", s)
	if err != nil {
		return nil, Inputs{}, err
	}
	return parseProps(urn, props)
}

func parseProps(urn string, props resource.PropertyMap) (resource.PropertyMap, Inputs, error) {
	in, failures := ParseInputs(props)
	if len(failures) == 0 {
		return props, in, nil
	}
	reasons := make([]string, 0, len(failures))
	for _, failure := range failures {
		reasons = append(reasons, failure.GetProperty()+": "+failure.GetReason())
	}
	return nil, Inputs{}, fmt.Errorf("%s: invalid inputs: %s", resource.URN(urn).Name(), strings.Join(reasons, "; "))
}
