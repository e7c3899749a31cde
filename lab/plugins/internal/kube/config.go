package kube

import (
	"context"
	"sort"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"lab/plugins/internal/cluster"
	"lab/plugins/internal/rpc"
)

// CheckConfig refuses the inputs that this plugin does not implement, instead of ignoring them.
func (p *Provider) CheckConfig(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	inputs, err := decode(req.GetUrn(), "inputs", req.GetNews())
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.CheckResponse{Inputs: req.GetNews()}
	for name, reason := range cluster.Unsupported(rpc.PlainMap(inputs)) {
		response.Failures = append(response.Failures, &pulumirpc.CheckFailure{Property: name, Reason: reason})
	}
	sort.Slice(response.Failures, func(i, j int) bool {
		return response.Failures[i].GetProperty() < response.Failures[j].GetProperty()
	})
	return response, nil
}

// DiffConfig decides whether a changed configuration names another cluster, in which case everything in
// the old one has to be made again.
func (p *Provider) DiffConfig(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	olds, err := decode(req.GetUrn(), "old inputs", req.GetOlds())
	if err != nil {
		return nil, err
	}
	news, err := decode(req.GetUrn(), "inputs", req.GetNews())
	if err != nil {
		return nil, err
	}
	return diffConfig(rpc.PlainMap(olds), rpc.PlainMap(news))
}

func diffConfig(olds, news resource.PropertyMap) (*pulumirpc.DiffResponse, error) {
	change := olds.Diff(news)
	if change == nil {
		return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
	}
	response := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_SOME}
	for _, key := range change.ChangedKeys() {
		response.Diffs = append(response.Diffs, string(key))
	}
	sort.Strings(response.Diffs)
	if change.Same(cluster.KeyIdentifier) && news.HasValue(cluster.KeyIdentifier) {
		return response, nil // the program vouches for it: same identifier, same cluster
	}
	replaces, err := configReplaces(change, olds, news)
	response.Replaces = replaces
	return response, err
}

// pointers are the inputs that together choose the cluster.
var pointers = []resource.PropertyKey{cluster.KeyKubeconfig, cluster.KeyContext, cluster.KeyCluster}

func configReplaces(change *resource.ObjectDiff, olds, news resource.PropertyMap) ([]string, error) {
	var replaces []string
	// Adding or removing the identifier alone must not replace anything, or nobody could start to use it.
	if change.Updated(cluster.KeyIdentifier) {
		replaces = append(replaces, cluster.KeyIdentifier)
	}
	for _, key := range pointers {
		if news[key].IsComputed() {
			return append(replaces, string(key)), nil // it may be another cluster
		}
	}
	same, err := cluster.Same(olds, news)
	if err != nil || same {
		return replaces, err
	}
	for _, key := range pointers {
		if change.Changed(key) {
			replaces = append(replaces, string(key))
		}
	}
	return replaces, nil
}
