package identity

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
)

// operatorFiles writes a certificate of an authority of its own, as an operator
// would, and returns the files.
func operatorFiles(t *testing.T, dir, caKeyText string, node cluster.NodeID) (cert, key, ca string) {
	t.Helper()
	authority, err := newAuthority(testKey(t, caKeyText))
	require.NoError(t, err)
	pair, err := authority.issue(node, time.Now(), CertLife)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	cert, key, ca = filepath.Join(dir, "node.crt"), filepath.Join(dir, "node.key"), filepath.Join(dir, "ca.crt")
	require.NoError(t, writePEM(key, "PRIVATE KEY", keyDER, 0o600))
	require.NoError(t, writePEM(cert, "CERTIFICATE", pair.Certificate[0], 0o644))
	require.NoError(t, writePEM(ca, "CERTIFICATE", authority.cert.Raw, 0o644))
	return cert, key, ca
}

// skipWait makes the next handshake look at the files.
func skipWait(p *pemFiles) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.checked = time.Time{}
}

func TestLoadAndReload(t *testing.T) {
	dir, key := t.TempDir(), testKey(t, keyText)
	cert, keyFile, ca := operatorFiles(t, dir, otherText, 5)
	var files *pemFiles
	var reloads []error
	id, err := Load(cert, keyFile, ca, 5, OneKey(key), OnReload(func(err error) { reloads = append(reloads, err) }),
		func(p *pemFiles) { files = p })
	require.NoError(t, err)
	require.Equal(t, testIdentity(t, keyText, 5).GossipKey(), id.GossipKey())

	peer, stranger := testIdentity(t, otherText, 6), testIdentity(t, keyText, 6)
	atServer, _, serverErr, _ := shake(id.ServerTLS(), peer.ClientTLS())
	require.NoError(t, serverErr)
	got, err := PeerNode(&atServer)
	require.NoError(t, err)
	require.Equal(t, cluster.NodeID(6), got)
	_, _, serverErr, _ = shake(id.ServerTLS(), stranger.ClientTLS())
	require.Error(t, serverErr)

	// A half-written pair changes nothing.
	require.NoError(t, os.WriteFile(keyFile, []byte("garbage"), 0o600))
	skipWait(files)
	_, _, serverErr, _ = shake(id.ServerTLS(), peer.ClientTLS())
	require.NoError(t, serverErr)
	require.Len(t, reloads, 1)
	require.ErrorContains(t, reloads[0], keyFile)

	// Another authority takes over: who was believed is not any more, not even in a
	// session that was begun before.
	operatorFiles(t, dir, keyText, 5)
	skipWait(files)
	_, _, serverErr, _ = shake(id.ServerTLS(), peer.ClientTLS())
	require.Error(t, serverErr)
	_, _, serverErr, _ = shake(id.ServerTLS(), stranger.ClientTLS())
	require.NoError(t, serverErr)
	require.Len(t, reloads, 2)
	require.NoError(t, reloads[1])
}

func TestLoadRefuses(t *testing.T) {
	dir, key := t.TempDir(), testKey(t, keyText)
	cert, keyFile, ca := operatorFiles(t, dir, otherText, 5)
	_, err := Load(cert, keyFile, ca, 6, OneKey(key))
	require.ErrorContains(t, err, "is that of node 0000000000000005")
	_, err = Load(cert, keyFile, keyFile, 5, OneKey(key))
	require.ErrorContains(t, err, "no PEM certificate")
	_, err = Load(cert, keyFile, ca+"x", 5, OneKey(key))
	require.ErrorContains(t, err, "ca.crtx")
	require.True(t, errs.Is(err, errs.Invalid))
	_, err = LoadServerCert(cert, ca)
	require.ErrorContains(t, err, "with key "+ca)
}

func TestLocalCA(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	ca, cert, key, err := LocalCA(dir, []string{"s3.example.test", "10.1.2.3"})
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "ca.crt"), ca)
	text, err := os.ReadFile(ca)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(text))
	server, err := LoadServerCert(cert, key)
	require.NoError(t, err)
	for name, ok := range map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true, "10.1.2.3": true,
		"s3.example.test": true, "bucket.s3.example.test": true, "bucket.localhost": true,
		"example.test": false, "a.b.s3.example.test": false, "10.1.2.4": false} {
		_, _, serverErr, clientErr := shake(server, &tls.Config{RootCAs: roots, ServerName: name})
		require.Equal(t, ok, serverErr == nil && clientErr == nil, "%s: %v, %v", name, serverErr, clientErr)
	}
	for _, secret := range []string{key, filepath.Join(dir, "ca.key")} {
		info, err := os.Stat(secret)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}

	before := serial(t, cert)
	_, _, _, err = LocalCA(dir, []string{"10.1.2.3"})
	require.NoError(t, err)
	require.Equal(t, before, serial(t, cert), "what fits is kept")
	_, _, _, err = LocalCA(dir, []string{"*.other.test"})
	require.NoError(t, err)
	require.NotEqual(t, before, serial(t, cert), "a new name needs a new certificate")
	again, err := os.ReadFile(ca)
	require.NoError(t, err)
	require.Equal(t, text, again, "of the same CA")

	_, _, _, err = LocalCA(dir, []string{"http://x"})
	require.True(t, errs.Is(err, errs.Invalid))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.key"), nil, 0o600))
	_, _, _, err = LocalCA(dir, nil)
	require.ErrorContains(t, err, "remove both files")
}

func serial(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	return cert.SerialNumber.String()
}

// A certificate of the same authorities that says nothing of a node is refused on either
// side: a laptop's is not a node's. With names, those that bear one are nodes too.
// TestNodesAreAskedFor: where members are asked for, a certificate with the URI of a node
// that is none is refused by both sides, unless it has a name; what is asked follows changes
// from one handshake to the next, resumed ones too.
func TestNodesAreAskedFor(t *testing.T) {
	dir := t.TempDir()
	cert, keyFile, ca := operatorFiles(t, dir, otherText, 5)
	var refused atomic.Pointer[cluster.NodeID]
	member := Members(func(id cluster.NodeID) error {
		if r := refused.Load(); r != nil && *r == id {
			return fmt.Errorf("node %s is unknown", id)
		}
		return nil
	})
	id, err := Load(cert, keyFile, ca, 5, OneKey(testKey(t, keyText)), member)
	require.NoError(t, err)
	peer := testIdentity(t, otherText, 6)
	six, seven := cluster.NodeID(6), cluster.NodeID(7)
	for _, none := range []*cluster.NodeID{nil, &seven, &six, nil} {
		refused.Store(none)
		_, _, serverErr, _ := shake(id.ServerTLS(), peer.ClientTLS())
		_, _, _, clientErr := shake(peer.ServerTLS(), id.ClientTLS())
		if none != &six {
			require.NoError(t, serverErr)
			require.NoError(t, clientErr)
			continue
		}
		require.ErrorContains(t, serverErr, "node 0000000000000006 is unknown")
		require.ErrorContains(t, clientErr, "node 0000000000000006 is unknown")
		require.True(t, Distrusted(serverErr))
	}
	require.NoError(t, checkPeer(&x509.Certificate{DNSNames: []string{"n.cairn.example"}, URIs: []*url.URL{{Scheme: "cairn", Host: "node", Path: "/0000000000000007"}}},
		[]string{"*.cairn.example"}, func(cluster.NodeID) error { return errors.New("unknown") }), "the name makes it one")
}

func TestOthersOfTheSameAuthorityAreRefused(t *testing.T) {
	key := testKey(t, keyText)
	authority, err := newAuthority(testKey(t, otherText))
	require.NoError(t, err)
	laptop := func(names ...string) *tls.Config {
		pair, err := authority.issue(7, time.Now(), CertLife)
		require.NoError(t, err)
		template := *pair.Leaf
		template.URIs, template.DNSNames = nil, names
		der, err := x509.CreateCertificate(rand.Reader, &template, authority.cert, pair.Leaf.PublicKey, authority.key)
		require.NoError(t, err)
		cert := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: pair.PrivateKey}
		return &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert}
	}
	dir := t.TempDir()
	cert, keyFile, ca := operatorFiles(t, dir, otherText, 5)
	strict, err := Load(cert, keyFile, ca, 5, OneKey(key))
	require.NoError(t, err)
	named, err := Load(cert, keyFile, ca, 5, OneKey(key), Names([]string{"*.cairn.example", "spiffe://prod/cairn/*"}))
	require.NoError(t, err)
	for _, c := range []struct {
		id   *Identity
		peer *tls.Config
		ok   bool
	}{
		{strict, laptop(), false}, {strict, laptop("n1.cairn.example"), false},
		{named, laptop(), false}, {named, laptop("laptop.example", "cairn.example", "a.b.cairn.example"), false},
		{named, laptop("laptop.example", "N1.cairn.example"), true},
		{named, testIdentity(t, otherText, 6).ClientTLS(), true},
	} {
		_, _, serverErr, _ := shake(c.id.ServerTLS(), c.peer)
		_, _, _, clientErr := shake(c.peer, c.id.ClientTLS())
		if c.ok {
			require.NoError(t, serverErr)
			continue
		}
		require.ErrorContains(t, serverErr, "not one of a node")
		require.ErrorContains(t, clientErr, "not one of a node")
		require.True(t, Distrusted(serverErr))
	}
	require.NoError(t, checkNode(&x509.Certificate{URIs: []*url.URL{{Scheme: "spiffe", Host: "prod", Path: "/cairn/n1"}}}, []string{"spiffe://prod/cairn/*"}))
	require.Error(t, checkNode(&x509.Certificate{URIs: []*url.URL{{Scheme: "spiffe", Host: "prod", Path: "/web"}}}, []string{"spiffe://prod/cairn/*"}))
	require.Error(t, checkNode(&x509.Certificate{URIs: []*url.URL{{Scheme: "cairn", Host: "node", Path: "/not-an-id"}}}, nil))
	for name, good := range map[string]bool{"a.b": true, "*.a.b": true, "spiffe://a/*": true, "*": false, "*.": false, "": false, "a.*": false, "spiffe://*": false, ":*": false, "a b": false} {
		require.Equal(t, good, CheckName(name) == nil, name)
	}
}
