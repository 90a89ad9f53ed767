package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
)

const (
	localCALife   = 10 * 365 * 24 * time.Hour
	localCertLife = 397 * 24 * time.Hour // What strict clients accept at most.
	localRenew    = 30 * 24 * time.Hour  // Left to live when a new one is made.
)

// LocalCA returns the files of a certificate for S3 listeners, for development and small clusters, and of
// the CA that signed it, all under dir; it makes those that are missing, about to
// expire, or not valid for the hosts asked for. The certificate is for localhost,
// 127.0.0.1, ::1 and hosts; a name stands for its subdomains too, where buckets
// are addressed as virtual hosts.
func LocalCA(dir string, hosts []string) (caFile, certFile, keyFile string, err error) {
	caFile, certFile = filepath.Join(dir, "ca.crt"), filepath.Join(dir, "server.crt")
	keyFile = filepath.Join(dir, "server.key")
	err = makeLocalFiles(dir, caFile, certFile, keyFile, append([]string{"localhost", "127.0.0.1", "::1"}, hosts...))
	if err != nil {
		return "", "", "", errs.New("identity.LocalCA", errs.KindOf(err), err)
	}
	return caFile, certFile, keyFile, nil
}

func makeLocalFiles(dir, caFile, certFile, keyFile string, hosts []string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	names, ips, err := namesOf(hosts)
	if err != nil {
		return err
	}
	ca, err := localAuthority(caFile, filepath.Join(dir, "ca.key"))
	if err != nil {
		return err
	}
	if old, err := tls.LoadX509KeyPair(certFile, keyFile); err == nil && certFits(old.Leaf, ca.Leaf, names, ips) {
		return nil
	}
	now := time.Now()
	return writePair(certFile, keyFile, ca, &x509.Certificate{
		Subject:   pkix.Name{CommonName: "Cairn"},
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(localCertLife),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    names, IPAddresses: ips,
	})
}

// localAuthority reads the CA under the given names, or makes one.
func localAuthority(certFile, keyFile string) (tls.Certificate, error) {
	ca, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err == nil && time.Until(ca.Leaf.NotAfter) > localRenew {
		return ca, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ca, fmt.Errorf("the CA %s and %s cannot be used (%w); remove both files to make new ones",
			certFile, keyFile, err)
	}
	now := time.Now()
	err = writePair(certFile, keyFile, tls.Certificate{}, &x509.Certificate{
		Subject:   pkix.Name{CommonName: "Cairn CA"},
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(localCALife),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	})
	if err != nil {
		return ca, err
	}
	return tls.LoadX509KeyPair(certFile, keyFile)
}

// namesOf sorts hosts into names, each with its wildcard, and addresses.
func namesOf(hosts []string) (names []string, ips []net.IP, err error) {
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			ips = append(ips, ip)
			continue
		}
		base := strings.ToLower(strings.TrimPrefix(h, "*."))
		if base == "" || strings.ContainsAny(base, "*/:@ ") {
			return nil, nil, errs.Newf("identity.LocalCA", errs.Invalid, "%q is neither a host name nor an address", h)
		}
		names = append(names, base, "*."+base)
	}
	return names, ips, nil
}

func certFits(cert, ca *x509.Certificate, names []string, ips []net.IP) bool {
	if cert.CheckSignatureFrom(ca) != nil || time.Until(cert.NotAfter) < localRenew {
		return false
	}
	for _, n := range names {
		if cert.VerifyHostname(strings.Replace(n, "*", "any-bucket", 1)) != nil {
			return false
		}
	}
	for _, ip := range ips {
		if cert.VerifyHostname(ip.String()) != nil {
			return false
		}
	}
	return true
}

// writePair makes a key and a certificate from template, signed by ca or, where
// that is empty, by itself. P-256, since old clients know it.
func writePair(certFile, keyFile string, ca tls.Certificate, template *x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return err
	}
	parent, signer := template, any(key)
	if ca.Leaf != nil {
		parent, signer = ca.Leaf, ca.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(keyFile, "PRIVATE KEY", keyDER, 0o600); err != nil {
		return err
	}
	return writePEM(certFile, "CERTIFICATE", der, 0o644)
}

// writePEM replaces a file at once, so that a reader never sees half of it.
func writePEM(name, kind string, der []byte, mode fs.FileMode) error {
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.Remove(name + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // An old one would keep its mode.
	}
	if err := os.WriteFile(name+".new", text, mode); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
