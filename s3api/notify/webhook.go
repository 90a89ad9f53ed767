package notify

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/cairnstore/cairn/cluster/rpc"
)

const (
	webhookTimeout   = 10 * time.Second // Of one message.
	webhookBodyBytes = 64 << 10         // How much of an answer is read, so that the connection can be used again.
)

// webhook posts each message to a URL. An answer of 2xx takes the message. Redirects are not
// followed: the token is only for the URL that the operator named, and a POST that a redirect turns
// into a GET would lose the message.
type webhook struct {
	url, token string
	client     *http.Client
}

var _ Target = (*webhook)(nil)

func newWebhook(url, token string) *webhook {
	return &webhook{url: url, token: token, client: &http.Client{Timeout: webhookTimeout, CheckRedirect: rpc.NoRedirect,
		Transport: rpc.Outbound()}}
}

// Send implements Target.
func (w *webhook) Send(ctx context.Context, messages []Message) (taken int, err error) {
	for _, m := range messages {
		if err := w.post(ctx, m); err != nil {
			return taken, err
		}
		taken++
	}
	return taken, nil
}

func (w *webhook) post(ctx context.Context, m Message) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(m.Body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Cairn-Event-Id", m.ID)
	if w.token != "" {
		r.Header.Set("Authorization", "Bearer "+w.token)
	}
	answer, err := w.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(answer.Body, webhookBodyBytes)); err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the webhook answers %s", answer.Status)
	}
	return nil
}

// Close implements Target.
func (w *webhook) Close() { w.client.CloseIdleConnections() }
