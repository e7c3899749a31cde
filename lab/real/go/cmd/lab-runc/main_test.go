package main

import (
	"encoding/json"
	"testing"
)

func TestSubject(t *testing.T) {
	for _, c := range []struct {
		arguments []string
		file      string
		changes   bool
	}{
		{[]string{"--root", "/r", "create", "--bundle", "/b", "id"}, "/b/config.json", true},
		{[]string{"run", "-b", "/b", "id"}, "/b/config.json", true},
		{[]string{"restore", "--bundle=/b", "id"}, "/b/config.json", true},
		{[]string{"create", "id"}, "config.json", true},
		{[]string{"--log", "/l", "exec", "--process", "/p.json", "--detach", "id"}, "/p.json", true},
		{[]string{"exec", "id", "create"}, "", false},
		{[]string{"delete", "id"}, "", false},
	} {
		file, change := subject(c.arguments)
		if file != c.file || (change != nil) != c.changes {
			t.Errorf("%v: got %q %v, want %q %v", c.arguments, file, change != nil, c.file, c.changes)
		}
	}
}

func TestSoften(t *testing.T) {
	before := `{"process":{"rlimits":[{}],"oomScoreAdj":-997,"args":["a"],
		"capabilities":{"bounding":["CAP_NET_ADMIN","CAP_SYS_RESOURCE"],"effective":["CAP_SYS_RESOURCE"]}},
		"linux":{"resources":{"memory":{},"cpu":{},"pids":{},"devices":[{}]},"namespaces":[]}}`
	want := `{"linux":{"namespaces":[],"resources":{"devices":[{}]}},"process":{"args":["a"],` +
		`"capabilities":{"bounding":["CAP_NET_ADMIN"],"effective":[]}}}`
	var spec map[string]any
	if err := json.Unmarshal([]byte(before), &spec); err != nil {
		t.Fatal(err)
	}
	soften(spec)
	got, err := json.Marshal(spec)
	if err != nil || string(got) != want {
		t.Errorf("got %s (%v)\nwant %s", got, err, want)
	}
}

func TestSoftenKeepsAPositiveScore(t *testing.T) {
	spec := map[string]any{"process": map[string]any{"oomScoreAdj": 1000.0}}
	soften(spec)
	if spec["process"].(map[string]any)["oomScoreAdj"] != 1000.0 {
		t.Errorf("a score that the kernel accepts was taken away: %v", spec)
	}
}
