package identity

import (
	"crypto/x509"
	"fmt"
	"strings"
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

// checkNode returns why a certificate of the cluster's authorities is not one of a node. An
// authority may sign much besides: a certificate that says nothing of a node is not
// one of a node.
func checkNode(cert *x509.Certificate, names []string) error {
	if _, err := nodeOf(cert); err == nil {
		return nil
	}
	for _, name := range names {
		for _, dns := range cert.DNSNames {
			if matchDNS(name, dns) {
				return nil
			}
		}
		for _, uri := range cert.URIs {
			if matchURI(name, uri.String()) {
				return nil
			}
		}
	}
	return fmt.Errorf("the certificate of %q has neither the URI cairn://node/NODE-ID nor a name of --internode-names, so it is not one of a node",
		cert.Subject.CommonName)
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
