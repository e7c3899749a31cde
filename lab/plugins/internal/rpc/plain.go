package rpc

import (
	"math"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// maxExact is the largest integer below which every integer has its own float64.
const maxExact = 1 << 53

// ToPlain turns properties into JSON-like values without secret marks. Whole numbers become int64, as
// in objects that the API server sends. An unknown stays a resource.Computed. rename maps keys and may be nil.
func ToPlain(props resource.PropertyMap, rename func(string) string) map[string]any {
	out := make(map[string]any, len(props))
	for key, value := range props {
		name := string(key)
		if rename != nil {
			name = rename(name)
		}
		out[name] = plain(value, rename)
	}
	return out
}

func plain(v resource.PropertyValue, rename func(string) string) any {
	v = unwrap(v)
	switch {
	case v.IsNull():
		return nil
	case v.IsComputed():
		return v.V
	case v.IsObject():
		return ToPlain(v.ObjectValue(), rename)
	case v.IsArray():
		items := make([]any, 0, len(v.ArrayValue()))
		for _, item := range v.ArrayValue() {
			items = append(items, plain(item, rename))
		}
		return items
	case v.IsNumber():
		return wholeOrFloat(v.NumberValue())
	default:
		return v.V
	}
}

func unwrap(v resource.PropertyValue) resource.PropertyValue {
	for v.IsSecret() || v.IsOutput() {
		if v.IsSecret() {
			v = v.SecretValue().Element
			continue
		}
		v = plainOutput(v.OutputValue())
	}
	return v
}

func wholeOrFloat(f float64) any {
	if math.Trunc(f) == f && math.Abs(f) < maxExact {
		return int64(f)
	}
	return f
}

// ToProperties is the reverse of ToPlain. rename may be nil.
func ToProperties(m map[string]any, rename func(string) string) resource.PropertyMap {
	out := make(resource.PropertyMap, len(m))
	for key, value := range m {
		if rename != nil {
			key = rename(key)
		}
		out[resource.PropertyKey(key)] = property(value, rename)
	}
	return out
}

func property(v any, rename func(string) string) resource.PropertyValue {
	switch v := v.(type) {
	case map[string]any:
		return resource.NewProperty(ToProperties(v, rename))
	case []any:
		items := make([]resource.PropertyValue, 0, len(v))
		for _, item := range v {
			items = append(items, property(item, rename))
		}
		return resource.NewProperty(items)
	case resource.Computed:
		return resource.MakeComputed(resource.NewProperty(""))
	case int64:
		return resource.NewProperty(float64(v))
	default:
		return resource.NewPropertyValue(v)
	}
}

// CopySecrets marks as secret in outs what is secret in ins. Objects are compared key by key; a list
// that holds a secret becomes secret as a whole, because the order of its items may change.
func CopySecrets(outs, ins resource.PropertyMap) {
	for key, in := range ins {
		out, found := outs[key]
		switch {
		case !found || out.IsSecret():
		case out.IsObject() && in.IsObject():
			CopySecrets(out.ObjectValue(), in.ObjectValue())
		case in.ContainsSecrets():
			outs[key] = resource.MakeSecret(out)
		}
	}
}

// CopyUnknowns makes unknown in outs what is unknown in ins.
func CopyUnknowns(outs, ins resource.PropertyMap) {
	for key, in := range ins {
		if out, found := outs[key]; found {
			outs[key] = copyUnknown(out, unwrap(in))
		}
	}
}

func copyUnknown(out, in resource.PropertyValue) resource.PropertyValue {
	switch {
	case in.IsComputed():
		return resource.MakeComputed(resource.NewProperty(""))
	case out.IsObject() && in.IsObject():
		CopyUnknowns(out.ObjectValue(), in.ObjectValue())
	case out.IsArray() && in.IsArray():
		copyUnknownItems(out.ArrayValue(), in.ArrayValue())
	}
	return out
}

func copyUnknownItems(outs, ins []resource.PropertyValue) {
	for i := range min(len(outs), len(ins)) {
		outs[i] = copyUnknown(outs[i], unwrap(ins[i]))
	}
}
