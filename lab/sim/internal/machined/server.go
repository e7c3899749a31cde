package machined

import (
	"context"
	"strings"

	cosi "github.com/cosi-project/runtime/api/v1alpha1"
	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/resource/meta"
	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	cosiserver "github.com/cosi-project/runtime/pkg/state/protobuf/server"
	"github.com/siderolabs/talos/pkg/grpc/middleware/authz"
	clusterapi "github.com/siderolabs/talos/pkg/machinery/api/cluster"
	api "github.com/siderolabs/talos/pkg/machinery/api/machine"
	storageapi "github.com/siderolabs/talos/pkg/machinery/api/storage"
	timeapi "github.com/siderolabs/talos/pkg/machinery/api/time"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"github.com/siderolabs/talos/pkg/machinery/role"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.invalid/lab/sim/internal/faults"
	"example.invalid/lab/sim/internal/machine"
)

// Server implements the machine API of one boot.
type Server struct {
	api.UnimplementedMachineServiceServer
	clusterapi.UnimplementedClusterServiceServer
	storageapi.UnimplementedStorageServiceServer
	timeapi.UnimplementedTimeServiceServer

	boot *machine.Boot
}

// New makes the gRPC server of a boot.
func New(boot *machine.Boot) *grpc.Server {
	injector := &authz.Injector{Mode: authz.MetadataOnly}
	authorizer := &authz.Authorizer{Rules: rules, FallbackRoles: role.MakeSet(role.Admin)}
	s := &Server{boot: boot}

	registrar := grpc.NewServer(
		grpc.MaxRecvMsgSize(constants.GRPCMaxMessageSize),
		grpc.SharedWriteBuffer(true),
		grpc.ChainUnaryInterceptor(injector.UnaryInterceptor(), authorizer.UnaryInterceptor(), s.disturbUnary),
		grpc.ChainStreamInterceptor(injector.StreamInterceptor(), authorizer.StreamInterceptor(), s.disturbStream),
	)

	api.RegisterMachineServiceServer(registrar, s)
	api.RegisterImageServiceServer(registrar, images{})
	api.RegisterLifecycleServiceServer(registrar, &lifecycle{Server: s})
	clusterapi.RegisterClusterServiceServer(registrar, s)
	storageapi.RegisterStorageServiceServer(registrar, s)
	timeapi.RegisterTimeServiceServer(registrar, s)
	cosi.RegisterStateServer(registrar, cosiserver.NewState(state.WrapCore(state.Filter(boot.Resources, accessPolicy(boot.Resources)))))

	return registrar
}

// accessPolicy lets everybody read what is not sensitive, and nobody write.
func accessPolicy(resources state.State) state.FilteringRule {
	return func(ctx context.Context, access state.Access) error {
		if !access.Verb.Readonly() {
			return status.Error(codes.PermissionDenied, "write access is not allowed")
		}

		pointer := resource.NewMetadata(meta.NamespaceName, meta.ResourceDefinitionType, strings.ToLower(access.ResourceType), resource.VersionUndefined)

		definition, err := safe.StateGet[*meta.ResourceDefinition](ctx, resources, pointer)
		if state.IsNotFoundError(err) {
			return status.Errorf(codes.PermissionDenied, "resource type %q is not supported", access.ResourceType)
		}

		if err != nil {
			return err
		}

		if definition.TypedSpec().Sensitivity == meta.Sensitive && !authz.HasRole(ctx, role.Admin) {
			return authz.ErrNotAuthorized
		}

		namespace := resource.NewMetadata(meta.NamespaceName, meta.NamespaceType, access.ResourceNamespace, resource.VersionUndefined)
		if _, err := resources.Get(ctx, namespace); state.IsNotFoundError(err) {
			return status.Errorf(codes.PermissionDenied, "namespace %q is not supported", access.ResourceNamespace)
		}

		return nil
	}
}

// afterwards marks the moment between a call's work and its answer.
const afterwards = "/after"

// interrupted plays the fault that reboots the node in the middle of a call.
func (s *Server) interrupted(method, moment string) bool {
	_, name, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	if !s.boot.Machine.Faults.Take(faults.RebootDuringStep, name+moment) {
		return false
	}

	s.boot.Console.Printf("the lab reboots the node during %s", name+moment)
	s.boot.Crash()

	return true
}

func (s *Server) disturbUnary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if s.interrupted(info.FullMethod, "") {
		<-ctx.Done()

		return nil, status.FromContextError(ctx.Err()).Err()
	}

	answer, err := handler(ctx, request)

	if err == nil && s.interrupted(info.FullMethod, afterwards) {
		<-ctx.Done()
	}

	return answer, err
}

func (s *Server) disturbStream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if s.interrupted(info.FullMethod, "") {
		<-stream.Context().Done()

		return status.FromContextError(stream.Context().Err()).Err()
	}

	return handler(server, stream)
}

// controlPlaneOnly refuses calls that need a control plane, in the words of Talos.
func (s *Server) controlPlaneOnly(name string) error {
	switch node := s.boot.Node(); {
	case node == nil:
		return status.Errorf(codes.Unimplemented, "machine type is not set, cannot use %s API", name)
	case !node.ControlPlane():
		return status.Errorf(codes.Unimplemented, "%s is only available on control plane nodes", name)
	default:
		return nil
	}
}
