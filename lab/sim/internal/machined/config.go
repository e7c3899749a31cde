package machined

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/siderolabs/talos/pkg/grpc/middleware/authz"
	api "github.com/siderolabs/talos/pkg/machinery/api/machine"
	clientconfig "github.com/siderolabs/talos/pkg/machinery/client/config"
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configdiff"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/generate/secrets"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"github.com/siderolabs/talos/pkg/machinery/role"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.invalid/lab/sim/internal/faults"
	"example.invalid/lab/sim/internal/machine"
)

// metal is the validation mode of a bare metal machine.
type metal struct{ installed bool }

func (metal) String() string          { return "metal" }
func (m metal) RequiresInstall() bool { return !m.installed }
func (metal) InContainer() bool       { return false }

// ApplyConfiguration implements machine.MachineService.
func (s *Server) ApplyConfiguration(ctx context.Context, in *api.ApplyConfigurationRequest) (*api.ApplyConfigurationResponse, error) {
	maintenance, err := s.mayApply(ctx)
	if err != nil {
		return nil, err
	}

	if in.GetMode() != api.ApplyConfigurationRequest_TRY {
		s.boot.CancelRollback()
	}

	if reason, on := s.boot.Machine.Faults.Get(faults.RejectConfig); on {
		return nil, status.Error(codes.InvalidArgument, reason)
	}

	provider, warnings, err := s.validate(ctx, in.GetData(), maintenance)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}

	plan, err := s.plan(in.GetMode(), provider, maintenance)
	if err != nil {
		return nil, err
	}

	if in.GetDryRun() {
		return s.dryRun(plan, provider)
	}

	s.boot.Console.Printf("apply config request: mode %s", strings.ToLower(in.GetMode().String()))

	limit := tryLimit(in)
	if err := s.boot.Apply(provider, plan.mode, limit); err != nil {
		return nil, err
	}

	return applied(&api.ApplyConfiguration{Mode: plan.mode, Warnings: warnings, ModeDetails: plan.text(limit)}), nil
}

func tryLimit(in *api.ApplyConfigurationRequest) time.Duration {
	if in.GetTryModeTimeout() != nil {
		return in.GetTryModeTimeout().AsDuration()
	}

	return constants.ConfigTryTimeout
}

// mayApply lets readers pass in maintenance mode only, which it tells.
func (s *Server) mayApply(ctx context.Context) (maintenance bool, err error) {
	maintenance = s.boot.Node() == nil
	if !maintenance && !authz.HasRole(ctx, role.Admin) {
		return false, authz.ErrNotAuthorized
	}

	return maintenance, nil
}

func applied(message *api.ApplyConfiguration) *api.ApplyConfigurationResponse {
	return &api.ApplyConfigurationResponse{Messages: []*api.ApplyConfiguration{message}}
}

func (s *Server) validate(ctx context.Context, data []byte, maintenance bool) (config.Provider, []string, error) {
	provider, err := configloader.NewFromBytes(data)
	if err != nil {
		return nil, nil, err
	}

	if !maintenance && provider.RawV1Alpha1() == nil {
		return nil, nil, fmt.Errorf("the applied machine configuration doesn't contain v1alpha1 config, did you mean to patch the machine config instead?")
	}

	mode := metal{installed: s.boot.Installed()}

	warnings, err := provider.Validate(mode)
	if err != nil {
		return nil, nil, err
	}

	more, err := provider.RuntimeValidate(ctx, s.boot.Resources, mode)

	return provider, append(warnings, more...), err
}

// plan is what a mode comes down to on this node.
type plan struct {
	mode    api.ApplyConfigurationRequest_Mode
	details string
	reason  string
}

// text is what the client prints; the limit is that of a try.
func (p plan) text(limit time.Duration) string {
	if p.mode == api.ApplyConfigurationRequest_TRY {
		return fmt.Sprintf("%s\nThe config is applied in 'try' mode and will be automatically reverted back in %s", p.details, limit)
	}

	return p.details + p.reason
}

const (
	withReboot    = "Applied configuration with a reboot"
	withoutReboot = "Applied configuration without a reboot"
	staged        = "Staged configuration to be applied after the next reboot"
)

func (s *Server) plan(mode api.ApplyConfigurationRequest_Mode, provider config.Provider, maintenance bool) (plan, error) {
	if maintenance && mode == api.ApplyConfigurationRequest_REBOOT {
		mode = api.ApplyConfigurationRequest_NO_REBOOT
	}

	var obstacle error
	if !maintenance {
		obstacle = machine.LiveChange(s.boot.Node().Provider, provider)
	}

	switch mode {
	case api.ApplyConfigurationRequest_STAGED:
		return plan{mode: mode, details: staged}, nil
	case api.ApplyConfigurationRequest_AUTO:
		if obstacle != nil {
			return plan{mode: api.ApplyConfigurationRequest_REBOOT, details: withReboot, reason: ": " + obstacle.Error()}, nil
		}

		return plan{mode: api.ApplyConfigurationRequest_NO_REBOOT, details: withoutReboot}, nil
	case api.ApplyConfigurationRequest_TRY, api.ApplyConfigurationRequest_NO_REBOOT:
		if obstacle != nil {
			return plan{}, status.Error(codes.InvalidArgument, obstacle.Error())
		}

		return plan{mode: mode, details: withoutReboot}, nil
	default:
		return plan{mode: mode, details: withReboot}, nil
	}
}

func (s *Server) dryRun(p plan, provider config.Provider) (*api.ApplyConfigurationResponse, error) {
	var current config.Container
	if node := s.boot.Node(); node != nil {
		current = node.Provider
	}

	diff, err := configdiff.DiffConfigs(current, provider)
	if err != nil {
		return nil, fmt.Errorf("failed to generate diff: %w", err)
	}

	if diff == "" {
		diff = "No changes."
	}

	return applied(&api.ApplyConfiguration{
		Mode: p.mode, ModeDetails: fmt.Sprintf("Dry run summary:\n%s (skipped in dry-run).\nConfig diff:\n\n%s", p.details, diff),
	}), nil
}

const timeSyncLimit = 5 * time.Second

// Bootstrap implements machine.MachineService.
func (s *Server) Bootstrap(ctx context.Context, in *api.BootstrapRequest) (*api.BootstrapResponse, error) {
	s.boot.Console.Printf("bootstrap request received")

	member := s.boot.Member()

	err := bootstrapRefusal(bootstrapState{
		servicesUp: s.boot.BootstrapAllowed(),
		role:       s.controlPlaneOnly("bootstrap"),
		synced:     func() bool { return s.timeSynced(ctx) },
		etcdReady:  func() bool { return member != nil && member.Etcd() != nil },
		hasData:    func() bool { return s.boot.Machine.Disk.HasEtcdData() || member.Etcd().Bootstrapping() },
	})
	if err != nil {
		return nil, err
	}

	if in.GetRecoverEtcd() {
		return nil, status.Error(codes.Unimplemented, "the lab's nodes do not recover etcd from a snapshot")
	}

	member.Etcd().Bootstrap()

	return &api.BootstrapResponse{Messages: []*api.Bootstrap{{}}}, nil
}

// bootstrapState is what decides whether a node may be bootstrapped.
type bootstrapState struct {
	servicesUp bool
	role       error
	synced     func() bool
	etcdReady  func() bool
	hasData    func() bool
}

// bootstrapRefusal is the reason not to bootstrap, looked for in Talos's order; nil when there is none.
func bootstrapRefusal(state bootstrapState) error {
	notYet := status.Error(codes.FailedPrecondition, "bootstrap is not available yet")

	switch {
	case !state.servicesUp:
		return notYet
	case state.role != nil:
		return state.role
	case !state.synced():
		return status.Error(codes.FailedPrecondition, "time is not in sync yet")
	case !state.etcdReady():
		return notYet
	case state.hasData():
		return status.Error(codes.AlreadyExists, "etcd data directory is not empty")
	default:
		return nil
	}
}

func (s *Server) timeSynced(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, timeSyncLimit)
	defer cancel()

	for s.boot.Machine.Faults.On(faults.ClockNotSynced) {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(100 * time.Millisecond):
		}
	}

	return true
}

// GenerateClientConfiguration implements machine.MachineService: `talosctl config new`.
func (s *Server) GenerateClientConfiguration(_ context.Context, in *api.GenerateClientConfigurationRequest) (*api.GenerateClientConfigurationResponse, error) {
	if err := s.controlPlaneOnly("generate client configuration"); err != nil {
		return nil, err
	}

	lifetime := in.GetCrtTtl().AsDuration()
	if lifetime <= 0 {
		return nil, status.Error(codes.InvalidArgument, "crt_ttl should be positive")
	}

	roles, _ := role.Parse(in.GetRoles())
	provider := s.boot.Node().Provider
	bundle := secrets.NewBundleFromConfig(secrets.NewFixedClock(time.Now()), provider)

	certificate, err := bundle.GenerateTalosAPIClientCertificateWithTTL(roles, lifetime)
	if err != nil {
		return nil, err
	}

	name := provider.Cluster().Name()
	if only := roles.Strings(); len(only) == 1 {
		name = strings.TrimPrefix(only[0], role.Prefix) + "@" + name
	}

	talosconfig, err := clientconfig.NewConfig(name, nil, bundle.Certs.OS.Crt, certificate).Bytes()
	if err != nil {
		return nil, err
	}

	return &api.GenerateClientConfigurationResponse{Messages: []*api.GenerateClientConfiguration{{
		Ca: bundle.Certs.OS.Crt, Crt: certificate.Crt, Key: certificate.Key, Talosconfig: talosconfig,
	}}}, nil
}
