//go:build e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

// TestOwnCertificates runs a cluster whose nodes have certificates of the operator's own authority. It
// replaces them while the cluster runs, and starts nodes with certificates that do not fit.
func TestOwnCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ours, theirs := newAuthority(t, dir, "ours"), newAuthority(t, dir, "theirs")
	c := startClusterWith(t, 3, options{prepare: func(p *process) { p.Flags = ours.issue(t, p.String(), nodeCert) }})
	ctx := t.Context()
	_, err := client(c.nodes[0]).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: ptr(bucket)})
	require.NoError(t, err)
	o := &object{key: "key", data: randomBytes(2 << 20)}
	c.retry(ctx, func(s *s3.Client) error { return put(ctx, s, bucket, o) })
	for _, p := range c.nodes {
		require.NoError(t, o.get(ctx, client(p), bucket))
	}

	t.Run("replaced while the node runs", func(t *testing.T) {
		c.t = t
		left := func(p *process) time.Duration {
			m, err := p.Metrics(ctx)
			require.NoError(t, err)
			return time.Duration(m["cairn_internode_certificate_expiry_seconds"]) * time.Second
		}
		p := c.nodes[1]
		c.eventually("the certificate's end is told", stepTimeout, func() bool { return left(p) > 0 && left(p) <= certLife })
		longer := *nodeCert
		longer.NotAfter = time.Now().Add(3 * certLife)
		ours.issue(t, p.String(), &longer)
		c.eventually("the new certificate is in use", stepTimeout, func() bool { return left(p) > certLife })
		require.NoError(t, o.get(ctx, client(p), bucket))
	})

	added, err := c.bed.Add(1)
	require.NoError(t, err)
	guest := added[0]
	refusals := []struct {
		name     string
		flags    []string
		sentence string
	}{
		{"of other authorities than it names", append(theirs.issue(t, "a", nodeCert)[:4:4], "--internode-ca", ours.ca, "--internode-names", "*.cairn.test"), "is not signed by the authorities in " + ours.ca},
		{"for servers alone", ours.issue(t, "b", &x509.Certificate{ExtKeyUsage: nodeCert.ExtKeyUsage[:1], NotAfter: nodeCert.NotAfter}),
			"may not be used for client authentication; between nodes each is both"},
		{"of no node", ours.issue(t, "laptop", &x509.Certificate{ExtKeyUsage: nodeCert.ExtKeyUsage, NotAfter: nodeCert.NotAfter, DNSNames: []string{"laptop.example"}}),
			"has neither the URI cairn://node/NODE-ID nor a name of --internode-names"},
		{"expired", ours.issue(t, "c", &x509.Certificate{ExtKeyUsage: nodeCert.ExtKeyUsage, NotAfter: time.Now().Add(-time.Hour)}), "expired on"},
		{"of another node", ours.issue(t, "d", &x509.Certificate{ExtKeyUsage: nodeCert.ExtKeyUsage, NotAfter: nodeCert.NotAfter,
			URIs: []*url.URL{{Scheme: "cairn", Host: "node", Path: "/00000000000000ab"}}}), "is that of node 00000000000000ab, this is node"},
		{"of authorities that the cluster does not know", theirs.issue(t, "e", nodeCert), "--internode-ca"},
		{"one that it made itself", nil, "--internode-c"},
	}
	for _, r := range refusals {
		t.Run(r.name, func(t *testing.T) {
			c.t = t
			guest.Flags = r.flags
			c.refused(guest, r.sentence)
		})
	}
	c.t = t
	t.Run("a laptop's is no node's", func(t *testing.T) { laptopIsRefused(t, c, ours) })
	t.Run("a node's that is none of the cluster's", func(t *testing.T) { strangeNodeIsRefused(t, c, ours, guest) })
	c.t = t
	guest.Flags = ours.issue(t, guest.String(), nodeCert)
	c.start(guest)
	c.waitReady(guest)
	require.NoError(t, o.get(ctx, client(guest), bucket))
}

// laptopIsRefused shows every internode service a certificate of the nodes' authority that
// is not one of a node.
func laptopIsRefused(t *testing.T, c *cluster, ours *authority) {
	flags := ours.issue(t, "laptop", &x509.Certificate{ExtKeyUsage: nodeCert.ExtKeyUsage, NotAfter: nodeCert.NotAfter, DNSNames: []string{"laptop.example"}})
	node := ours.issue(t, "probe", nodeCert)
	for _, p := range c.nodes {
		for what, addr := range map[string]string{"rpc": p.RPCHost(), "raft": p.RaftHost()} {
			require.ErrorContains(t, shake(t, addr, flags), "bad certificate", what)
			require.NoError(t, shake(t, addr, node), what)
		}
	}
}

// shake shows a certificate to a listener, and returns why the listener has refused it; nil if it has
// not.
func shake(t *testing.T, addr string, flags []string) error {
	pair, err := tls.LoadX509KeyPair(flags[1], flags[3])
	require.NoError(t, err)
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13})
	if err != nil {
		return err
	}
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(stepTimeout)))
	// The server has judged the certificate once it answers or closes. If it does not speak HTTP, it
	// closes because it has read nonsense.
	_, _ = conn.Write([]byte("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))
	_, err = io.ReadAll(conn)
	return err
}

// strangeNodeIsRefused shows every internode service certificates of the nodes' authority with the URIs
// of nodes: of one that was never there, of one that joins, and of the latter again once it is removed.
func strangeNodeIsRefused(t *testing.T, c *cluster, ours *authority, guest *process) {
	c.t = t
	issue := func(id string) []string {
		return ours.issue(t, "node-"+id, &x509.Certificate{ExtKeyUsage: nodeCert.ExtKeyUsage, NotAfter: nodeCert.NotAfter,
			URIs: []*url.URL{{Scheme: "cairn", Host: "node", Path: "/" + id}}})
	}
	refusedBy := func(flags []string) error {
		for _, p := range c.nodes {
			for what, addr := range map[string]string{"rpc": p.RPCHost(), "raft": p.RaftHost()} {
				if err := shake(t, addr, flags); err == nil || !strings.Contains(err.Error(), "bad certificate") {
					return fmt.Errorf("%s of %s: %v", what, p, err)
				}
			}
		}
		return nil
	}
	require.NoError(t, refusedBy(issue("00000000000000ab")), "a node that was never there")
	text, err := os.ReadFile(filepath.Join(guest.Drives[0], "node.json"))
	require.NoError(t, err)
	var home struct{ Node string }
	require.NoError(t, json.Unmarshal(text, &home))
	flags := issue(home.Node)
	c.eventually("a node that is gone before it was registered is forgotten", time.Minute, func() bool { return refusedBy(flags) == nil })

	guest.Flags = flags
	c.start(guest)
	c.waitReady(guest)
	require.Error(t, refusedBy(flags), "a member")
	c.kill(guest)
	require.Error(t, refusedBy(flags), "a member that is down")
	out, err := c.cairn("node", "remove", home.Node, "--force", "--yes")
	require.NoError(t, err, "%s", out)
	c.eventually("a removed node is refused", 2*time.Minute, func() bool { return refusedBy(flags) == nil })
	c.refused(guest, "removed from the cluster")
	for _, d := range guest.Drives {
		require.NoError(t, os.RemoveAll(d))
	}
}

const certLife = 10 * 24 * time.Hour

// nodeCert is what a certificate of a node must allow.
var nodeCert = &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, NotAfter: time.Now().Add(certLife),
	DNSNames: []string{"node.cairn.test"}}

// authority signs certificates.
type authority struct {
	dir, ca string // Its directory, and the file of its certificate.
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-2 * time.Hour),
		NotAfter: time.Now().Add(365 * 24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	require.NoError(t, err)
	a := &authority{dir: filepath.Join(dir, name), key: key}
	a.ca = filepath.Join(a.dir, "ca.pem")
	require.NoError(t, os.Mkdir(a.dir, 0o755))
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	writePEM(t, a.ca, "CERTIFICATE", der)
	return a
}

// issue writes a certificate, made after a template, and its key. It returns the settings of a node
// that has them.
func (a *authority) issue(t *testing.T, name string, like *x509.Certificate) []string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	secret, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	cert := *like
	cert.SerialNumber, cert.Subject, cert.NotBefore, cert.KeyUsage = serial, pkix.Name{CommonName: name}, a.cert.NotBefore, x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, &cert, a.cert, &key.PublicKey, a.key)
	require.NoError(t, err)
	certFile, keyFile := filepath.Join(a.dir, name+".pem"), filepath.Join(a.dir, name+".key")
	writePEM(t, keyFile, "EC PRIVATE KEY", secret)
	writePEM(t, certFile, "CERTIFICATE", der)
	return []string{"--internode-cert", certFile, "--internode-key", keyFile, "--internode-ca", a.ca, "--internode-names", "*.cairn.test"}
}

// writePEM replaces a file in one step, as everybody who renews certificates should.
func writePEM(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(name+".new", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	require.NoError(t, os.Rename(name+".new", name))
}
