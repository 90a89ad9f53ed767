package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
)

const (
	kafkaTimeout        = 10 * time.Second // To connect, and for the brokers to take a batch.
	kafkaTopicRetries   = 1                // How often a topic that was not found is looked for again.
	kafkaMetadataMinAge = 250 * time.Millisecond
	kafkaIDHeader       = "cairn-event-id"
)

// kafka produces to a topic. A message counts as taken when every replica in sync has it. Its key
// is the object, so that the events of an object are in one partition, in order. A retry inside a
// connection makes no second copy.
type kafka struct {
	brokers []string
	topic   string
	tls     *tls.Config    // Nil: in clear.
	sasl    sasl.Mechanism // Nil: without a login.
	timeout time.Duration

	client *kgo.Client // Nil: not connected.
}

var _ Target = (*kafka)(nil)

// Send implements Target. If it fails, the client is closed and the next batch makes another one:
// messages that are still under way are sent again anyway, and what the client knows of the brokers
// may be old.
func (t *kafka) Send(ctx context.Context, messages []Message) (taken int, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	if t.client == nil {
		if err := t.connect(ctx); err != nil {
			t.Close()
			return 0, t.explain(err, 0)
		}
	}
	errs := t.produce(ctx, messages)
	for taken < len(errs) && errs[taken] == nil {
		taken++
	}
	if taken == len(messages) {
		return taken, nil
	}
	t.Close()
	if err := context.Cause(ctx); errors.Is(err, context.DeadlineExceeded) {
		return taken, fmt.Errorf("the brokers did not take the events of topic %q within %v", t.topic, t.timeout)
	}
	return taken, t.explain(errs[taken], len(messages[taken].Body))
}

// connect makes a client and asks a broker for something. Left alone, a client would try for ever
// and not say what is wrong.
func (t *kafka) connect(ctx context.Context) (err error) {
	options := []kgo.Opt{kgo.SeedBrokers(t.brokers...), kgo.ClientID("cairn"), kgo.DialTimeout(t.timeout),
		kgo.RequiredAcks(kgo.AllISRAcks()),                   // It is also idempotent, by default.
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), // As Kafka's own clients do.
		kgo.UnknownTopicRetries(kafkaTopicRetries), kgo.MetadataMinAge(kafkaMetadataMinAge), kgo.ProducerLinger(0), kgo.DisableClientMetrics()}
	if t.tls != nil {
		options = append(options, kgo.DialTLSConfig(t.tls))
	}
	if t.sasl != nil {
		options = append(options, kgo.SASL(t.sasl))
	}
	if t.client, err = kgo.NewClient(options...); err != nil {
		return err
	}
	return t.client.Ping(ctx)
}

// produce sends messages and returns the result of each. A message that was sent waits for its
// answer even after ctx ends, so the client is closed then.
func (t *kafka) produce(ctx context.Context, messages []Message) []error {
	errs := make([]error, len(messages))
	var wg sync.WaitGroup
	wg.Add(len(messages))
	stop := context.AfterFunc(ctx, t.client.Close)
	defer func() {
		if !stop() {
			t.Close() // The client is closed, perhaps after the last answer came.
		}
	}()
	for i, m := range messages {
		record := &kgo.Record{Topic: t.topic, Key: []byte(m.Key), Value: m.Body, Headers: []kgo.RecordHeader{{Key: kafkaIDHeader, Value: []byte(m.ID)}}}
		t.client.Produce(ctx, record, func(_ *kgo.Record, err error) {
			errs[i] = err
			wg.Done()
		})
	}
	wg.Wait()
	return errs
}

// explain adds to an error what an operator can do about it; size is that of the message.
func (t *kafka) explain(err error, size int) error {
	for _, c := range []struct {
		is   error
		says string
	}{
		{kerr.UnknownTopicOrPartition, fmt.Sprintf("the brokers have no topic %q: create it", t.topic)},
		{kerr.MessageTooLarge, fmt.Sprintf("topic %q does not take an event of %d bytes: raise its max.message.bytes", t.topic, size)},
		{kerr.TopicAuthorizationFailed, fmt.Sprintf("the brokers do not let this user write to topic %q", t.topic)},
		{kerr.SaslAuthenticationFailed, "the brokers do not take this user with the password of the file of tokens"},
		{kerr.UnsupportedSaslMechanism, "the brokers do not know this SASL mechanism: set sasl=plain, scram-sha-256 or scram-sha-512"},
		{io.EOF, "the brokers close the connection: they may want TLS (kafkas://), or not take this user with its password"},
	} {
		if errors.Is(err, c.is) {
			return fmt.Errorf("%s: %w", c.says, err)
		}
	}
	return err
}

// Close implements Target.
func (t *kafka) Close() {
	if t.client != nil {
		t.client.Close()
		t.client = nil
	}
}
