package rpc

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"google.golang.org/protobuf/types/known/structpb"
)

// Decode turns a wire struct into properties that keep unknowns, secrets and assets.
// label names the struct in errors; it must not contain values.
func Decode(label string, s *structpb.Struct) (resource.PropertyMap, error) {
	props, err := plugin.UnmarshalProperties(s, plugin.MarshalOptions{
		Label: label, KeepUnknowns: true, KeepSecrets: true, KeepResources: true,
	})
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", label, err)
	}
	return props, nil
}

// Encode is the reverse of Decode.
func Encode(label string, props resource.PropertyMap) (*structpb.Struct, error) {
	s, err := plugin.MarshalProperties(props, plugin.MarshalOptions{
		Label: label, KeepUnknowns: true, KeepSecrets: true, KeepResources: true,
	})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", label, err)
	}
	return s, nil
}

// Plain removes secret and output wrappers at every depth. Unknown values stay computed.
func Plain(v resource.PropertyValue) resource.PropertyValue {
	switch {
	case v.IsSecret():
		return Plain(v.SecretValue().Element)
	case v.IsOutput():
		return plainOutput(v.OutputValue())
	case v.IsArray():
		items := make([]resource.PropertyValue, 0, len(v.ArrayValue()))
		for _, item := range v.ArrayValue() {
			items = append(items, Plain(item))
		}
		return resource.NewProperty(items)
	case v.IsObject():
		return resource.NewProperty(PlainMap(v.ObjectValue()))
	default:
		return v
	}
}

// PlainMap is Plain for each value of a map.
func PlainMap(m resource.PropertyMap) resource.PropertyMap {
	out := make(resource.PropertyMap, len(m))
	for k, v := range m {
		out[k] = Plain(v)
	}
	return out
}

func plainOutput(o resource.Output) resource.PropertyValue {
	if !o.Known {
		return resource.MakeComputed(resource.NewProperty(""))
	}
	return Plain(o.Element)
}
