package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/cairnstore/cairn/cluster/rpc"
)

// Limits of requests to the URL.
const (
	httpTimeout  = 10 * time.Second
	firstPause   = 500 * time.Millisecond
	longestPause = 30 * time.Second
	answerBytes  = 1 << 10 // How much of an answer is read.
)

// HTTPConfig describes a URL to which batches of records are posted, as lines of JSON
// (application/x-ndjson). If there is no answer, or it is 408, 429 or 5xx, the batch is sent again,
// after growing pauses. A redirect is not followed and is treated in the same way. After any other
// answer but 2xx the batch is dropped.
type HTTPConfig struct {
	URL string
	// TokenFile has a token that is sent as "Authorization: Bearer". It is read for each request,
	// so that it may be changed. Empty: none is sent.
	TokenFile string
	Transport http.RoundTripper // Nil: one that trusts the system's authorities.
}

// httpTarget is the target that HTTPConfig describes.
type httpTarget struct {
	c      HTTPConfig
	client *http.Client
}

var _ target = (*httpTarget)(nil)

// CheckURL returns what is wrong with a URL as a target; nil if nothing is.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return errors.New("it is not of the form http://HOST:PORT/PATH or https://…")
	}
	if u.User != nil {
		return errors.New("it holds a password: give a token in a file instead")
	}
	return nil
}

func newHTTP(c HTTPConfig) (*httpTarget, error) {
	if err := CheckURL(c.URL); err != nil {
		return nil, err
	}
	if c.Transport == nil {
		c.Transport = rpc.Outbound()
	}
	return &httpTarget{c: c, client: &http.Client{Transport: c.Transport, Timeout: httpTimeout, CheckRedirect: rpc.NoRedirect}}, nil
}

func (h *httpTarget) name() string { return "http" }

// write implements target. It tries until the batch is taken or refused, or ctx ends.
func (h *httpTarget) write(ctx context.Context, batch []byte, late func(error)) error {
	pause := firstPause
	for {
		again, err := h.post(ctx, batch)
		if err == nil || !again {
			return err
		}
		late(err)
		t := time.NewTimer(pause/2 + rand.N(pause/2+1))
		select {
		case <-ctx.Done():
			t.Stop()
			return err
		case <-t.C:
		}
		pause = min(2*pause, longestPause)
	}
}

// post sends a batch once. It reports whether it may be sent again.
func (h *httpTarget) post(ctx context.Context, batch []byte) (again bool, _ error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.c.URL, bytes.NewReader(batch))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	if h.c.TokenFile != "" {
		token, err := os.ReadFile(h.c.TokenFile)
		if err != nil {
			return true, err
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return true, withoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.CopyN(io.Discard, resp.Body, answerBytes) // So that the connection can be used again.
	switch s := resp.StatusCode; {
	case s >= 200 && s < 300:
		return false, nil
	case s == http.StatusRequestTimeout, s == http.StatusTooManyRequests, s >= 500, s >= 300 && s < 400:
		return true, fmt.Errorf("the URL answers %s", resp.Status)
	}
	return false, fmt.Errorf("the URL refuses records: %s", resp.Status)
}

// withoutURL returns an error without the URL, whose query may have a secret.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func (h *httpTarget) close() error {
	h.client.CloseIdleConnections()
	return nil
}
