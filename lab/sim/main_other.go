//go:build !linux

// Command talos-sim plays the lab's Talos machines; it runs on Linux only.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "talos-sim: the node simulator needs Linux: each node has its own address out of 127.0.0.0/8") //nolint:errcheck
	os.Exit(1)
}
