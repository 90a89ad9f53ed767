package identity

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
)

const (
	// sessionCacheEntries bounds the TLS sessions kept for resumption, one a peer address.
	sessionCacheEntries = 512
	// digestBytes is short enough to read out on the phone.
	digestBytes = 8
)

// credentials are a node's certificate and the authorities it believes.
type credentials interface {
	// certificate returns the one to show now.
	certificate() (*tls.Certificate, error)
	// roots returns the authorities to believe now.
	roots() *x509.CertPool
	// checkPeer returns why a certificate of these authorities is none of a node of this
	// cluster.
	checkPeer(*x509.Certificate) error
}

// Identity is who a node is to its peers.
type Identity struct {
	keys        Keys
	credentials credentials
	server      *tls.Config
	client      *tls.Config
}

// New returns the identity of a node in the cluster that key stands for.
func New(key Key, node cluster.NodeID) (*Identity, error) {
	return NewRotating(OneKey(key), node, CertLife)
}

// NewRotating is New for a cluster whose key may be in rotation, with certificates that
// are valid for so long.
func NewRotating(keys Keys, node cluster.NodeID, life time.Duration) (*Identity, error) {
	const op = "identity.New"
	ca, err := newAuthority(keys.Sign)
	if err != nil {
		return nil, errs.New(op, errs.Internal, err)
	}
	own := &selfIssued{ca: ca, pool: ca.pool(), node: node, life: life}
	for _, k := range keys.Accept {
		other, err := newAuthority(k)
		if err != nil {
			return nil, errs.New(op, errs.Internal, err)
		}
		own.pool.AddCert(other.cert)
	}
	if _, err := own.certificate(); err != nil {
		return nil, errs.New(op, errs.Internal, err)
	}
	return newIdentity(keys, own), nil
}

func newIdentity(keys Keys, c credentials) *Identity {
	return &Identity{keys: keys, credentials: c, server: serverConfig(c), client: clientConfig(c)}
}

// ServerTLS returns the configuration of the internode listener: TLS 1.3, and
// only peers with a certificate of the cluster. It must not be changed; all calls
// return the same, which is what makes resumption work.
func (id *Identity) ServerTLS() *tls.Config { return id.server }

// ClientTLS returns the configuration for connections to other nodes. It must not
// be changed.
func (id *Identity) ClientTLS() *tls.Config { return id.client }

// GossipKey returns the 32 bytes that encrypt gossip.
func (id *Identity) GossipKey() []byte { return id.keys.Sign.derive(labelGossip, KeyBytes) }

// OtherGossipKeys returns those with which peers may encrypt besides.
func (id *Identity) OtherGossipKeys() (keys [][]byte) {
	for _, k := range id.keys.Accept[1:] {
		keys = append(keys, k.derive(labelGossip, KeyBytes))
	}
	return keys
}

// Expires returns until when this node's certificate is valid. One that it signs itself
// is renewed long before.
func (id *Identity) Expires() (time.Time, error) {
	cert, err := id.credentials.certificate()
	if err != nil {
		return time.Time{}, err
	}
	return cert.Leaf.NotAfter, nil
}

// Secret returns a key for one use, which label names: the same on every node of the
// cluster, and of no help to find the cluster key or that of another use.
func (id *Identity) Secret(label string) (key [KeyBytes]byte) { return id.keys.Secret(label) }

// Digest returns a short public fingerprint of the cluster key: nodes that show
// different ones were given different keys.
func (id *Identity) Digest() string { return digest(id.keys.Sign) }

// SealDigest is Digest of the key that seals.
func (id *Identity) SealDigest() string { return id.keys.SealDigest() }

// SealDigest returns a short public fingerprint of the key that seals.
func (k Keys) SealDigest() string { return digest(k.Seal) }

// Secret returns what Identity.Secret does.
func (k Keys) Secret(label string) (key [KeyBytes]byte) {
	copy(key[:], k.Seal.derive(labelSecret+label, KeyBytes))
	return key
}

func digest(key Key) string { return hex.EncodeToString(key.derive(labelDigest, digestBytes)) }

func serverConfig(c credentials) *tls.Config {
	cfg := &tls.Config{
		MinVersion: tls.VersionTLS13,
		// Any certificate is taken here and judged by verifyPeer, which
		// also runs when a session is resumed and follows reloaded roots.
		ClientAuth:       tls.RequireAnyClientCert,
		VerifyConnection: verifyPeer(c, x509.ExtKeyUsageClientAuth),
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.certificate()
		},
		DynamicRecordSizingDisabled: true, // Bulk bytes between servers: full records from the start.
	}
	return cfg
}

func clientConfig(c credentials) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		// Not insecure: verifyPeer demands a chain to the cluster's CA. Only
		// the host name goes unchecked, for any member may have any address.
		InsecureSkipVerify: true,
		VerifyConnection:   verifyPeer(c, x509.ExtKeyUsageServerAuth),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return c.certificate()
		},
		ClientSessionCache:          tls.NewLRUClientSessionCache(sessionCacheEntries),
		DynamicRecordSizingDisabled: true,
	}
}

// verifyPeer returns the check of a peer's certificate against c's roots.
func verifyPeer(c credentials, usage x509.ExtKeyUsage) func(tls.ConnectionState) error {
	return func(cs tls.ConnectionState) error {
		if len(cs.PeerCertificates) == 0 {
			return &distrust{errors.New("the peer shows no certificate; is it a node of this cluster?")}
		}
		opts := x509.VerifyOptions{Roots: c.roots(), Intermediates: x509.NewCertPool(),
			KeyUsages: []x509.ExtKeyUsage{usage}, CurrentTime: time.Now()}
		for _, cert := range cs.PeerCertificates[1:] {
			opts.Intermediates.AddCert(cert)
		}
		_, err := cs.PeerCertificates[0].Verify(opts)
		var unknown x509.UnknownAuthorityError
		switch {
		case err == nil:
			if err = c.checkPeer(cs.PeerCertificates[0]); err == nil {
				return nil
			}
		case errors.As(err, &unknown):
			err = fmt.Errorf("the peer's certificate (%s) is not of this cluster; was it started with another cluster key, or --internode-ca?",
				cs.PeerCertificates[0].Issuer.CommonName)
		}
		return &distrust{err}
	}
}

// distrust is why this node does not believe a peer's certificate.
type distrust struct{ cause error }

func (d *distrust) Error() string { return d.cause.Error() }
func (d *distrust) Unwrap() error { return d.cause }

// Distrusted reports whether a connection failed because one side does not believe the
// other's certificate.
func Distrusted(err error) bool {
	var d *distrust
	if errors.As(err, &d) {
		return true
	}
	var remote *net.OpError // What the other side said; package tls has no exported type for it.
	return errors.As(err, &remote) && remote.Op == "remote error" && strings.Contains(remote.Err.Error(), "certificate")
}

// PeerNode returns which node the other side of a connection is: what its
// certificate says. Denied where there is no certificate or it names no node.
func PeerNode(cs *tls.ConnectionState) (cluster.NodeID, error) {
	const op = "identity.PeerNode"
	if cs == nil || len(cs.PeerCertificates) == 0 {
		return 0, errs.Newf(op, errs.Denied, "the connection has no peer certificate")
	}
	return nodeOf(cs.PeerCertificates[0])
}

// nodeOf returns the node that a certificate names.
func nodeOf(cert *x509.Certificate) (cluster.NodeID, error) {
	const op = "identity.PeerNode"
	for _, u := range cert.URIs {
		if u.Scheme != "cairn" || u.Host != "node" {
			continue
		}
		node, err := cluster.ParseNodeID(strings.TrimPrefix(u.Path, "/"))
		if err != nil {
			return 0, errs.New(op, errs.Denied, err)
		}
		return node, nil
	}
	return 0, errs.Newf(op, errs.Denied, "the peer's certificate has no URI cairn://node/<node id>")
}

// selfIssued signs its own certificates with the cluster's CA.
type selfIssued struct {
	ca   *authority
	pool *x509.CertPool
	node cluster.NodeID
	life time.Duration // Of a certificate.

	mu      sync.Mutex
	current *tls.Certificate
	made    time.Time
}

func (s *selfIssued) roots() *x509.CertPool { return s.pool }

// checkPeer implements credentials. Who has the cluster key may call itself any node.
func (s *selfIssued) checkPeer(cert *x509.Certificate) error { return checkNode(cert, nil) }

// certificate returns the current certificate, renewed when 2/3 of its life is over.
func (s *selfIssued) certificate() (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.current != nil && now.Sub(s.made) < s.life*2/3 {
		return s.current, nil
	}
	cert, err := s.ca.issue(s.node, now, s.life)
	if err != nil {
		return nil, err
	}
	s.current, s.made = cert, now
	return cert, nil
}
