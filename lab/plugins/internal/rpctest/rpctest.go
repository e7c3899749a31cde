// Package rpctest holds what the tests of every provider need: values on the wire and errors by their words.
package rpctest

import (
	"context"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"

	"lab/plugins/internal/rpc"
)

// Encode returns properties as the engine sends them.
func Encode(t *testing.T, props resource.PropertyMap) *structpb.Struct {
	t.Helper()
	s, err := rpc.Encode("test", props)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Wire returns plain data as the engine sends it.
func Wire(t *testing.T, plain map[string]any) *structpb.Struct {
	t.Helper()
	return Encode(t, rpc.ToProperties(plain, nil))
}

// Decode returns what the provider answered.
func Decode(t *testing.T, s *structpb.Struct) resource.PropertyMap {
	t.Helper()
	props, err := rpc.Decode("test", s)
	if err != nil {
		t.Fatal(err)
	}
	return props
}

// Checker is the part of a provider that Check calls.
type Checker interface {
	Check(context.Context, *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error)
}

// Check returns the inputs that a provider's Check makes of news, which it must accept.
func Check(t *testing.T, p Checker, urn string, olds, news map[string]any) resource.PropertyMap {
	t.Helper()
	response, err := p.Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn, Olds: Wire(t, olds), News: Wire(t, news)})
	if err != nil {
		t.Fatal(err)
	}
	if len(response.GetFailures()) > 0 {
		t.Fatalf("failures: %v", response.GetFailures())
	}
	return Decode(t, response.GetInputs())
}

// WantError fails unless err has all the parts in its text.
func WantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q lacks %q", err, part)
		}
	}
}
