package kube

import (
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"lab/plugins/internal/rpc"
)

// checkpoint is what the state of a resource holds.
type checkpoint struct {
	inputs       object // what the program wanted
	live         object // what the API server answered
	firstVersion string // apiVersion at creation
	fieldManager string // owner of the fields of server-side apply
}

// properties returns the state, with everything secret that is secret in marked (the inputs as the
// engine gave them), and with the data of Secrets.
func (c checkpoint) properties(marked resource.PropertyMap) resource.PropertyMap {
	state := c.live.properties()
	inputs := c.inputs.properties()
	markSecrets(state, marked)
	markSecrets(inputs, marked)
	state[keyInputs] = resource.NewProperty(inputs)
	state[keyFirstVersion] = resource.NewProperty(c.firstVersion)
	state[keyFieldManager] = resource.NewProperty(c.fieldManager)
	return state
}

func parseCheckpoint(state resource.PropertyMap) checkpoint {
	live := objectOf(state)
	c := checkpoint{live: live, firstVersion: live.text(keyFirstVersion), fieldManager: live.text(keyFieldManager)}
	if inputs, ok := live[keyInputs].(map[string]any); ok {
		c.inputs = inputs
	} else {
		c.inputs = object{}
	}
	for _, key := range []string{keyInputs, keyFirstVersion, keyFieldManager} {
		delete(live, key)
	}
	return c
}

// markSecrets copies the secret marks of ins and marks the payload of a Secret.
func markSecrets(outs, ins resource.PropertyMap) {
	rpc.CopySecrets(outs, ins)
	if kind := outs["kind"]; !kind.IsString() || kind.StringValue() != "Secret" {
		return
	}
	for _, key := range []resource.PropertyKey{"data", "stringData"} {
		if payload, found := outs[key]; found && !payload.IsSecret() {
			outs[key] = resource.MakeSecret(payload)
		}
	}
}
