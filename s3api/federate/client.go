package federate

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/rpc"
)

const (
	// MaxIssuerBytes bounds the URL of an issuer.
	MaxIssuerBytes = 1024
	maxRedirects   = 3
)

// CheckIssuer returns an error if a URL cannot be that of an issuer. Only a provider on the node
// itself may be asked in clear. Errors: Invalid.
func CheckIssuer(issuer string) error {
	const op = "federate.CheckIssuer"
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		len(issuer) > MaxIssuerBytes:
		return errs.Newf(op, errs.Invalid, "the issuer must be a URL such as https://idp.example.com/realm, as "+
			"tokens have it in iss, without user, query and fragment")
	case !mayAsk(u, u):
		return errs.Newf(op, errs.Invalid, "the issuer must begin with https:// unless it is on this host itself")
	}
	return nil
}

// mayAsk reports whether a provider with an issuer may be asked at a URL.
func mayAsk(issuer, u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && loopback(u) && loopback(issuer)
}

func loopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// CheckCA returns an error if a text has no certificates. Errors: Invalid.
func CheckCA(pem string) error {
	if pem != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(pem)) {
		return errs.Newf("federate.CheckCA", errs.Invalid, "the file of certificates has none in PEM form")
	}
	return nil
}

// newClient returns the client by which a provider is asked.
func newClient(p *Provider) (*http.Client, error) {
	issuer, err := url.Parse(p.Issuer)
	if err != nil {
		return nil, errs.New("federate.newClient", errs.Invalid, err)
	}
	t := rpc.Outbound()
	if p.CAPEM != "" {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(p.CAPEM))
		t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	t.MaxIdleConnsPerHost, t.MaxConnsPerHost = 1, 2
	return &http.Client{Transport: &bounded{t, issuer}, Timeout: AskTimeout,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("more than %d redirects", maxRedirects)
			}
			return nil
		}}, nil
}

// bounded asks only where it may, and bounds answers.
type bounded struct {
	next   *http.Transport
	issuer *url.URL
}

// RoundTrip implements http.RoundTripper.
func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if !mayAsk(b.issuer, r.URL) {
		return nil, errors.New("a URL that does not begin with https:// is not asked")
	}
	resp, err := b.next.RoundTrip(r)
	if err == nil {
		resp.Body = &limited{resp.Body, MaxDocumentBytes}
	}
	return resp, err
}

// CloseIdleConnections serves http.Client.
func (b *bounded) CloseIdleConnections() { b.next.CloseIdleConnections() }

// limited is a body that fails when it is longer than it may be.
type limited struct {
	io.ReadCloser
	left int
}

// Read implements io.Reader.
func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("a document with more than %d bytes", MaxDocumentBytes)
	}
	n, err := l.ReadCloser.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}
