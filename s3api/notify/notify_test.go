package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func allKnown(string) bool { return true }

// TestRules: what rules ask of the state machine, and which rules are refused.
func TestRules(t *testing.T) {
	rule := func(id, prefix, suffix string, events ...string) wirexml.NotificationRule {
		return wirexml.NotificationRule{ID: id, Target: "arn:t", Prefix: prefix, Suffix: suffix, Events: events}
	}
	doc := func(rules ...wirexml.NotificationRule) *wirexml.Notification {
		return &wirexml.Notification{Rules: rules}
	}
	got, err := Rules(doc(rule("", "a", ".jpg", "s3:ObjectCreated:*", "s3:ObjectAcl:Put"), rule("2", "", "", "s3:ObjectRemoved:Delete")), allKnown)
	require.NoError(t, err)
	require.NotEmpty(t, got.Rules[0].Id)
	require.EqualValues(t, 1<<metapb.EventKind_EVENT_PUT|1<<metapb.EventKind_EVENT_POST|1<<metapb.EventKind_EVENT_COPY|
		1<<metapb.EventKind_EVENT_COMPLETE|1<<metapb.EventKind_EVENT_ACL_PUT, got.Rules[0].Kinds)
	for name, c := range map[string]struct {
		doc  *wirexml.Notification
		says string
	}{
		"an event that is none": {doc(rule("1", "", "", "s3:ObjectCreated:Append")), "is not supported"},
		"half a name":           {doc(rule("1", "", "", "s3:Object*")), "is not supported"},
		"one ID twice":          {doc(rule("1", "a", "", "s3:ObjectCreated:Put"), rule("1", "b", "", "s3:ObjectCreated:Put")), "Same ID"},
		"overlap":               {doc(rule("1", "a", ".x", "s3:ObjectCreated:Put"), rule("2", "ab", "", "s3:ObjectCreated:*")), "overlap"},
	} {
		_, err := Rules(c.doc, allKnown)
		require.ErrorContains(t, err, c.says, name)
	}
	_, err = Rules(doc(rule("1", "a", "", "s3:ObjectCreated:Put"), rule("2", "b", "", "s3:ObjectCreated:Put"), rule("3", "a", "", "s3:ObjectRemoved:*")), allKnown)
	require.NoError(t, err)
	_, err = Rules(doc(rule("1", "", "", "s3:ObjectCreated:Put")), func(string) bool { return false })
	require.ErrorContains(t, err, "Unable to validate")
	require.Len(t, kinds, len(metapb.EventKind_name)-2, "every event but none and the test has a name")
}

func TestMessage(t *testing.T) {
	m, err := NewMessage(&metapb.Event{Kind: metapb.EventKind_EVENT_PUT, Rule: "r", Bucket: "b", BucketOwner: "o", Region: "x", Key: "a b/ü",
		Size: 5, Etag: "e", TimeMs: 1700000000123, Index: 255, Number: 1, Versioned: true,
		Origin: &metapb.Origin{Principal: "p", SourceIp: "192.0.2.1", RequestId: "q"}})
	require.NoError(t, err)
	require.JSONEq(t, `{"EventName":"s3:ObjectCreated:Put","Key":"b/a b/ü","Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"x",
		"eventTime":"2023-11-14T22:13:20.123Z","eventName":"ObjectCreated:Put","userIdentity":{"principalId":"p"},
		"requestParameters":{"sourceIPAddress":"192.0.2.1"},"responseElements":{"x-amz-request-id":"q"},
		"s3":{"s3SchemaVersion":"1.0","configurationId":"r","bucket":{"name":"b","ownerIdentity":{"principalId":"o"},"arn":"arn:aws:s3:::b"},
		"object":{"key":"a+b%2F%C3%BC","size":5,"eTag":"e","versionId":"null","sequencer":"00000000000000FF00000001"}}}]}`, string(m.Body))
	m, err = NewMessage(&metapb.Event{Kind: metapb.EventKind_EVENT_EXPIRATION_MARKER, VersionId: "v"})
	require.NoError(t, err)
	var doc document
	require.NoError(t, json.Unmarshal(m.Body, &doc))
	require.Equal(t, "2.3", doc.Records[0].EventVersion)
	require.Nil(t, doc.Records[0].S3.Object.Size)
	m, err = NewMessage(&metapb.Event{Kind: metapb.EventKind_EVENT_TEST, Bucket: "b"})
	require.NoError(t, err)
	require.Contains(t, string(m.Body), `"Event":"s3:TestEvent"`)
}

// parse returns a registry for settings.
func parse(region string, settings []string, token func(string) string) (*Registry, error) {
	specs, err := ParseSpecs(settings, token)
	if err != nil {
		return nil, err
	}
	return NewRegistry(region, specs)
}

func TestParse(t *testing.T) {
	none := func(string) string { return "" }
	ts, err := parse("r", []string{"a=http://h/p?q=1", "b=nats://h:4222/s.t", "c=jetstream://h:4222/s"}, none)
	require.NoError(t, err)
	require.True(t, ts.Known("arn:cairn:sqs:r:a:webhook") && ts.Known("arn:cairn:sqs:r:b:nats") && ts.Known("arn:cairn:sqs:r:c:nats"))
	require.False(t, ts.Known("arn:cairn:sqs:r:a:nats"))
	for _, bad := range []string{"http://h", "a b=http://h", "a=", "a=ftp://h/x", "a=nats://h", "a=nats://h/a/b", "a=nats://h/*", "a=http://u:p@h/"} {
		_, err := parse("r", []string{bad}, none)
		require.Error(t, err, bad)
	}
	_, err = parse("r", []string{"a=http://h", "a=https://h"}, none)
	require.ErrorContains(t, err, "two targets")
}

// A webhook gets each message. If it does not take one, sending goes on from there.
func TestWebhook(t *testing.T) {
	var got []string
	status := []int{200, 204, 503}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Header.Get("Authorization")+" "+r.Header.Get("X-Cairn-Event-Id")+" "+string(body))
		w.WriteHeader(status[len(got)-1])
	}))
	defer server.Close()
	ts, err := parse("", []string{"w=" + server.URL}, func(id string) string { return "token-of-" + id })
	require.NoError(t, err)
	defer ts.Close()
	taken, err := ts.Target(ARN("", "w", kindWebhook)).Send(t.Context(), []Message{{ID: "1", Body: []byte("a")}, {ID: "2", Body: []byte("b")}, {ID: "3", Body: []byte("c")}})
	require.Equal(t, 2, taken)
	require.ErrorContains(t, err, "503")
	require.Equal(t, []string{"Bearer token-of-w 1 a", "Bearer token-of-w 2 b", "Bearer token-of-w 3 c"}, got)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	taken, err = ts.Target(ARN("", "w", kindWebhook)).Send(ctx, []Message{{ID: "1"}})
	require.Zero(t, taken)
	require.ErrorIs(t, err, context.Canceled)
}

// A real NATS server takes messages by either protocol, refuses a wrong token, and is found again
// after it was away.
func TestNATS(t *testing.T) {
	binary, err := exec.LookPath("nats-server")
	if err != nil {
		t.Skip("no nats-server on this machine")
	}
	address, stop := startNATS(t, binary, "-1")
	token := func(string) string { return "secret" }
	ts, err := parse("r", []string{"c=nats://" + address + "/core", "j=jetstream://" + address + "/kept"}, token)
	require.NoError(t, err)
	defer ts.Close()
	conn, err := nats.Connect("nats://"+address, nats.Token("secret"))
	require.NoError(t, err)
	defer conn.Close()
	sub, err := conn.SubscribeSync("core")
	require.NoError(t, err)
	require.NoError(t, conn.Flush())
	core, kept := ts.Target(ARN("r", "c", kindNATS)), ts.Target(ARN("r", "j", kindNATS))
	messages := []Message{{ID: "1", Body: []byte("a")}, {ID: "2", Body: []byte("b")}}
	taken, err := core.Send(t.Context(), messages)
	require.NoError(t, err)
	require.Equal(t, 2, taken)
	for _, want := range []string{"a", "b"} {
		m, err := sub.NextMsg(5 * time.Second)
		require.NoError(t, err)
		require.Equal(t, want, string(m.Data))
	}
	taken, err = kept.Send(t.Context(), messages)
	require.Error(t, err, "no stream keeps the subject")
	require.Zero(t, taken)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"kept"}, Storage: jetstream.MemoryStorage})
	require.NoError(t, err)
	for range 2 { // An event that is sent again has the same ID.
		taken, err = kept.Send(t.Context(), messages)
		require.NoError(t, err)
		require.Equal(t, 2, taken)
	}
	info, err := stream.Info(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, info.State.Msgs)

	bad := newNATS("nats://"+address, "core", "wrong", false)
	_, err = bad.Send(t.Context(), messages)
	require.ErrorIs(t, err, nats.ErrAuthorization)
	stop()
	_, err = core.Send(t.Context(), messages)
	require.Error(t, err)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	_, stop = startNATS(t, binary, port)
	defer stop()
	taken, err = core.Send(t.Context(), messages)
	require.NoError(t, err)
	require.Equal(t, 2, taken)
}

// startNATS runs a server on a port (-1: any free one) until stop.
func startNATS(t *testing.T, binary, port string) (address string, stop func()) {
	dir := t.TempDir()
	cmd := exec.Command(binary, "-a", "127.0.0.1", "-p", port, "--auth", "secret", "-js", "-sd", dir, "--ports_file_dir", dir)
	require.NoError(t, cmd.Start())
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(stop)
	var ports struct{ Nats []string }
	require.Eventually(t, func() bool {
		files, _ := filepath.Glob(filepath.Join(dir, "*.ports"))
		if len(files) == 0 {
			return false
		}
		text, err := os.ReadFile(files[0])
		return err == nil && json.Unmarshal(text, &ports) == nil && len(ports.Nats) > 0
	}, 5*time.Minute, 20*time.Millisecond)
	address = ports.Nats[0][len("nats://"):]
	require.Eventually(t, func() bool {
		conn, err := nats.Connect("nats://"+address, nats.Token("secret"))
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, 5*time.Minute, 20*time.Millisecond)
	return address, stop
}

func TestKindNames(t *testing.T) {
	for k := range metapb.EventKind_name {
		name := nameOf(metapb.EventKind(k))
		if name == "" {
			require.Contains(t, []int32{0, int32(metapb.EventKind_EVENT_TEST)}, k)
			continue
		}
		require.EqualValues(t, 1<<k, bitsOf(name), strconv.Itoa(int(k)))
	}
	require.NotZero(t, bitsOf("s3:*"))
}

// A redirect is no success and is not followed, so that the token goes nowhere else and no event is
// lost in a GET.
func TestWebhookFollowsNoRedirect(t *testing.T) {
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, status) }))
		ts, err := parse("", []string{"w=" + server.URL}, func(string) string { return "secret" })
		require.NoError(t, err)
		taken, err := ts.Target(ARN("", "w", kindWebhook)).Send(t.Context(), []Message{{ID: "1", Body: []byte("a")}})
		require.Zero(t, taken)
		require.ErrorContains(t, err, fmt.Sprint(status))
		ts.Close()
		server.Close()
	}
	require.Zero(t, elsewhere)
}

// Who may name a target: every account, or those that are listed.
func TestTargetsOfAccounts(t *testing.T) {
	r, err := NewRegistry("r", []Spec{{ID: "all", URL: "http://h"}, {ID: "few", URL: "http://h", Accounts: []string{"1", "2"}}})
	require.NoError(t, err)
	defer r.Close()
	all, few := ARN("r", "all", kindWebhook), ARN("r", "few", kindWebhook)
	require.True(t, r.Allows(all, "3") && r.Allows(few, "1") && r.Allows(few, "2"))
	require.False(t, r.Allows(few, "3") || r.Allows(few, "") || r.Allows(ARN("r", "none", kindWebhook), "1"))
	require.NoError(t, r.SetCluster([]Spec{{ID: "few", URL: "http://h", Accounts: []string{"3"}}}))
	require.True(t, r.Allows(few, "3"))
	require.False(t, r.Allows(few, "1"))
	require.NoError(t, r.SetCluster([]Spec{{ID: "few", URL: "http://h", Accounts: []string{"1"}}}), "only its accounts are others")
	require.True(t, r.Allows(few, "1"))
}
