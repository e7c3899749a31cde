// Command pulumi-resource-kubernetes is the lab's stand-in for the Pulumi provider of the same name.
package main

import (
	"os"

	"lab/plugins/internal/kube"
	"lab/plugins/internal/rpc"
)

// version is set by the build with -ldflags "-X main.version=…".
var version = "0.0.0-lab"

func main() { os.Exit(rpc.Serve("kubernetes", version, kube.New)) }
