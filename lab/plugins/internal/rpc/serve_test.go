package rpc

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
)

// asPlugin makes this test binary a plugin, and asParent the parent of one.
const (
	asPlugin = "LAB_TEST_AS_PLUGIN"
	asParent = "LAB_TEST_AS_PARENT"
)

// waiting is a provider whose Create ends only when it is cancelled.
type waiting struct{ *Base }

func (w *waiting) Create(ctx context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	ctx, end := w.Inflight.Derive(ctx, req.GetTimeout())
	defer end()
	w.Log.Status(ctx, diag.Info, req.GetUrn(), "started")
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(asPlugin) != "":
		os.Exit(Serve("test", "1.2.3", func(base *Base) pulumirpc.ResourceProviderServer { return &waiting{base} }))
	case os.Getenv(asParent) != "":
		os.Exit(runParent())
	default:
		os.Exit(m.Run())
	}
}

// runParent starts a plugin, says where it is, and is gone without ending it.
func runParent() int {
	cmd := command(os.Args[1])
	stdout, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		return 1
	}
	port, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return 1
	}
	fmt.Printf("%d %s", cmd.Process.Pid, port)
	return 0
}

func command(engine string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], engine)
	cmd.Env = append(os.Environ(), asPlugin+"=1", asParent+"=")
	return cmd
}

// engine is the engine's side of the protocol: it takes log lines.
type engine struct {
	pulumirpc.UnimplementedEngineServer

	lines chan string
}

func (e *engine) Log(_ context.Context, req *pulumirpc.LogRequest) (*emptypb.Empty, error) {
	e.lines <- req.GetUrn() + ": " + req.GetMessage()
	return &emptypb.Empty{}, nil
}

func startEngine(t *testing.T) (*engine, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{lines: make(chan string, 8)}
	server := grpc.NewServer()
	pulumirpc.RegisterEngineServer(server, e)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return e, listener.Addr().String()
}

// startPlugin runs this test binary as a plugin and connects to it.
func startPlugin(t *testing.T, address string) (*exec.Cmd, pulumirpc.ResourceProviderClient) {
	t.Helper()
	cmd := command(address)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the first line is %q, want a port", line)
	}
	conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", port), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return cmd, pulumirpc.NewResourceProviderClient(conn)
}

func TestHandshake(t *testing.T) {
	_, address := startEngine(t)
	_, client := startPlugin(t, address)
	info, err := client.GetPluginInfo(t.Context(), &emptypb.Empty{})
	if err != nil || info.GetVersion() != "1.2.3" {
		t.Errorf("plugin info is %v, %v", info, err)
	}
	answer, err := client.Handshake(t.Context(), &pulumirpc.ProviderHandshakeRequest{EngineAddress: address})
	if err != nil || !answer.GetAcceptSecrets() || !answer.GetAcceptResources() || !answer.GetAcceptOutputs() {
		t.Errorf("handshake is %v, %v", answer, err)
	}
}

func TestVersionSaysThatItIsAStandIn(t *testing.T) {
	out, err := command("--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := string(out); got != "1.2.3 (stand-in of the lab, not the real plugin)\n" {
		t.Fatalf("it says %q", got)
	}
}

func TestSignalsAndCancelEndWhatRuns(t *testing.T) {
	const urn = "urn:pulumi:t::p::test:index:Thing::x"
	for name, stop := range map[string]func(*exec.Cmd, pulumirpc.ResourceProviderClient) error{
		"SIGINT": func(cmd *exec.Cmd, _ pulumirpc.ResourceProviderClient) error { return cmd.Process.Signal(os.Interrupt) },
		"SIGTERM": func(cmd *exec.Cmd, _ pulumirpc.ResourceProviderClient) error {
			return cmd.Process.Signal(syscall.SIGTERM)
		},
		"Cancel": func(_ *exec.Cmd, client pulumirpc.ResourceProviderClient) error {
			_, err := client.Cancel(context.Background(), &emptypb.Empty{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, address := startEngine(t)
			cmd, client := startPlugin(t, address)
			failed := make(chan error, 1)
			go func() {
				_, err := client.Create(context.Background(), &pulumirpc.CreateRequest{Urn: urn})
				failed <- err
			}()
			if line := <-e.lines; line != urn+": started" {
				t.Fatalf("logged %q", line)
			}
			if err := stop(cmd, client); err != nil {
				t.Fatal(err)
			}
			if err := <-failed; err == nil || !strings.Contains(err.Error(), "context canceled") {
				t.Fatalf("error is %v", err)
			}
			if name == "Cancel" {
				return
			}
			if err := cmd.Wait(); err != nil {
				t.Fatalf("the plugin ended with %v", err)
			}
		})
	}
}

func TestTimeoutEndsWhatRuns(t *testing.T) {
	ctx, end := NewInflight().Derive(t.Context(), 0.01)
	defer end()
	<-ctx.Done()
	if ctx.Err() != context.DeadlineExceeded {
		t.Fatalf("error is %v", ctx.Err())
	}
}

func TestAnOrphanedPluginEnds(t *testing.T) {
	_, address := startEngine(t)
	parent := exec.Command(os.Args[0], address)
	parent.Env = append(os.Environ(), asParent+"=1")
	out, err := parent.Output()
	if err != nil {
		t.Fatal(err)
	}
	var pid, port int
	if _, err := fmt.Sscan(string(out), &pid, &port); err != nil {
		t.Fatalf("the parent said %q: %v", out, err)
	}
	for limit := time.Now().Add(time.Minute); listens(port); {
		if time.Now().After(limit) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("the plugin still listens a minute after its parent ended")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func listens(port int) bool {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}
