package workloads

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"example.invalid/lab/sim/internal/process"
	"example.invalid/lab/sim/internal/store"
)

// Operator runs the real cilium-operator while a pod of its Deployment runs on a node.
type Operator struct {
	Name       string // of the child process
	Binary     string
	Dir        string
	Kubeconfig []byte
	Client     kubernetes.Interface
	Supervisor *process.Supervisor
	Log        *slog.Logger
}

const (
	operatorNamespace = "kube-system"
	operatorSelector  = "io.cilium/app=operator"
	operatorConfigMap = "cilium-config"
	operatorLease     = "cilium-operator-resource-lock"
)

// Run follows the pods until the context ends.
func (o Operator) Run(ctx context.Context) {
	factory := informers.NewSharedInformerFactoryWithOptions(o.Client, 0, informers.WithNamespace(operatorNamespace),
		informers.WithTweakListOptions(func(options *metav1.ListOptions) { options.LabelSelector = operatorSelector }))
	pods := factory.Core().V1().Pods().Informer()
	wake := make(chan struct{}, 1)
	nudge := func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}

	_, err := pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { nudge() }, UpdateFunc: func(any, any) { nudge() }, DeleteFunc: func(any) { nudge() },
	})
	if err != nil {
		o.Log.Error("cilium-operator", "error", err)

		return
	}

	factory.Start(ctx.Done())
	o.follow(ctx, pods.GetStore(), wake)
}

// follow keeps one process for the pod it stands in for; a new pod after a rollout means a new process with a new configuration.
func (o Operator) follow(ctx context.Context, pods cache.Store, wake <-chan struct{}) {
	var (
		current string
		stop    = func() {}
	)
	defer func() { stop() }()

	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		}

		wanted := choose(pods.List(), current)
		if wanted == current {
			continue
		}

		stop()

		current, stop = wanted, func() {}
		if wanted != "" {
			stop = o.start(ctx)
		}
	}
}

// choose keeps the pod already chosen while it runs, else takes the first running one; empty when none runs.
func choose(items []any, current string) string {
	var running []string

	for _, item := range items {
		pod, ok := item.(*corev1.Pod)
		if ok && pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil {
			running = append(running, pod.Spec.NodeName+"/"+string(pod.UID))
		}
	}

	if slices.Contains(running, current) {
		return current
	}

	if len(running) == 0 {
		return ""
	}

	slices.Sort(running)

	return running[0]
}

func (o Operator) start(ctx context.Context) func() {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})

	go func() {
		defer close(done)

		for ctx.Err() == nil {
			err := o.once(ctx)
			if ctx.Err() != nil {
				return
			}

			o.Log.Warn("cilium-operator ended, starting it again", "error", err)

			select {
			case <-ctx.Done():
			case <-time.After(2 * time.Second):
			}
		}
	}()

	return func() {
		cancel()
		<-done
	}
}

func (o Operator) once(ctx context.Context) error {
	config, err := o.Client.CoreV1().ConfigMaps(operatorNamespace).Get(ctx, operatorConfigMap, metav1.GetOptions{})
	if err != nil {
		return err
	}

	dir := filepath.Join(o.Dir, "config")
	if err := writeConfig(dir, config.Data); err != nil {
		return err
	}

	kubeconfig := filepath.Join(o.Dir, "kubeconfig")
	if err := store.WriteFile(kubeconfig, o.Kubeconfig); err != nil {
		return err
	}

	// The process this one replaces is gone: nobody else may hold the lease in the lab, and waiting it out takes 20 seconds.
	err = o.Client.CoordinationV1().Leases(operatorNamespace).Delete(ctx, operatorLease, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}

	ports, err := freePorts(2)
	if err != nil {
		return err
	}

	o.Log.Info("cilium-operator starts", "configuration keys", len(config.Data))

	return o.Supervisor.Run(ctx, process.Spec{
		Name: o.Name, Path: o.Binary, Dir: o.Dir, Args: operatorArgs(dir, kubeconfig, ports), Grace: 2 * time.Second,
		Env: []string{"CILIUM_K8S_NAMESPACE=" + operatorNamespace, "GOPS_CONFIG_DIR=" + o.Dir},
	})
}

// operatorArgs override what only makes sense inside a pod: the API access, ports, the debug shell's socket (in /var/run/cilium,
// which needs root), and restarting pods that have no endpoint of an agent.
func operatorArgs(config, kubeconfig string, ports []int) []string {
	return []string{
		"--config-dir=" + config, "--k8s-kubeconfig-path=" + kubeconfig, "--k8s-namespace=" + operatorNamespace,
		fmt.Sprintf("--operator-api-serve-addr=127.0.0.1:%d", ports[0]), fmt.Sprintf("--gops-port=%d", ports[1]),
		"--unmanaged-pod-watcher-interval=0", "--enable-metrics=false", "--shell-sock-path=shell.sock",
	}
}

// writeConfig makes the folder hold exactly the keys, as a mounted ConfigMap would.
func writeConfig(dir string, data map[string]string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}

	for key, value := range data {
		if strings.ContainsRune(key, '/') {
			return fmt.Errorf("configuration key %q is no file name", key)
		}

		if err := store.WriteFile(filepath.Join(dir, key), []byte(value)); err != nil {
			return err
		}
	}

	return nil
}

func freePorts(count int) ([]int, error) {
	var ports []int

	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close() //nolint:errcheck // kept open until all are chosen

		address, ok := listener.Addr().(*net.TCPAddr)
		if !ok {
			return nil, fmt.Errorf("unexpected address %s", listener.Addr())
		}

		ports = append(ports, address.Port)
	}

	return ports, nil
}
