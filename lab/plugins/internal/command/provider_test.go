package command

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"lab/plugins/internal/rpctest"
)

func update(t *testing.T, p *Provider, old resource.PropertyMap, inputs map[string]any) resource.PropertyMap {
	t.Helper()
	response, err := p.Update(t.Context(), &pulumirpc.UpdateRequest{
		Urn: testURN, Id: "step1", Olds: rpctest.Encode(t, old), News: wire(t, inputs),
	})
	if err != nil {
		t.Fatal(err)
	}
	return rpctest.Decode(t, response.GetProperties())
}

func TestCreateGivesAnIdFromTheName(t *testing.T) {
	p, _ := newProvider(t)
	response, err := p.Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: testURN, Properties: wire(t, map[string]any{"create": "true"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if id := response.GetId(); !strings.HasPrefix(id, "step") || len(id) != len("step")+suffixDigits {
		t.Fatalf("id is %q", id)
	}
}

func TestUpdateRunsUpdateOrCreateWithThePreviousOutput(t *testing.T) {
	p, _ := newProvider(t)
	old := create(t, p, map[string]any{"create": "echo one; echo two >&2"})
	const show = "echo $PULUMI_COMMAND_STDOUT $PULUMI_COMMAND_STDERR"
	for name, tc := range map[string]struct {
		inputs map[string]any
		want   string
	}{
		"update":      {map[string]any{"create": "echo create", "update": show}, "one two"},
		"create":      {map[string]any{"create": show}, "one two"},
		"no previous": {map[string]any{"create": show, "addPreviousOutputInEnv": false}, ""},
		"neither":     {map[string]any{"delete": "true"}, "one"},
	} {
		t.Run(name, func(t *testing.T) { wantStdout(t, update(t, p, old, tc.inputs), tc.want) })
	}
}

func TestDeleteUsesTheOldStateAndItsOutput(t *testing.T) {
	p, _ := newProvider(t)
	file := filepath.Join(t.TempDir(), "deleted")
	state := create(t, p, map[string]any{
		"create": "echo node-1", "delete": `echo "$WHERE $PULUMI_COMMAND_STDOUT" > ` + file,
		"environment": map[string]any{"WHERE": "old"},
	})
	if _, err := p.Delete(t.Context(), &pulumirpc.DeleteRequest{Urn: testURN, Properties: rpctest.Encode(t, state)}); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(content) != "old node-1\n" {
		t.Fatalf("delete wrote %q", content)
	}
}

func TestWithOnlyADeleteNothingRunsBefore(t *testing.T) {
	p, _ := newProvider(t)
	file := filepath.Join(t.TempDir(), "ran")
	inputs := map[string]any{"delete": "echo $WHO > " + file, "environment": map[string]any{"WHO": "first"}}
	state := create(t, p, inputs)
	inputs["environment"] = map[string]any{"WHO": "second"}
	state = update(t, p, state, inputs)
	wantStdout(t, state, "")
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Fatalf("something ran before the deletion: %v", err)
	}
	_, err := p.Delete(t.Context(), &pulumirpc.DeleteRequest{Urn: testURN, Properties: rpctest.Encode(t, state)})
	if err != nil {
		t.Fatal(err)
	}
	if said, err := os.ReadFile(file); err != nil || string(said) != "second\n" {
		t.Fatalf("the deletion wrote %q, %v", said, err)
	}
}

func TestSecretsStaySecretInTheState(t *testing.T) {
	p, _ := newProvider(t)
	inputs := resource.PropertyMap{
		"create":      resource.NewProperty("wc -c"),
		"stdin":       resource.MakeSecret(resource.NewProperty("key")),
		"environment": resource.NewProperty(resource.PropertyMap{"TOKEN": resource.MakeSecret(resource.NewProperty("t"))}),
	}
	response, err := p.Create(t.Context(), &pulumirpc.CreateRequest{Urn: testURN, Properties: rpctest.Encode(t, inputs)})
	if err != nil {
		t.Fatal(err)
	}
	state := rpctest.Decode(t, response.GetProperties())
	if !state["stdin"].IsSecret() || !state["environment"].ObjectValue()["TOKEN"].IsSecret() {
		t.Fatalf("a secret became plain: %v", state)
	}
	wantStdout(t, state, "3")
}

func TestNothingRunsInAPreview(t *testing.T) {
	p, _ := newProvider(t)
	mark := filepath.Join(t.TempDir(), "ran")
	inputs := map[string]any{"create": "touch " + mark, "update": "touch " + mark}
	created, err := p.Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: testURN, Preview: true, Properties: wire(t, inputs),
	})
	if err != nil {
		t.Fatal(err)
	}
	if state := rpctest.Decode(t, created.GetProperties()); !state["stdout"].IsComputed() || !state["stderr"].IsComputed() {
		t.Errorf("the output of a create preview is known: %v", state)
	}
	updated, err := p.Update(t.Context(), &pulumirpc.UpdateRequest{
		Urn: testURN, Preview: true, News: wire(t, inputs),
		Olds: wire(t, map[string]any{"create": "true", "stdout": "old", "stderr": ""}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if state := rpctest.Decode(t, updated.GetProperties()); !state["stdout"].IsComputed() {
		t.Errorf("the output of an update preview is known: %v", state)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Fatal("a preview ran the command")
	}
}

func TestPreviewAcceptsUnknownInputs(t *testing.T) {
	p, _ := newProvider(t)
	unknown := resource.MakeComputed(resource.NewProperty(""))
	inputs := resource.PropertyMap{"create": unknown, "stdin": resource.MakeSecret(unknown)}
	checked, err := p.Check(t.Context(), &pulumirpc.CheckRequest{Urn: testURN, News: rpctest.Encode(t, inputs)})
	if err != nil || len(checked.GetFailures()) > 0 {
		t.Fatalf("check failed: %v %v", err, checked.GetFailures())
	}
	created, err := p.Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: testURN, Preview: true, Properties: checked.GetInputs(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if state := rpctest.Decode(t, created.GetProperties()); !state["create"].IsComputed() {
		t.Fatalf("create is %v, want unknown", state["create"])
	}
}

func TestCheckReportsEveryFault(t *testing.T) {
	p, _ := newProvider(t)
	response, err := p.Check(t.Context(), &pulumirpc.CheckRequest{Urn: testURN, News: wire(t, map[string]any{
		"create": 7, "archivePaths": []any{"x"}, "environment": map[string]any{"A": true}, "logging": "loud",
		"typo": "x", "interpreter": []any{"sh", 1}, "triggers": []any{1, map[string]any{"any": "thing"}},
	})})
	if err != nil {
		t.Fatal(err)
	}
	got := make([]string, 0, len(response.GetFailures()))
	for _, f := range response.GetFailures() {
		got = append(got, f.GetProperty()+": "+f.GetReason())
	}
	want := []string{
		"archivePaths: not supported by the lab plugin; use the real pulumi-resource-command",
		"create: must be a string, not number",
		"environment: variable A must be a string, not bool",
		"interpreter: item 1 must be a string, not number",
		"logging: must be stdout, stderr, stdoutAndStderr or none",
		"typo: unrecognized field 'typo' of command:local:Command",
	}
	if !slices.Equal(got, want) {
		t.Fatalf("failures\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestOtherTypesAndFunctionsAreRefusedByName(t *testing.T) {
	p, _ := newProvider(t)
	_, err := p.Check(t.Context(), &pulumirpc.CheckRequest{
		Urn: "urn:pulumi:test::project::command:remote:Command::far", News: wire(t, nil),
	})
	rpctest.WantError(t, err, "command:remote:Command is not supported by the lab plugin")
	_, err = p.Invoke(t.Context(), &pulumirpc.InvokeRequest{Tok: "command:local:run"})
	rpctest.WantError(t, err, "function command:local:run is not supported by the lab plugin")
}

func TestReadReturnsWhatItIsGiven(t *testing.T) {
	p, _ := newProvider(t)
	state := wire(t, map[string]any{"create": "exit 1", "stdout": "kept"})
	inputs := wire(t, map[string]any{"create": "exit 1"})
	response, err := p.Read(t.Context(), &pulumirpc.ReadRequest{Urn: testURN, Id: "x", Properties: state, Inputs: inputs})
	if err != nil {
		t.Fatal(err)
	}
	if response.GetId() != "x" || response.GetProperties() != state || response.GetInputs() != inputs {
		t.Fatalf("read changed the resource: %v", response)
	}
}
