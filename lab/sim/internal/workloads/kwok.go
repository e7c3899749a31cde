// Package workloads runs what stands in for containers: kwok for pods, and the real Cilium operator in place of its pod.
package workloads

import (
	"context"
	_ "embed" // for the stages
	"path/filepath"
	"time"

	"example.invalid/lab/sim/internal/process"
	"example.invalid/lab/sim/internal/store"
)

//go:embed stages.yaml
var stages []byte

// Kwok describes the pod player of a cluster.
type Kwok struct {
	Name       string // of the child process
	Binary     string
	Dir        string
	Kubeconfig []byte
	Supervisor *process.Supervisor
}

// Run plays pods until the context ends. Node objects are not kwok's: the simulator writes them.
func (k Kwok) Run(ctx context.Context) error {
	config, kubeconfig := filepath.Join(k.Dir, "kwok.yaml"), filepath.Join(k.Dir, "kubeconfig")

	if err := store.WriteFile(config, stages); err != nil {
		return err
	}

	if err := store.WriteFile(kubeconfig, k.Kubeconfig); err != nil {
		return err
	}

	k.Supervisor.Keep(ctx, process.Spec{Name: k.Name, Path: k.Binary, Args: []string{
		"--kubeconfig=" + kubeconfig, "--config=" + config, "--manage-all-nodes=true", "--node-lease-duration-seconds=0",
		"--node-port=0", "--server-address=", "--enable-crds=", "--node-ip=",
	}, Dir: k.Dir, Grace: time.Second})

	return nil
}
