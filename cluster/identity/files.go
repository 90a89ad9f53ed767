package identity

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
)

// reloadCheckEvery is how often at most the files are looked at, on a handshake.
const reloadCheckEvery = time.Second

// ReloadOption says how certificate files are reloaded.
type ReloadOption func(*pemFiles)

// OnReload has f called after each reload: nil when changed files are in use, the
// error when they could not be read and the old ones stay in use. It must not
// block.
func OnReload(f func(error)) ReloadOption { return func(p *pemFiles) { p.onReload = f } }

// Load returns an identity whose certificates the operator made: PEM files of this
// node's chain, its key, and the authorities to believe. All nodes must be signed
// by those; the certificate must allow server and client authentication and have the
// URI cairn://node/<node id>, or one of Names: other certificates of the same
// authorities are no nodes'. PeerNode works where it has the URI. Changed files are taken up by the next handshake. The
// cluster key is still needed: gossip is encrypted with it.
func Load(certFile, keyFile, caFile string, node cluster.NodeID, keys Keys, opts ...ReloadOption) (*Identity, error) {
	files, err := openFiles(certFile, keyFile, caFile, opts)
	if err != nil {
		return nil, errs.New("identity.Load", errs.Invalid, err)
	}
	cert, err := files.certificate()
	if err != nil {
		return nil, errs.New("identity.Load", errs.Invalid, err)
	}
	if err := files.usable(cert); err != nil {
		return nil, errs.New("identity.Load", errs.Invalid, err)
	}
	cs := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert.Leaf}}
	if err := checkNode(cert.Leaf, files.names); err != nil {
		return nil, errs.Newf("identity.Load", errs.Invalid, "%s: %w: issue it with that URI (this is node %s), or list a DNS name or URI of it on all nodes",
			certFile, err, node)
	}
	if named, err := PeerNode(cs); err == nil && named != node {
		return nil, errs.Newf("identity.Load", errs.Invalid, "certificate %s is that of node %s, this is node %s",
			certFile, named, node)
	}
	return newIdentity(keys, files), nil
}

// usable says in a sentence why peers with the same authorities would refuse a
// certificate.
func (p *pemFiles) usable(cert *tls.Certificate) error {
	opts := x509.VerifyOptions{Roots: p.roots(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	for _, der := range cert.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			opts.Intermediates.AddCert(c)
		}
	}
	if _, err := cert.Leaf.Verify(opts); err != nil {
		return fmt.Errorf("certificate %s is not signed by the authorities in %s: %w", p.cert, p.ca, err)
	}
	for _, use := range []struct {
		name  string
		usage x509.ExtKeyUsage
	}{{"server", x509.ExtKeyUsageServerAuth}, {"client", x509.ExtKeyUsageClientAuth}} {
		opts.KeyUsages = []x509.ExtKeyUsage{use.usage}
		if _, err := cert.Leaf.Verify(opts); err != nil {
			return fmt.Errorf("certificate %s may not be used for %s authentication; between nodes each is both: "+
				"issue it with the extended key usages serverAuth and clientAuth", p.cert, use.name)
		}
	}
	return nil
}

// LoadServerCert returns the configuration of a listener for clients (TLS 1.2 and
// later, HTTP/1.1 first) with the given chain and key in PEM. Changed files are taken
// up by the next handshake.
func LoadServerCert(certFile, keyFile string, opts ...ReloadOption) (*tls.Config, error) {
	files, err := openFiles(certFile, keyFile, "", opts)
	if err != nil {
		return nil, errs.New("identity.LoadServerCert", errs.Invalid, err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"}, // HTTP/2 costs nearly twice the CPU for bulk bytes.
		// Objects are bulk bytes: full records from the start, one for a small object.
		DynamicRecordSizingDisabled: true,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return files.certificate()
		},
	}, nil
}

// pemFiles are a certificate, its key and perhaps authorities, as files.
type pemFiles struct {
	cert, key, ca string // ca may be empty.
	names         []string
	member        func(cluster.NodeID) error // Nil: any node is.
	onReload      func(error)

	mu      sync.Mutex
	checked time.Time
	seen    [3]os.FileInfo // Of cert, key and ca when they were read.
	current *tls.Certificate
	pool    *x509.CertPool
}

func openFiles(cert, key, ca string, opts []ReloadOption) (*pemFiles, error) {
	p := &pemFiles{cert: cert, key: key, ca: ca}
	for _, o := range opts {
		o(p)
	}
	seen, err := p.stat()
	if err != nil {
		return nil, err
	}
	if err := p.read(); err != nil {
		return nil, err
	}
	p.seen, p.checked = seen, time.Now()
	return p, nil
}

func (p *pemFiles) checkPeer(cert *x509.Certificate) error { return checkPeer(cert, p.names, p.member) }

func (p *pemFiles) certificate() (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refreshLocked()
	return p.current, nil
}

func (p *pemFiles) roots() *x509.CertPool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refreshLocked()
	return p.pool
}

// refreshLocked reads the files again if they changed. Half-replaced files do not
// fit together; then the old ones stay, until a later look.
func (p *pemFiles) refreshLocked() {
	if time.Since(p.checked) < reloadCheckEvery {
		return
	}
	p.checked = time.Now()
	seen, err := p.stat()
	if err == nil && sameFiles(seen, p.seen) {
		return
	}
	if err == nil {
		err = p.read()
	}
	if err == nil {
		p.seen = seen
	}
	if p.onReload != nil {
		p.onReload(err)
	}
}

// read takes the files up, all of them or none.
func (p *pemFiles) read() error {
	cert, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", p.cert, p.key, err)
	}
	if now := time.Now(); now.After(cert.Leaf.NotAfter) {
		return fmt.Errorf("certificate %s expired on %s", p.cert, cert.Leaf.NotAfter.Format(time.RFC3339))
	}
	var pool *x509.CertPool
	if p.ca != "" {
		text, err := os.ReadFile(p.ca)
		if err != nil {
			return fmt.Errorf("CA file: %w", err)
		}
		pool = x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return fmt.Errorf("CA file %s holds no PEM certificate", p.ca)
		}
	}
	p.current, p.pool = &cert, pool
	return nil
}

func (p *pemFiles) stat() (seen [3]os.FileInfo, err error) {
	for i, name := range []string{p.cert, p.key, p.ca} {
		if name == "" {
			continue
		}
		info, statErr := os.Stat(name)
		if statErr != nil {
			err = errors.Join(err, statErr)
			continue
		}
		seen[i] = info
	}
	return seen, err
}

func sameFiles(a, b [3]os.FileInfo) bool {
	for i := range a {
		if a[i] == nil || b[i] == nil {
			if a[i] != b[i] {
				return false
			}
			continue
		}
		if !os.SameFile(a[i], b[i]) || a[i].Size() != b[i].Size() || !a[i].ModTime().Equal(b[i].ModTime()) {
			return false
		}
	}
	return true
}
