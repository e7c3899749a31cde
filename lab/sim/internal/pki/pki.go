// Package pki issues the short-lived certificates the simulated nodes need, signed by the CAs of their machine configuration.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"time"

	sidero "github.com/siderolabs/crypto/x509"
)

// Lifetime of every certificate issued here; nodes issue new ones at each boot.
const Lifetime = 30 * 24 * time.Hour

// Authority signs certificates.
type Authority struct {
	Cert *x509.Certificate
	PEM  []byte
	key  crypto.Signer
}

// Request says what a certificate is for.
type Request struct {
	CommonName    string
	Organizations []string
	Addresses     []netip.Addr
	Names         []string
	Usages        []x509.ExtKeyUsage
}

// Pair is a certificate with its key, PEM encoded.
type Pair struct {
	Cert []byte
	Key  []byte
}

// TLS returns the pair as crypto/tls wants it.
func (p Pair) TLS() (tls.Certificate, error) { return tls.X509KeyPair(p.Cert, p.Key) }

// Load reads an authority out of a machine configuration; the key must be there.
func Load(ca *sidero.PEMEncodedCertificateAndKey) (*Authority, error) {
	if ca == nil || len(ca.Key) == 0 {
		return nil, errors.New("the configuration has no key of this certificate authority")
	}

	pair, err := sidero.NewCertificateAuthorityFromCertificateAndKey(ca)
	if err != nil {
		return nil, err
	}

	signer, ok := pair.Key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a key of type %T cannot sign", pair.Key)
	}

	return &Authority{Cert: pair.Crt, PEM: ca.Crt, key: signer}, nil
}

// NewAuthority makes a self-signed authority of the simulator's own.
func NewAuthority(organization string) (*Authority, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader) // the kind Talos makes
	if err != nil {
		return nil, err
	}

	template, err := newTemplate(Request{Organizations: []string{organization}})
	if err != nil {
		return nil, err
	}

	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature

	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}

	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}

	return &Authority{Cert: cert, PEM: encode("CERTIFICATE", der), key: key}, nil
}

// Issue signs a certificate for a new key.
func (a *Authority) Issue(request Request) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}

	template, err := newTemplate(request)
	if err != nil {
		return Pair{}, err
	}

	if template.NotAfter.After(a.Cert.NotAfter) {
		template.NotAfter = a.Cert.NotAfter
	}

	der, err := x509.CreateCertificate(rand.Reader, template, a.Cert, key.Public(), a.key)
	if err != nil {
		return Pair{}, err
	}

	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return Pair{}, err
	}

	return Pair{Cert: encode("CERTIFICATE", der), Key: encode("EC PRIVATE KEY", keyDER)}, nil
}

func newTemplate(request Request) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}

	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: request.CommonName, Organization: request.Organizations},
		NotBefore:    now.Add(-time.Minute),
		NotAfter:     now.Add(Lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  request.Usages,
		DNSNames:     request.Names,
	}

	for _, address := range request.Addresses {
		template.IPAddresses = append(template.IPAddresses, net.IP(address.AsSlice()))
	}

	return template, nil
}

// Server and Client are the usual key usages.
var (
	Server = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	Client = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	Both   = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
)

// Pool makes a certificate pool of PEM blocks.
func Pool(blocks ...[]byte) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, block := range blocks {
		pool.AppendCertsFromPEM(block)
	}

	return pool
}

// Fingerprint identifies a certificate (SHA-256 of its contents), whatever the PEM looks like.
func Fingerprint(certificate []byte) string {
	block, _ := pem.Decode(certificate)
	if block == nil {
		return ""
	}

	sum := sha256.Sum256(block.Bytes)

	return hex.EncodeToString(sum[:8])
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
