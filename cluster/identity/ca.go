package identity

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"github.com/cairnstore/cairn/cluster"
)

// Labels of what is derived from the cluster key. They are part of the format: all
// nodes of a cluster must agree.
const (
	labelCA     = "cairn ca v1"
	labelGossip = "cairn gossip v1"
	labelDigest = "cairn digest v1"
	labelSecret = "cairn secret v1 " // And the use.
)

const (
	// CertLife is how long a node's own certificate is valid. The next one is made
	// after 2/3 of that.
	CertLife = 90 * 24 * time.Hour
	// clockSkew is how far behind a peer's clock may be.
	clockSkew = 24 * time.Hour
)

// caValidity is fixed, so that the CA certificate is the same on all nodes, and
// wide, so that a wrong clock does not matter.
func caValidity() (from, to time.Time) {
	return time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2190, 1, 1, 0, 0, 0, 0, time.UTC)
}

// authority is the cluster's certificate authority.
type authority struct {
	key  ed25519.PrivateKey
	cert *x509.Certificate
}

func newAuthority(key Key) (*authority, error) {
	private := ed25519.NewKeyFromSeed(key.derive(labelCA, ed25519.SeedSize))
	from, to := caValidity()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "Cairn cluster CA " + digest(key)},
		NotBefore:    from, NotAfter: to,
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	// Ed25519 signatures have no randomness: equal keys give equal certificates.
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, fmt.Errorf("make the cluster's CA certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make the cluster's CA certificate: %w", err)
	}
	return &authority{key: private, cert: cert}, nil
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// issue signs a certificate for a node.
func (a *authority) issue(node cluster.NodeID, now time.Time, life time.Duration) (*tls.Certificate, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key for node %s: %w", node, err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make a certificate for node %s: %w", node, err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "Cairn node " + node.String()},
		NotBefore:    now.Add(-clockSkew), NotAfter: now.Add(life),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		URIs:        []*url.URL{nodeURI(node)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for node %s: %w", node, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for node %s: %w", node, err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private, Leaf: leaf}, nil
}

// nodeURI returns the name that a node's certificate bears.
func nodeURI(node cluster.NodeID) *url.URL {
	return &url.URL{Scheme: "cairn", Host: "node", Path: "/" + node.String()}
}
