package machined

import (
	"slices"
	"strings"
	"testing"

	cosi "github.com/cosi-project/runtime/api/v1alpha1"
	clusterapi "github.com/siderolabs/talos/pkg/machinery/api/cluster"
	api "github.com/siderolabs/talos/pkg/machinery/api/machine"
	storageapi "github.com/siderolabs/talos/pkg/machinery/api/storage"
	timeapi "github.com/siderolabs/talos/pkg/machinery/api/time"
	"github.com/siderolabs/talos/pkg/machinery/role"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestEveryServedMethodHasARule(t *testing.T) {
	t.Parallel()

	known := map[string]bool{}

	for _, service := range []grpc.ServiceDesc{
		api.MachineService_ServiceDesc, api.ImageService_ServiceDesc, api.LifecycleService_ServiceDesc, cosi.State_ServiceDesc,
		clusterapi.ClusterService_ServiceDesc, storageapi.StorageService_ServiceDesc, timeapi.TimeService_ServiceDesc,
	} {
		for _, method := range service.Methods {
			known["/"+service.ServiceName+"/"+method.MethodName] = true
		}

		for _, stream := range service.Streams {
			known["/"+service.ServiceName+"/"+stream.StreamName] = true
		}
	}

	for method := range known {
		if strings.HasPrefix(method, "/cosi.resource.State/Teardown") {
			continue
		}

		if _, ok := rules[method]; !ok {
			t.Errorf("no rule for %s", method)
		}
	}

	for method := range rules {
		service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
		if !known[method] && service != "inspect.InspectService" && service != "machine.DebugService" {
			t.Errorf("rule for %s, which does not exist", method)
		}
	}
}

func TestMaintenanceRefusals(t *testing.T) {
	t.Parallel()

	reader := role.MakeSet(role.Reader) // everybody is one in maintenance mode

	for _, name := range []string{"Bootstrap", "Reset", "Upgrade", "Reboot", "Shutdown", "Kubeconfig", "Read", "EtcdSnapshot"} {
		if rules["/machine.MachineService/"+name].IncludesAny(reader) {
			t.Errorf("a reader may call %s", name)
		}
	}

	for _, name := range []string{"Version", "ApplyConfiguration", "Dmesg", "List", "Logs"} {
		if !rules["/machine.MachineService/"+name].IncludesAny(reader) {
			t.Errorf("a reader may not call %s", name)
		}
	}
}

func TestBootstrapRefusals(t *testing.T) {
	t.Parallel()

	yes, no := func() bool { return true }, func() bool { return false }
	worker := status.Error(codes.Unimplemented, "bootstrap is only available on control plane nodes")
	all := bootstrapState{servicesUp: false, role: worker, synced: no, etcdReady: no, hasData: yes}

	steps := []struct {
		repair  func(*bootstrapState)
		code    codes.Code
		message string
	}{
		{func(*bootstrapState) {}, codes.FailedPrecondition, "bootstrap is not available yet"},
		{func(s *bootstrapState) { s.servicesUp = true }, codes.Unimplemented, "bootstrap is only available on control plane nodes"},
		{func(s *bootstrapState) { s.role = nil }, codes.FailedPrecondition, "time is not in sync yet"},
		{func(s *bootstrapState) { s.synced = yes }, codes.FailedPrecondition, "bootstrap is not available yet"},
		{func(s *bootstrapState) { s.etcdReady = yes }, codes.AlreadyExists, "etcd data directory is not empty"},
	}

	for _, step := range steps {
		step.repair(&all)

		err := bootstrapRefusal(all)
		if status.Code(err) != step.code || status.Convert(err).Message() != step.message {
			t.Errorf("got %v, want %s %q", err, step.code, step.message)
		}
	}

	all.hasData = no
	if err := bootstrapRefusal(all); err != nil {
		t.Errorf("refused for no reason: %v", err)
	}
}

func TestInstallerVersion(t *testing.T) {
	t.Parallel()

	for image, want := range map[string]string{
		"ghcr.io/siderolabs/installer:v1.13.1":                                             "v1.13.1",
		"factory.talos.dev/metal-installer/abc:v1.14.0-alpha.1":                            "v1.14.0-alpha.1",
		"factory.talos.dev/metal-installer/abc:v1.13.2@sha256:" + strings.Repeat("0a", 32): "v1.13.2",
	} {
		if got, err := versionOf(image); got != want || err != nil {
			t.Errorf("%s: got %q, %v", image, got, err)
		}
	}

	_, err := versionOf("ghcr.io/siderolabs/installer:latest")
	if err == nil || !strings.Contains(err.Error(), "no version in its tag") {
		t.Errorf("got %v", err)
	}
}

func TestListDepth(t *testing.T) {
	t.Parallel()

	var deeperThan []string

	for _, path := range []string{"a", "a/b", "a/b/c"} {
		if deeper(&api.ListRequest{Recurse: true, RecursionDepth: 2}, path) {
			deeperThan = append(deeperThan, path)
		}
	}

	if !slices.Equal(deeperThan, []string{"a"}) {
		t.Errorf("a listing of depth 2 goes into %v", deeperThan)
	}

	if deeper(&api.ListRequest{}, "a") {
		t.Error("a flat listing goes into folders")
	}
}
