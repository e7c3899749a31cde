// Package control is the simulator's own API on a unix socket: status, faults and power.
package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"example.invalid/lab/sim/internal/cluster"
	"example.invalid/lab/sim/internal/machine"
)

// Server answers for a set of machines.
type Server struct {
	machines []*machine.Machine
	clusters *cluster.Registry
	http     *http.Server
}

// Status is the answer of GET /status.
type Status struct {
	Machines []MachineStatus `json:"machines"`
	Clusters []ClusterStatus `json:"clusters"`
}

// MachineStatus describes one machine.
type MachineStatus struct {
	ID           string            `json:"id"`
	Address      string            `json:"address"`
	Hostname     string            `json:"hostname"`
	Stage        string            `json:"stage"`
	Power        string            `json:"power"`
	Role         string            `json:"role"`
	Cluster      string            `json:"cluster"`
	TalosVersion string            `json:"talosVersion"`
	Ready        bool              `json:"ready"`
	Faults       map[string]string `json:"faults"`
}

// ClusterStatus describes one cluster.
type ClusterStatus struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Endpoint     string   `json:"endpoint"`
	Bootstrapped bool     `json:"bootstrapped"`
	APIReady     bool     `json:"apiReady"`
	Leader       string   `json:"leader"`
	Processes    []string `json:"processes"`
	Missing      []string `json:"missing"`
}

// Start listens on the socket; one left behind by a killed simulator is replaced.
func Start(path string, machines []*machine.Machine, clusters *cluster.Registry) (*Server, error) {
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		conn.Close() //nolint:errcheck

		return nil, fmt.Errorf("%s is already in use: another simulator runs with this state; stop it first", path)
	}

	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}

	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}

	if err := os.Chmod(path, 0o600); err != nil {
		return nil, err
	}

	s := &Server{machines: machines, clusters: clusters}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", s.status)
	mux.HandleFunc("POST /faults", s.faults)
	mux.HandleFunc("POST /machines/{id}/power/{position}", s.power)
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}

	go s.http.Serve(listener) //nolint:errcheck // ends with Close

	return s, nil
}

// Close ends the server and removes its socket.
func (s *Server) Close() { s.http.Close() } //nolint:errcheck

func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	answer := Status{Machines: []MachineStatus{}, Clusters: []ClusterStatus{}}
	for _, m := range s.machines {
		answer.Machines = append(answer.Machines, describe(m))
	}

	for _, c := range s.clusters.All() {
		answer.Clusters = append(answer.Clusters, ClusterStatus{
			ID: c.Key, Name: c.Name(), Endpoint: c.Endpoint(), Bootstrapped: c.Bootstrapped(), APIReady: c.APIReady(), Leader: c.Leader(),
			Processes: c.Processes(), Missing: c.Missing(),
		})
	}

	reply(w, http.StatusOK, answer)
}

func describe(m *machine.Machine) MachineStatus {
	status := MachineStatus{ID: m.Hardware.ID, Address: m.Hardware.Address.String(), Stage: "off", Power: "off", Faults: m.Faults.All()}
	if !m.On() {
		return status
	}

	status.Power, status.Stage = "on", "rebooting"

	boot := m.Boot()
	if boot == nil {
		return status
	}

	status.Stage, status.TalosVersion, status.Ready = boot.Stage().String(), boot.Version, boot.Ready()

	if node := boot.Node(); node != nil {
		status.Hostname, status.Role, status.Cluster = node.Hostname, node.Type.String(), node.ClusterKey()

		if address, ok := node.ServingAddress(); ok {
			status.Address = address.String()
		}
	}

	return status
}

type faultRequest struct {
	Machine string `json:"machine"`
	Fault   string `json:"fault"`
	On      bool   `json:"on"`
	Value   string `json:"value"`
}

func (s *Server) faults(w http.ResponseWriter, r *http.Request) {
	var request faultRequest

	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()

	if err := decoder.Decode(&request); err != nil {
		fail(w, http.StatusBadRequest, err)

		return
	}

	chosen := s.choose(request.Machine)
	if len(chosen) == 0 {
		fail(w, http.StatusNotFound, fmt.Errorf("no machine %q", request.Machine))

		return
	}

	answer := map[string]map[string]string{}

	for _, m := range chosen {
		if err := m.Faults.Switch(request.Fault, request.On, request.Value); err != nil {
			fail(w, http.StatusBadRequest, err)

			return
		}

		answer[m.Hardware.ID] = m.Faults.All()
	}

	reply(w, http.StatusOK, answer)
}

func (s *Server) choose(id string) []*machine.Machine {
	if id == "*" {
		return s.machines
	}

	return slices.DeleteFunc(slices.Clone(s.machines), func(m *machine.Machine) bool { return m.Hardware.ID != id })
}

func (s *Server) power(w http.ResponseWriter, r *http.Request) {
	position := r.PathValue("position")
	if !slices.Contains([]string{"on", "off"}, position) {
		fail(w, http.StatusBadRequest, fmt.Errorf("power is on or off, not %q", position))

		return
	}

	chosen := s.choose(r.PathValue("id"))
	if len(chosen) == 0 || strings.Contains(r.PathValue("id"), "*") {
		fail(w, http.StatusNotFound, fmt.Errorf("no machine %q", r.PathValue("id")))

		return
	}

	if err := chosen[0].SetPower(position == "on"); err != nil {
		fail(w, http.StatusInternalServerError, err)

		return
	}

	reply(w, http.StatusOK, describe(chosen[0]))
}

func reply(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client may have left
}

func fail(w http.ResponseWriter, code int, err error) {
	reply(w, code, map[string]string{"error": err.Error()})
}
