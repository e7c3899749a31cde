// Command lab-http is the small HTTP server behind the ingress Service of `make lab-real`.
//
// `lab-http ADDRESS` answers each request with one JSON object: the pod and node that answered (from POD and NODE)
// and the client's address as the pod saw it. `lab-http get URL` asks once, for pods without a shell.
// `lab-http pause` does nothing until it is told to end.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const limit = 5 * time.Second

func main() {
	if err := run(os.Args[1:]); err != nil {
		log.Fatal("lab-http: ", err)
	}
}

func run(arguments []string) error {
	switch {
	case len(arguments) == 2 && arguments[0] == "get":
		return get(arguments[1], os.Stdout)
	case len(arguments) == 1 && arguments[0] == "pause":
		return pause()
	case len(arguments) == 1:
		server := http.Server{Addr: arguments[0], Handler: http.HandlerFunc(answer), ReadHeaderTimeout: limit}
		go func() { _ = pause(); os.Exit(0) }()
		return server.ListenAndServe()
	}
	return fmt.Errorf("usage: lab-http ADDRESS | get URL | pause")
}

func answer(w http.ResponseWriter, r *http.Request) {
	client, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		client = r.RemoteAddr
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{
		"pod": os.Getenv("POD"), "node": os.Getenv("NODE"), "client": client,
	})
}

func get(url string, to io.Writer) error {
	client := http.Client{Timeout: limit}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	_, err = io.Copy(to, response.Body)
	return err
}

// pause waits for the signal that ends a container. As the first process of a pod it also reaps orphans.
func pause() error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return nil
		}
		for {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if pid <= 0 || err != nil {
				break
			}
		}
	}
	return nil
}
