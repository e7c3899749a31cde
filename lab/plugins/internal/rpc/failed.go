package rpc

import (
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil/rpcerror"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
)

// InitFailed is the error of a resource that exists but is not as wanted: the engine keeps it in the
// state and updates it on the next run. reasons follow the error in the engine's output.
func InitFailed(id string, state resource.PropertyMap, err error, reasons ...string) error {
	properties, encodeErr := Encode(id, state)
	if encodeErr != nil {
		return encodeErr
	}
	return rpcerror.WithDetails(rpcerror.New(codes.Unknown, err.Error()), &pulumirpc.ErrorResourceInitFailed{
		Id: id, Properties: properties, Reasons: append([]string{err.Error()}, reasons...),
	})
}
