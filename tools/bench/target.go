package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// spec says how a server is reached, and which processes are its own.
type spec struct {
	name           string
	urls           []*url.URL
	ca             string // File with the certificate of the authority; "": the system's authorities.
	access, secret string
	procs          processes
	remark         string // What one must know of it before figures are compared.
}

// parseTarget reads the words of a -target flag.
func parseTarget(text string, env func(string) string) (spec, error) {
	t := spec{access: env("AWS_ACCESS_KEY_ID"), secret: env("AWS_SECRET_ACCESS_KEY")}
	words := strings.Fields(text)
	if len(words) == 0 {
		return t, errors.New("want NAME=URL and more words")
	}
	name, first, ok := strings.Cut(words[0], "=")
	if !ok || name == "" {
		return t, fmt.Errorf("%q is not of the form NAME=URL", words[0])
	}
	t.name = name
	if err := t.word(first); err != nil {
		return t, err
	}
	for _, w := range words[1:] {
		if err := t.word(w); err != nil {
			return t, err
		}
	}
	if len(t.urls) == 0 || t.access == "" || t.secret == "" {
		return t, fmt.Errorf("target %s needs a URL, and access= and secret= or "+
			"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment", name)
	}
	return t, nil
}

// word takes one word of a target: a URL or KEY=VALUE.
func (t *spec) word(w string) (err error) {
	if strings.Contains(w, "://") {
		u, err := url.Parse(w)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
			return fmt.Errorf("%q is not of the form http://HOST:PORT or https://HOST:PORT", w)
		}
		t.urls = append(t.urls, u)
		return nil
	}
	key, value, _ := strings.Cut(w, "=")
	switch key {
	case "ca":
		t.ca = value
	case "access":
		t.access = value
	case "secret":
		t.secret = value
	case "pids":
		t.procs, err = parseProcesses(value)
	default:
		return fmt.Errorf("a word that begins with %q says nothing of a target; "+
			"want a URL, ca=, access=, secret= or pids=", key)
	}
	return err
}

// secure reports whether requests go over TLS.
func (t *spec) secure() bool { return t.urls[0].Scheme == "https" }

// connections is how many connections stay open to a server: as many as the row with the most clients
// has.
const connections = 64

// idleTimeout is shorter than the time after which servers close an idle connection. If one were closed
// under a request, that would count as an error.
const idleTimeout = 20 * time.Second

// socketBytes is how much is read or written at once. A client with small buffers would spend its time
// in system calls, and it shares the machine with the server.
const socketBytes = 256 << 10

// httpClient returns a client that trusts the authority of the target. It speaks HTTP/1.1, as S3
// clients do, and asks for no compression.
func (t *spec) httpClient() (*http.Client, error) {
	transport := &http.Transport{
		TLSClientConfig:     &tls.Config{},
		TLSNextProto:        map[string]func(string, *tls.Conn) http.RoundTripper{},
		DisableCompression:  true,
		MaxIdleConnsPerHost: connections,
		IdleConnTimeout:     idleTimeout,
		ReadBufferSize:      socketBytes,
		WriteBufferSize:     socketBytes,
	}
	if t.ca != "" {
		pem, err := os.ReadFile(t.ca)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", t.ca)
		}
	}
	return &http.Client{Transport: transport}, nil
}

// target is a server under measurement.
type target struct {
	spec
	*client
	sdk    *sdk
	settle time.Duration
	ready  map[string]bool   // What was prepared there by once.
	ids    map[string]string // The ids of versions, by key and number.
	coarse string            // Why a peak of memory may be that of an earlier row; "": it is not.
}

func newTarget(s spec, o options) (*target, error) {
	h, err := s.httpClient()
	if err != nil {
		return nil, fmt.Errorf("target %s: %w", s.name, err)
	}
	return &target{
		spec: s, settle: o.settle, client: newClient(s, h, o.bucket), sdk: newSDK(s, h, o.bucket),
		ready: map[string]bool{}, ids: map[string]string{},
	}, nil
}

// once prepares what rows share, unless it was prepared under this name before.
func (t *target) once(name string, make func() error) error {
	if t.ready[name] {
		return nil
	}
	if err := make(); err != nil {
		return fmt.Errorf("prepare %s: %w", name, err)
	}
	t.ready[name] = true
	return nil
}
