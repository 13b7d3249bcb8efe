package localcloud

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// caFile is the certificate authority's certificate, under .local.
const caFile = "ca.pem"

// validity is how long the certificates are good: longer than any cloud runs.
const validity = 30 * 24 * time.Hour

// authority is a certificate authority made for one run, with the one certificate
// it signs. Its key is never written.
type authority struct {
	certificate *x509.Certificate
	leaf        tls.Certificate // for 127.0.0.1 and localhost
}

func newAuthority() (*authority, error) {
	now := time.Now()
	root := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: "G2A simulator's authority"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(validity),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	rootDER, rootKey, err := sign(root, root, nil)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(rootDER)
	if err != nil {
		return nil, fmt.Errorf("making a certificate authority: %w", err)
	}
	leafDER, leafKey, err := sign(&x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano() + 1),
		Subject:      pkix.Name{CommonName: "G2A simulator"},
		NotBefore:    root.NotBefore,
		NotAfter:     root.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}, certificate, rootKey)
	if err != nil {
		return nil, err
	}
	return &authority{certificate, tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}}, nil
}

// sign makes a certificate with a key of its own; without a signer it signs itself.
func sign(wanted, issuer *x509.Certificate, signer *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("making a key: %w", err)
	}
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, wanted, issuer, &key.PublicKey, signer)
	if err != nil {
		return nil, nil, fmt.Errorf("making a certificate: %w", err)
	}
	return der, key, nil
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

func (a *authority) write(file string) error {
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return fmt.Errorf("making the folder of the certificate: %w", err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return fmt.Errorf("writing the certificate: %w", err)
	}
	return nil
}
