package identity

import (
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/cairnstore/cairn/cluster"
)

// Names returns the option that peers with own certificates may show other names than
// the URI of a node: DNS names, whose first label may be *, and URIs, which may end
// with *.
func Names(names []string) ReloadOption { return func(p *pemFiles) { p.names = names } }

// CheckName returns what is wrong with a name for Names.
func CheckName(name string) error {
	fixed := strings.TrimPrefix(name, "*.")
	if strings.Contains(name, ":") {
		fixed = strings.TrimSuffix(name, "*")
		if scheme, rest, _ := strings.Cut(fixed, "://"); scheme == "" || strings.Trim(rest, "/") == "" {
			return fmt.Errorf("%q would take in any URI: write SCHEME://HOST/… before a *", name)
		}
	}
	if fixed == "" || strings.ContainsAny(fixed, "* ,") {
		return fmt.Errorf("%q is neither a DNS name (its first label may be *) nor a URI (which may end with *)", name)
	}
	return nil
}

// Members returns the option that a peer whose certificate has the URI of a node must be
// one of the cluster's: member returns why a node is none, nil where it is one. It is
// asked at each handshake, also where a session is resumed: it must be quick, and safe
// for concurrent use. An authority may have signed the URI of any node.
func Members(member func(cluster.NodeID) error) ReloadOption {
	return func(p *pemFiles) { p.member = member }
}

// checkPeer returns why the certificate of a peer is none of a node of this cluster.
func checkPeer(cert *x509.Certificate, names []string, member func(cluster.NodeID) error) error {
	if err := checkNode(cert, names); err != nil || member == nil {
		return err
	}
	id, err := nodeOf(cert)
	if err != nil || named(cert, names) {
		return nil // The name makes it one.
	}
	return member(id)
}

// checkNode returns why a certificate of the cluster's authorities is not one of a node. An
// authority may sign much besides: a certificate that says nothing of a node is not
// one of a node.
func checkNode(cert *x509.Certificate, names []string) error {
	if _, err := nodeOf(cert); err == nil {
		return nil
	}
	if named(cert, names) {
		return nil
	}
	return fmt.Errorf("the certificate of %q has neither the URI cairn://node/NODE-ID nor a name of --internode-names, so it is not one of a node",
		cert.Subject.CommonName)
}

// named reports whether a certificate has one of the names.
func named(cert *x509.Certificate, names []string) bool {
	for _, name := range names {
		for _, dns := range cert.DNSNames {
			if matchDNS(name, dns) {
				return true
			}
		}
		for _, uri := range cert.URIs {
			if matchURI(name, uri.String()) {
				return true
			}
		}
	}
	return false
}

func matchDNS(pattern, name string) bool {
	if rest, wild := strings.CutPrefix(pattern, "*."); wild {
		_, parent, ok := strings.Cut(name, ".")
		return ok && strings.EqualFold(parent, rest)
	}
	return strings.EqualFold(pattern, name)
}

func matchURI(pattern, uri string) bool {
	if prefix, wild := strings.CutSuffix(pattern, "*"); wild && strings.Contains(pattern, ":") {
		return strings.HasPrefix(uri, prefix)
	}
	return pattern == uri
}
