// Package controlplane prepares the real Kubernetes control plane programs from a machine configuration.
package controlplane

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"

	sidero "github.com/siderolabs/crypto/x509"
	"github.com/siderolabs/talos/pkg/machinery/config"
	"go.yaml.in/yaml/v4"

	"example.invalid/lab/sim/internal/nodeconfig"
	"example.invalid/lab/sim/internal/pki"
	"example.invalid/lab/sim/internal/store"
)

// Authorities are the signers a control plane's configuration carries.
type Authorities struct {
	Kubernetes *pki.Authority
	Etcd       *pki.Authority
	Aggregator *pki.Authority
}

// LoadAuthorities reads them; a worker's configuration has none.
func LoadAuthorities(provider config.Provider) (*Authorities, error) {
	cluster := provider.Cluster()

	kubernetes, err := pki.Load(cluster.IssuingCA())
	if err != nil {
		return nil, fmt.Errorf("cluster.ca: %w", err)
	}

	etcd, err := pki.Load(cluster.Etcd().CA())
	if err != nil {
		return nil, fmt.Errorf("cluster.etcd.ca: %w", err)
	}

	aggregator, err := pki.Load(cluster.AggregatorCA())
	if err != nil {
		return nil, fmt.Errorf("cluster.aggregatorCA: %w", err)
	}

	return &Authorities{Kubernetes: kubernetes, Etcd: etcd, Aggregator: aggregator}, nil
}

// Writer collects private files below a folder; the first error sticks.
type Writer struct {
	Dir string
	err error
}

// Put writes a file.
func (w *Writer) Put(name string, data []byte) {
	if w.err == nil {
		w.err = store.WriteFile(filepath.Join(w.Dir, name), data)
	}
}

// Pair issues and writes NAME.crt and NAME.key.
func (w *Writer) Pair(name string, authority *pki.Authority, request pki.Request) {
	if w.err != nil {
		return
	}

	pair, err := authority.Issue(request)
	if err != nil {
		w.err = err

		return
	}

	w.Put(name+".crt", pair.Cert)
	w.Put(name+".key", pair.Key)
}

// Err is the first error.
func (w *Writer) Err() error { return w.err }

// WriteEtcd writes the key material of an etcd member.
func WriteEtcd(dir string, node *nodeconfig.Node, authority *pki.Authority, address netip.Addr) error {
	w := &Writer{Dir: dir}
	addresses := append(node.Listen(), address, netip.MustParseAddr("127.0.0.1"))
	names := []string{node.Hostname, "localhost"}

	w.Put("ca.crt", authority.PEM)
	w.Pair("server", authority, pki.Request{CommonName: node.Hostname, Addresses: addresses, Names: names, Usages: pki.Both})
	w.Pair("peer", authority, pki.Request{CommonName: node.Hostname, Addresses: addresses, Names: names, Usages: pki.Both})

	return w.Err()
}

// WriteKubernetes writes what kube-apiserver, kube-controller-manager and kube-scheduler of a node read.
func WriteKubernetes(dir string, node *nodeconfig.Node, authorities *Authorities, server string) error {
	w := &Writer{Dir: dir}
	cluster := node.Provider.Cluster()

	w.Put("ca.crt", authorities.Kubernetes.PEM)
	w.Put("ca.key", cluster.IssuingCA().Key)
	w.Put("aggregator-ca.crt", authorities.Aggregator.PEM)
	w.Put("etcd-ca.crt", authorities.Etcd.PEM)
	w.Put("service-account.key", cluster.ServiceAccount().Key)

	if public, err := publicKey(cluster.ServiceAccount()); err == nil {
		w.Put("service-account.pub", public)
	} else {
		return err
	}

	serving, err := servingRequest(node)
	if err != nil {
		return err
	}

	w.Pair("apiserver", authorities.Kubernetes, serving)
	writeClients(w, authorities)

	if err := writeKubeconfigs(w, authorities, server); err != nil {
		return err
	}

	if err := writeConfigs(w, node.Provider); err != nil {
		return err
	}

	return w.Err()
}

func writeClients(w *Writer, authorities *Authorities) {
	w.Pair("kubelet-client", authorities.Kubernetes, pki.Request{
		CommonName: "apiserver-kubelet-client", Organizations: []string{"system:masters"}, Usages: pki.Client,
	})
	w.Pair("etcd-client", authorities.Etcd, pki.Request{CommonName: "kube-apiserver", Usages: pki.Client})
	w.Pair("front-proxy", authorities.Aggregator, pki.Request{CommonName: "front-proxy-client", Usages: pki.Client})
}

func writeKubeconfigs(w *Writer, authorities *Authorities, server string) error {
	for _, component := range []string{"controller-manager", "scheduler"} {
		kubeconfig, err := Kubeconfig(authorities.Kubernetes, server, pki.Request{CommonName: "system:kube-" + component, Usages: pki.Client})
		if err != nil {
			return err
		}

		w.Put(component+".kubeconfig", kubeconfig)
	}

	return nil
}

func publicKey(key *sidero.PEMEncodedKey) ([]byte, error) {
	if key == nil {
		return nil, errors.New("cluster.serviceAccount: no key")
	}

	if rsa, err := key.GetRSAKey(); err == nil {
		return rsa.PublicKeyPEM, nil
	}

	ecdsa, err := key.GetECDSAKey()
	if err != nil {
		return nil, fmt.Errorf("cluster.serviceAccount: %w", err)
	}

	return ecdsa.PublicKeyPEM, nil
}

// servingRequest names everything a client may call the API server.
func servingRequest(node *nodeconfig.Node) (pki.Request, error) {
	cluster := node.Provider.Cluster()
	domain := cluster.Network().DNSDomain()

	service, err := cluster.Network().APIServerIPs()
	if err != nil {
		return pki.Request{}, err
	}

	request := pki.Request{
		CommonName: "kube-apiserver", Organizations: []string{"kube-master"}, Usages: pki.Server,
		Names: []string{
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + domain, "localhost", node.Hostname,
		},
		Addresses: slices.Concat(service, node.Listen(), node.VIPs, []netip.Addr{netip.MustParseAddr("127.0.0.1")}),
	}

	extra := append(slices.Clone(cluster.CertSANs()), cluster.Endpoint().Hostname())
	for _, san := range extra {
		if address, err := netip.ParseAddr(san); err == nil {
			request.Addresses = append(request.Addresses, address)
		} else {
			request.Names = append(request.Names, san)
		}
	}

	return request, nil
}

// Kubeconfig makes a kubeconfig (JSON is YAML) with a fresh client certificate.
func Kubeconfig(authority *pki.Authority, server string, request pki.Request) ([]byte, error) {
	pair, err := authority.Issue(request)
	if err != nil {
		return nil, err
	}

	return json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "lab",
		"clusters": []any{map[string]any{"name": "lab", "cluster": map[string]any{
			"server": server, "certificate-authority-data": authority.PEM, "tls-server-name": "kubernetes",
		}}},
		"users":    []any{map[string]any{"name": "lab", "user": map[string]any{"client-certificate-data": pair.Cert, "client-key-data": pair.Key}}},
		"contexts": []any{map[string]any{"name": "lab", "context": map[string]any{"cluster": "lab", "user": "lab"}}},
	})
}

func writeConfigs(w *Writer, provider config.Provider) error {
	admission, err := yaml.Marshal(admissionConfig(provider))
	if err != nil {
		return err
	}

	w.Put("admission.yaml", admission)

	encryption, err := json.Marshal(encryptionConfig(provider))
	if err != nil {
		return err
	}

	w.Put("encryption.yaml", encryption)

	return nil
}

func admissionConfig(provider config.Provider) map[string]any {
	plugins := []any{}
	for _, plugin := range provider.Cluster().APIServer().AdmissionControl() {
		plugins = append(plugins, map[string]any{"name": plugin.Name(), "configuration": plugin.Configuration()})
	}

	return map[string]any{"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration", "plugins": plugins}
}

func encryptionConfig(provider config.Provider) map[string]any {
	providers := []any{}
	key := func(secret string) map[string]any {
		return map[string]any{"keys": []any{map[string]any{"name": "key1", "secret": secret}}}
	}

	if secret := provider.Cluster().SecretboxEncryptionSecret(); secret != "" {
		providers = append(providers, map[string]any{"secretbox": key(secret)})
	}

	if secret := provider.Cluster().AESCBCEncryptionSecret(); secret != "" {
		providers = append(providers, map[string]any{"aescbc": key(secret)})
	}

	providers = append(providers, map[string]any{"identity": map[string]any{}})

	return map[string]any{
		"apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration",
		"resources": []any{map[string]any{"resources": []any{"secrets"}, "providers": providers}},
	}
}
