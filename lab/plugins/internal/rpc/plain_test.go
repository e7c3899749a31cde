package rpc

import (
	"reflect"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

type pm = resource.PropertyMap

func secret(v resource.PropertyValue) resource.PropertyValue { return resource.MakeSecret(v) }

func TestToPlainAndBack(t *testing.T) {
	unknown := resource.MakeComputed(resource.NewProperty(""))
	props := pm{
		"whole": resource.NewProperty(80.0), "part": resource.NewProperty(0.5), "null": resource.NewNullProperty(),
		"secret": secret(resource.NewProperty(pm{"a": resource.NewProperty("b")})), "unknown": secret(unknown),
		"list": resource.NewProperty([]resource.PropertyValue{resource.NewProperty(true), unknown}),
	}
	plain := ToPlain(props, strings.ToUpper)
	if plain["WHOLE"] != int64(80) || plain["PART"] != 0.5 || plain["NULL"] != nil {
		t.Errorf("numbers: %v", plain)
	}
	if !reflect.DeepEqual(plain["SECRET"], map[string]any{"A": "b"}) {
		t.Errorf("secret: %v", plain["SECRET"])
	}
	back := ToProperties(plain, strings.ToLower)
	if !back["unknown"].IsComputed() || !back["list"].ArrayValue()[1].IsComputed() || back["whole"].NumberValue() != 80 {
		t.Errorf("back: %v", back)
	}
}

func TestCopySecrets(t *testing.T) {
	text := resource.NewProperty("x")
	outs := pm{
		"plain": text, "secret": text, "object": resource.NewProperty(pm{"a": text, "b": text}),
		"list": resource.NewProperty([]resource.PropertyValue{text, text}),
	}
	CopySecrets(outs, pm{
		"plain": text, "secret": secret(text), "gone": secret(text),
		"object": resource.NewProperty(pm{"a": secret(text), "b": text}),
		"list":   resource.NewProperty([]resource.PropertyValue{secret(text)}),
	})
	object := outs["object"].ObjectValue()
	got := []bool{
		outs["plain"].IsSecret(), outs["secret"].IsSecret(), object["a"].IsSecret(), object["b"].IsSecret(),
		outs["list"].IsSecret(),
	}
	if want := []bool{false, true, true, false, true}; !reflect.DeepEqual(got, want) {
		t.Fatalf("secret marks %v, want %v", got, want)
	}
	if _, found := outs["gone"]; found {
		t.Fatal("a property was added")
	}
}

func TestPlainMapUnwrapsAtEveryDepth(t *testing.T) {
	got := PlainMap(pm{"a": secret(resource.NewProperty([]resource.PropertyValue{secret(resource.NewProperty("x"))}))})
	if got["a"].ContainsSecrets() || got["a"].ArrayValue()[0].StringValue() != "x" {
		t.Fatalf("got %v", got)
	}
}

func TestInitFailedCarriesTheState(t *testing.T) {
	err := InitFailed("ns/name", pm{"a": resource.NewProperty("b")}, &testError{"not ready"})
	if !strings.Contains(err.Error(), "not ready") {
		t.Fatalf("error is %v", err)
	}
}

type testError struct{ text string }

func (e *testError) Error() string { return e.text }
