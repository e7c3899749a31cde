package kube

import (
	"context"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"lab/plugins/internal/cluster"
	"lab/plugins/internal/propdiff"
)

// Diff compares the last known live object with the wanted one; it asks the API server nothing but the
// scope of an unknown kind.
func (p *Provider) Diff(ctx context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	c, err := p.ready()
	if err != nil {
		return nil, err
	}
	if isRelease(req.GetUrn()) {
		return p.releases.Load().Diff(ctx, req)
	}
	state, news, err := decodeBoth(req.GetUrn(), req.GetOlds(), req.GetNews())
	if err != nil {
		return nil, err
	}
	return diffObjects(c, parseCheckpoint(state), objectOf(news)), nil
}

func diffObjects(c *cluster.Cluster, old checkpoint, wanted object) *pulumirpc.DiffResponse {
	inputs, wanted := normalize(old.inputs), normalize(wanted)
	live := object(prune(old.live, inputs))
	alignNamespace(c, live, wanted)
	if wanted.name() != "" {
		// A program may write down the name that was generated for it.
		live.setMetadata("name", old.live.name())
	}
	response := propdiff.Response(propdiff.Compare(propdiff.Input{
		Live: live, Inputs: live, Wanted: wanted, Pinned: pinned(c.Settings, wanted),
	}))
	response.DeleteBeforeReplace = len(response.GetReplaces()) > 0 && sameIdentity(old.live, wanted)
	return response
}

// alignNamespace makes the namespaces of both comparable: "" and "default" are the same, and a
// cluster-scoped object has none.
func alignNamespace(c *cluster.Cluster, live, wanted object) {
	namespaced, _ := c.Namespaced(wanted.gvk())
	for _, o := range []object{live, wanted} {
		switch {
		case !namespaced:
			o.dropMetadata("namespace")
		case o.at("metadata", "namespace") == nil || o.namespace() == "" && isText(o.at("metadata", "namespace")):
			o.setMetadata("namespace", "default")
		}
	}
}

func isText(v any) bool {
	_, ok := v.(string)
	return ok
}

// sameIdentity reports whether a replacement would collide with the object it replaces: then the old
// one has to go first.
func sameIdentity(live, wanted object) bool {
	return wanted.name() != "" && wanted.annotation(annotationAutonamed) != "true" &&
		wanted.name() == live.name() && wanted.namespace() == live.namespace()
}
