package sigauth_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

// secrets is Keys over a map.
type secrets map[string]string

func (s secrets) Lookup(_ context.Context, accessKey, token string) (sigauth.Credential, error) {
	secret, ok := s[accessKey]
	if !ok {
		return sigauth.Credential{}, errs.New("secrets.Lookup", errs.NotFound, nil)
	}
	if token != "" {
		return sigauth.Credential{}, errs.New("secrets.Lookup", errs.Denied, nil)
	}
	return sigauth.Credential{AccessKey: accessKey, Secret: secret, Subject: "subject of " + accessKey}, nil
}

const (
	exampleKey    = "AKIAIOSFODNN7EXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

func verifier() *sigauth.Verifier {
	return sigauth.New(sigauth.Config{Keys: secrets{
		exampleKey: exampleSecret, "AKIACAIRNEXAMPLE": "cairn/secret+key", "a/b": "slashed",
	}, Region: "eu-de"})
}

// at runs f in a bubble whose clock shows when.
func at(t *testing.T, when time.Time, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(when))
		f(t)
	})
}

type header struct{ name, value string }

// wire is a request as it crosses the network.
type wire struct {
	method, target, host string
	headers              []header
	body                 []byte
	chunked              bool // Transfer-Encoding.
}

// parse reads the request as net/http's server does.
func (w *wire) parse(t testing.TB) *http.Request {
	t.Helper()
	r, err := w.read()
	require.NoError(t, err)
	return r
}

func (w *wire) read() (*http.Request, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", w.method, w.target, w.host)
	length := false
	for _, h := range w.headers {
		length = length || strings.EqualFold(h.name, "content-length")
		if !strings.EqualFold(h.name, "transfer-encoding") {
			fmt.Fprintf(&b, "%s: %s\r\n", h.name, h.value)
		}
	}
	switch {
	case w.chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		c := httputil.NewChunkedWriter(&b)
		_, _ = c.Write(w.body)
		_ = c.Close()
		b.WriteString("\r\n")
	case length || len(w.body) == 0:
		b.WriteString("\r\n")
		b.Write(w.body)
	default:
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n", len(w.body))
		b.Write(w.body)
	}
	return http.ReadRequest(bufio.NewReader(&b))
}

func (w *wire) set(name, value string) {
	for i := range w.headers {
		if strings.EqualFold(w.headers[i].name, name) {
			w.headers[i].value = value
			return
		}
	}
	w.headers = append(w.headers, header{name, value})
}

// fromClient turns a client's request into its wire form.
func fromClient(r *http.Request, body []byte) *wire {
	w := &wire{method: r.Method, target: r.URL.RequestURI(), host: r.Host, body: body}
	if w.host == "" {
		w.host = r.URL.Host
	}
	for name, values := range r.Header {
		for _, v := range values {
			w.headers = append(w.headers, header{name, v})
		}
	}
	return w
}

// outcome verifies a request and reads its body, and returns the plaintext.
func outcome(v *sigauth.Verifier, r *http.Request) (*sigauth.Request, []byte, error) {
	req, err := v.Verify(r)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(req.Body)
	return req, body, err
}

// codeOf returns the code of an error, which must be one of package wirexml.
func codeOf(t testing.TB, err error) s3err.Code {
	t.Helper()
	if err == nil {
		return ""
	}
	var e *s3err.Error
	if !errors.As(err, &e) {
		t.Fatalf("not a *s3err.Error: %v", err)
	}
	if _, ok := s3err.Table[e.Code]; !ok {
		t.Fatalf("code %s is not in the table", e.Code)
	}
	return e.Code
}

func mustURL(t testing.TB, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	return u
}
