package notify

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cairnstore/cairn/meta/metapb"
)

// startKafka runs brokers with the topic t.
func startKafka(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3), kfake.SeedTopics(4, "t")}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func kafkaTarget(t *testing.T, c *kfake.Cluster, scheme, options, token string) *kafka {
	ts, err := parse("r", []string{"k=" + scheme + "://" + strings.Join(c.ListenAddrs(), ",") + "/t" + options}, func(string) string { return token })
	require.NoError(t, err)
	t.Cleanup(ts.Close)
	return ts.Target(ARN("r", "k", kindKafka)).(*held).target.(*kafka)
}

// someMessages returns n events of a few keys, numbered from first on.
func someMessages(first, n int) (out []Message) {
	for i := first; i < first+n; i++ {
		out = append(out, Message{ID: strconv.Itoa(i), Key: "b/" + strconv.Itoa(i%5), Body: []byte(fmt.Sprintf(`{"n":%d}`, i))})
	}
	return out
}

// readKafka returns the first n records of the topic, by key, in their order.
func readKafka(t *testing.T, c *kfake.Cluster, n int, opts ...kgo.Opt) map[string][]string {
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	got := map[string][]string{}
	for seen := 0; seen < n; {
		fetches := client.PollFetches(ctx)
		require.NoError(t, ctx.Err(), "%d of %d records", seen, n)
		fetches.EachRecord(func(r *kgo.Record) {
			require.Equal(t, kafkaIDHeader, r.Headers[0].Key)
			require.Equal(t, `{"n":`+string(r.Headers[0].Value)+`}`, string(r.Value))
			got[string(r.Key)] = append(got[string(r.Key)], string(r.Headers[0].Value))
			seen++
		})
	}
	return got
}

// TestKafka: the events of a key are in one partition, in order, even if leaders change and brokers
// refuse for a while.
func TestKafka(t *testing.T) {
	c := startKafka(t)
	target := kafkaTarget(t, c, "kafka", "", "")
	want := map[string][]string{}
	for round := range 4 {
		switch round {
		case 1:
			for p := range int32(4) {
				require.NoError(t, c.MoveTopicPartition("t", p, (c.LeaderFor("t", p)+1)%3))
			}
		case 2:
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.LeaderNotAvailable, Count: 3},
				kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: 2})
		}
		messages := someMessages(100*round, 100)
		for _, m := range messages {
			want[m.Key] = append(want[m.Key], m.ID)
		}
		taken, err := target.Send(t.Context(), messages)
		require.NoError(t, err)
		require.Equal(t, 100, taken)
	}
	require.Equal(t, want, readKafka(t, c, 400))
}

// TestKafkaAcks: every replica in sync must have a message, and brokers recognise by its sequence a
// message that the client sends again.
func TestKafkaAcks(t *testing.T) {
	c := startKafka(t)
	seen := make(chan int16, 10)
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		select {
		case seen <- r.(*kmsg.ProduceRequest).Acks:
		default:
		}
		return nil, nil, false
	})
	// The brokers write the messages and say that they did not.
	lied := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicasAfterAppend, Count: 1})
	target := kafkaTarget(t, c, "kafka", "", "")
	taken, err := target.Send(t.Context(), someMessages(0, 10))
	require.NoError(t, err)
	require.Equal(t, 10, taken)
	require.EqualValues(t, 1, lied.Hits())
	require.EqualValues(t, -1, <-seen)
	total := int64(0)
	for _, p := range c.PartitionInfos("t") {
		total += p.HighWatermark
	}
	require.EqualValues(t, 10, total, "no message lies there twice")
}

// TestKafkaAway: brokers that are away are reported, and found again when they are back.
func TestKafkaAway(t *testing.T) {
	c := startKafka(t, kfake.NumBrokers(1))
	target := kafkaTarget(t, c, "kafka", "", "")
	_, port, err := net.SplitHostPort(c.ListenAddrs()[0])
	require.NoError(t, err)
	taken, err := target.Send(t.Context(), someMessages(0, 3))
	require.NoError(t, err)
	require.Equal(t, 3, taken)
	c.Close()
	target.timeout = 2 * time.Second
	for range 2 { // First with the old connection, then without one.
		taken, err = target.Send(t.Context(), someMessages(3, 3))
		require.Zero(t, taken)
		require.Error(t, err)
	}
	target.timeout = kafkaTimeout
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	c = startKafka(t, kfake.NumBrokers(1), kfake.Ports(n))
	taken, err = target.Send(t.Context(), someMessages(3, 3))
	require.NoError(t, err)
	require.Equal(t, 3, taken)
	require.Len(t, readKafka(t, c, 3), 3)
}

// TestKafkaRefusals: what an operator must do is said in a sentence.
func TestKafkaRefusals(t *testing.T) {
	c := startKafka(t)
	require.NoError(t, c.CreateTopic("small", 1, map[string]string{"max.message.bytes": "200"}))
	send := func(topic string, messages []Message, timeout time.Duration) (int, error) {
		target := kafkaTarget(t, c, "kafka", "", "")
		target.topic, target.timeout = topic, timeout
		return target.Send(t.Context(), messages)
	}
	_, err := send("absent", someMessages(0, 2), kafkaTimeout)
	require.ErrorContains(t, err, `no topic "absent"`)
	big := make([]byte, 5000)
	_, _ = rand.Read(big) // That no compression makes fit.
	taken, err := send("small", []Message{{ID: "1", Key: "k", Body: big}, {ID: "2", Key: "k"}}, kafkaTimeout)
	require.Zero(t, taken)
	require.ErrorContains(t, err, `topic "small" does not take an event of 5000 bytes`)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.TopicAuthorizationFailed, Count: 1})
	_, err = send("t", someMessages(0, 1), kafkaTimeout)
	require.ErrorContains(t, err, "let this user write")
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
	taken, err = send("t", someMessages(0, 3), time.Second)
	require.Zero(t, taken)
	require.ErrorContains(t, err, "within 1s")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	taken, err = kafkaTarget(t, c, "kafka", "", "").Send(ctx, someMessages(0, 1))
	require.Zero(t, taken)
	require.ErrorIs(t, err, context.Canceled)
}

// TestKafkaLogin: users of each mechanism get in over TLS, others do not, and no error has a
// password.
func TestKafkaLogin(t *testing.T) {
	certificate, ca := brokerCertificate(t)
	c := startKafka(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{certificate}}), kfake.EnableSASL(),
		kfake.Superuser("PLAIN", "p", "sesame"), kfake.Superuser("SCRAM-SHA-256", "s2", "sesame"), kfake.Superuser("SCRAM-SHA-512", "s5", "sesame"))
	for _, options := range []string{"?user=p&sasl=plain", "?user=s2&sasl=scram-sha-256", "?user=s5", "?user=s5&sasl=scram-sha-512&tls=true"} {
		taken, err := kafkaTarget(t, c, "kafkas", options+"&ca="+ca, "sesame").Send(t.Context(), someMessages(0, 5))
		require.NoError(t, err, options)
		require.Equal(t, 5, taken)
		_, err = kafkaTarget(t, c, "kafka", options+"&ca="+ca, "open-me").Send(t.Context(), someMessages(0, 1))
		require.ErrorContains(t, err, "not take this user", options) // kfake hangs up.
		require.NotContains(t, err.Error(), "open-me")
	}
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		answer := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		answer.ErrorCode = kerr.SaslAuthenticationFailed.Code // As Kafka answers.
		return answer, nil, true
	})
	_, err := kafkaTarget(t, c, "kafka", "?user=p&sasl=plain&ca="+ca, "open-me").Send(t.Context(), someMessages(0, 1))
	require.ErrorContains(t, err, "do not take this user")
	require.NotContains(t, err.Error(), "open-me")
	_, err = kafkaTarget(t, c, "kafkas", "?user=s5", "sesame").Send(t.Context(), someMessages(0, 1))
	var unknown *tls.CertificateVerificationError
	require.ErrorAs(t, err, &unknown, "without ca the brokers are nobody's")
}

// brokerCertificate returns a certificate for 127.0.0.1 and the file of its CA.
func brokerCertificate(t *testing.T) (tls.Certificate, string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, path
}

func TestKafkaURL(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.pem")
	require.NoError(t, os.WriteFile(bad, []byte("none"), 0o600))
	parseOne := func(address, token string) (*kafka, error) {
		// As from a list of settings, which is split at each comma.
		ts, err := parse("r", strings.Split("w=http://h/,k="+address+",x=http://h/", ","), func(id string) string {
			if id == "k" {
				return token
			}
			return ""
		})
		if err != nil {
			return nil, err
		}
		require.Len(t, ts.List(), 3)
		return ts.Target("arn:cairn:sqs:r:k:kafka").(*held).target.(*kafka), nil
	}
	k, err := parseOne("kafka://a:9092,b.example.com,[::1]:9093,[fe80::1],10.0.0.1/o.b_j-1", "")
	require.NoError(t, err)
	require.Equal(t, []string{"a:9092", "b.example.com:9092", "[::1]:9093", "[fe80::1]:9092", "10.0.0.1:9092"}, k.brokers)
	require.Equal(t, "o.b_j-1", k.topic)
	require.Nil(t, k.tls)
	require.Nil(t, k.sasl)
	k, err = parseOne("kafkas://a,b/t?user=u", "p")
	require.NoError(t, err)
	require.NotNil(t, k.tls)
	require.Equal(t, "SCRAM-SHA-512", k.sasl.Name())
	for address, says := range map[string]string{
		"kafka://a": "needs a topic", "kafka://a/": "needs a topic", "kafka://a/b/c": "needs a topic", "kafka:///t": "not a broker",
		"kafka://a,,b/t": "not a broker", "kafka://a:x/t": "not a broker", "kafka://u:p@a/t": "without a password", "kafka://a/t?acks=1": "none of the options",
		"kafka://a/t?tls=yes": "true or false", "kafka://a/t?ca=" + bad: "no certificate", "kafka://a/t?ca=/none.pem": "no such file",
		"kafka://a/t?user=u": "no password", "kafka://a/t?sasl=plain": "needs a user", "kafka://a/t?user=": "needs one value", "kafka://a/t?%": "not of the form",
	} {
		_, err := parseOne(address, "")
		require.ErrorContains(t, err, says, address)
	}
	_, err = parseOne("kafka://a/t", "p")
	require.ErrorContains(t, err, "no user")
	_, err = parseOne("kafka://a/t?user=u&sasl=gssapi", "p")
	require.ErrorContains(t, err, "none of plain")
}

// TestMessageKey: events of one object have one key.
func TestMessageKey(t *testing.T) {
	m, err := NewMessage(&metapb.Event{Kind: metapb.EventKind_EVENT_PUT, Bucket: "b", Key: "a/b"})
	require.NoError(t, err)
	require.Equal(t, "b/a/b", m.Key)
}
