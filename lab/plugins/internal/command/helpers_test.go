package command

import (
	"context"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"

	"lab/plugins/internal/rpc"
	"lab/plugins/internal/rpctest"
)

const testURN = "urn:pulumi:test::project::command:local:Command::step"

// recorder is an engine log that a test can read.
type recorder struct {
	mu    sync.Mutex
	lines []string
	seen  chan string
}

func (r *recorder) Log(context.Context, diag.Severity, resource.URN, string) error { return nil }

func (r *recorder) LogStatus(_ context.Context, sev diag.Severity, urn resource.URN, msg string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, string(sev)+" "+urn.Name()+" "+msg)
	if r.seen != nil {
		r.seen <- msg
	}
	return nil
}

func newProvider(t *testing.T) (*Provider, *recorder) {
	t.Helper()
	log := &recorder{}
	base := rpc.NewBase("1.2.3")
	base.Log.To(log)
	provider, ok := New(base).(*Provider)
	if !ok {
		t.Fatal("New returned another type")
	}
	return provider, log
}

func wire(t *testing.T, props map[string]any) *structpb.Struct {
	t.Helper()
	return rpctest.Encode(t, resource.NewPropertyMapFromMap(props))
}

// create runs Create and returns the state.
func create(t *testing.T, p *Provider, inputs map[string]any) resource.PropertyMap {
	t.Helper()
	response, err := p.Create(t.Context(), &pulumirpc.CreateRequest{Urn: testURN, Properties: wire(t, inputs)})
	if err != nil {
		t.Fatal(err)
	}
	return rpctest.Decode(t, response.GetProperties())
}

func wantStdout(t *testing.T, state resource.PropertyMap, want string) {
	t.Helper()
	if got := state["stdout"]; !got.IsString() || got.StringValue() != want {
		t.Fatalf("stdout is %v, want %q", got, want)
	}
}
