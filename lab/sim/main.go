//go:build linux

// Command talos-sim plays the lab's Talos machines; README.md describes its configuration.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/klog/v2"

	"example.invalid/lab/sim/internal/settings"
	"example.invalid/lab/sim/internal/sim"
)

func main() {
	path := flag.String("config", "", "path of the JSON configuration file")
	flag.Parse()

	if err := run(*path); err != nil {
		fmt.Fprintln(os.Stderr, "talos-sim:", err) //nolint:errcheck
		os.Exit(1)
	}
}

func run(path string) error {
	if path == "" {
		return fmt.Errorf("--config FILE is required")
	}

	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	klog.SetSlogLogger(slog.Default().With("part", "client-go"))

	loaded, err := settings.Load(path)
	if err != nil {
		return err
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	return sim.Run(ctx, loaded, os.Stdout)
}
