package notify

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const natsTimeout = 10 * time.Second // To connect, and for the server to take a batch.

// natsTarget publishes to a subject. With JetStream, a stream must acknowledge each message.
// Without it, a batch counts as taken when the server has read it.
type natsTarget struct {
	url, subject, token string
	stream              bool

	conn *nats.Conn // Nil: not connected.
}

var _ Target = (*natsTarget)(nil)

func newNATS(url, subject, token string, stream bool) *natsTarget {
	return &natsTarget{url: url, subject: subject, token: token, stream: stream}
}

// Send implements Target. If it fails, the connection is closed and the next batch makes another
// one.
func (t *natsTarget) Send(ctx context.Context, messages []Message) (taken int, err error) {
	if t.conn == nil {
		options := []nats.Option{nats.Timeout(natsTimeout), nats.NoReconnect(), nats.Name("cairn")}
		if t.token != "" {
			options = append(options, nats.Token(t.token))
		}
		if t.conn, err = nats.Connect(t.url, options...); err != nil {
			t.conn = nil
			return 0, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, natsTimeout)
	defer cancel()
	if t.stream {
		taken, err = t.sendStream(ctx, messages)
	} else {
		taken, err = t.sendCore(ctx, messages)
	}
	if err != nil {
		t.Close()
	}
	return taken, err
}

func (t *natsTarget) sendCore(ctx context.Context, messages []Message) (int, error) {
	for _, m := range messages {
		if err := t.conn.PublishMsg(t.message(m)); err != nil {
			return 0, err
		}
	}
	if err := t.conn.FlushWithContext(ctx); err != nil {
		return 0, err
	}
	return len(messages), nil
}

func (t *natsTarget) sendStream(ctx context.Context, messages []Message) (taken int, err error) {
	js, err := jetstream.New(t.conn)
	if err != nil {
		return 0, err
	}
	for _, m := range messages {
		if _, err := js.PublishMsg(ctx, t.message(m)); err != nil {
			return taken, err
		}
		taken++
	}
	return taken, nil
}

// message returns the message with the ID by which a stream recognises it if it is sent again.
func (t *natsTarget) message(m Message) *nats.Msg {
	return &nats.Msg{Subject: t.subject, Data: m.Body, Header: nats.Header{jetstream.MsgIDHeader: []string{m.ID}}}
}

// Close implements Target.
func (t *natsTarget) Close() {
	if t.conn != nil {
		t.conn.Close()
		t.conn = nil
	}
}
