// Package sim puts the simulator together and runs it.
package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"example.invalid/lab/sim/internal/apid"
	"example.invalid/lab/sim/internal/cluster"
	"example.invalid/lab/sim/internal/control"
	"example.invalid/lab/sim/internal/machine"
	"example.invalid/lab/sim/internal/machined"
	"example.invalid/lab/sim/internal/nodeconfig"
	"example.invalid/lab/sim/internal/process"
	"example.invalid/lab/sim/internal/settings"
	"example.invalid/lab/sim/internal/store"
)

// Run plays the machines until the context ends. It writes "ready" when every listener is up.
func Run(ctx context.Context, s *settings.Settings, out io.Writer) error {
	supervisor, err := process.NewSupervisor(filepath.Join(s.StateDir, "logs"))
	if err != nil {
		return err
	}

	disks, err := openDisks(s)
	if err != nil {
		return err
	}

	clusterCtx, stopClusters := context.WithCancel(context.WithoutCancel(ctx))
	defer stopClusters()

	clusters := cluster.NewRegistry(clusterCtx, s, supervisor)

	machines, err := build(s, clusters, disks)
	if err != nil {
		return err
	}

	server, err := control.Start(s.Socket, machines, clusters)
	if err != nil {
		return err
	}
	defer server.Close()

	if err := probe(s, disks); err != nil {
		return err
	}

	return playInOrder(ctx, s.StateDir, machines, out, func() {
		stopClusters()
		clusters.Wait()
	})
}

// playInOrder ends what works through the Kubernetes API before the machines, which hold that API.
func playInOrder(ctx context.Context, stateDir string, machines []*machine.Machine, out io.Writer, stopClusters func()) error {
	if err := writePID(stateDir); err != nil {
		return err
	}
	defer os.Remove(pidFile(stateDir)) //nolint:errcheck

	machinesCtx, stopMachines := context.WithCancel(context.WithoutCancel(ctx))
	defer stopMachines()

	context.AfterFunc(ctx, func() {
		stopClusters()
		stopMachines()
	})

	play(machinesCtx, machines, out)

	return nil
}

func play(ctx context.Context, machines []*machine.Machine, out io.Writer) {
	var running sync.WaitGroup

	for _, m := range machines {
		running.Go(func() { m.Run(ctx) })
	}

	for _, m := range machines {
		select {
		case <-m.Started():
		case <-ctx.Done():
		}
	}

	if ctx.Err() == nil {
		fmt.Fprintln(out, "ready") //nolint:errcheck
	}

	running.Wait()
}

func openDisks(s *settings.Settings) ([]*store.Disk, error) {
	disks := make([]*store.Disk, 0, len(s.Machines))

	for _, m := range s.Machines {
		disk, err := store.Open(filepath.Join(s.StateDir, "machines", m.ID))
		if err != nil {
			return nil, err
		}

		disks = append(disks, disk)
	}

	return disks, nil
}

func build(s *settings.Settings, clusters *cluster.Registry, disks []*store.Disk) ([]*machine.Machine, error) {
	machines := make([]*machine.Machine, 0, len(disks))

	for i, hardware := range s.Machines {
		m, err := machine.New(s, hardware, clusters, disks[i])
		if err != nil {
			return nil, fmt.Errorf("machine %s: %w", hardware.ID, err)
		}

		m.Register = machined.New
		machines = append(machines, m)
	}

	return machines, nil
}

// probe binds every address once, so that a clash is one error at the start instead of a node that never answers.
func probe(s *settings.Settings, disks []*store.Disk) error {
	var faults []error

	for i, hardware := range s.Machines {
		addresses, ports := []netip.Addr{hardware.Address}, []int{s.Ports.Apid}

		if data, err := disks[i].Config(); err == nil && data != nil {
			if node, err := nodeconfig.Read(data, hardware); err == nil {
				addresses = node.Listen()

				if node.ControlPlane() {
					ports = append(ports, s.Ports.EtcdClient, s.Ports.EtcdPeer, s.Ports.APIServer)
				}
			}
		}

		for _, port := range ports {
			faults = append(faults, free(addresses, port))
		}
	}

	return errors.Join(faults...)
}

func free(addresses []netip.Addr, port int) error {
	listeners, err := apid.Listen(addresses, port)
	for _, listener := range listeners {
		listener.Close() //nolint:errcheck
	}

	return err
}

func pidFile(dir string) string { return filepath.Join(dir, "talos-sim.pid") }

func writePID(dir string) error {
	return store.WriteFile(pidFile(dir), []byte(strconv.Itoa(os.Getpid())+"\n"))
}
