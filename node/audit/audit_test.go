package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// told is what an audit log has reported.
type told struct {
	mu      sync.Mutex
	written int
	dropped int
	trouble []string
}

func (t *told) events() Events {
	return Events{
		Written: func(_ string, n int) { t.mu.Lock(); defer t.mu.Unlock(); t.written += n },
		Dropped: func(_ string, n int) { t.mu.Lock(); defer t.mu.Unlock(); t.dropped += n },
		Trouble: func(target string, dropped int, cause error) {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.trouble = append(t.trouble, fmt.Sprintf("%s %d %v", target, dropped, cause))
		},
	}
}

func (t *told) counts() (written, dropped int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.written, t.dropped
}

func record(i int) *Record {
	return &Record{Kind: KindS3, RequestID: fmt.Sprint(i), Operation: "GetObject", Bucket: "b", Key: "k", Status: 200}
}

// ids returns the request ids in files, oldest first.
func ids(t *testing.T, paths ...string) (out []string) {
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
			var r Record
			require.NoError(t, json.Unmarshal(s.Bytes(), &r), "%s: %s", path, s.Text())
			out = append(out, r.RequestID)
		}
	}
	return out
}

func numbers(from, to int) (out []string) {
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

func TestNoTargetIsNoLog(t *testing.T) {
	l, err := Open(Config{})
	require.NoError(t, err)
	require.Nil(t, l)
	l.Write(record(1))
	require.NoError(t, l.Close(t.Context()))
}

func TestLineIsGolden(t *testing.T) {
	r := &Record{Time: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), Node: "0123456789abcdef", Kind: KindS3, RequestID: "id",
		Who:    Who{Account: "acc", AccountName: "acme", User: "alice", AccessKey: "ak"},
		Remote: "192.0.2.1", Operation: "CopyObject", Bucket: "b", Key: "k\n\"<é", VersionID: "null", CopySource: "/b/src",
		Status: 403, Code: "AccessDenied", BytesIn: 1, BytesOut: 2, DurationMS: 1.5}
	require.Equal(t, `{"time":"2026-01-02T03:04:05.000006Z","node":"0123456789abcdef","kind":"s3","request_id":"id",`+
		`"who":{"account":"acc","account_name":"acme","user":"alice","access_key":"ak"},"remote":"192.0.2.1",`+
		`"operation":"CopyObject","bucket":"b","key":"k\n\"\u003cé","version_id":"null","copy_source":"/b/src",`+
		`"status":403,"code":"AccessDenied","bytes_in":1,"bytes_out":2,"duration_ms":1.5}`+"\n", string(r.line()))
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	for round := range 2 { // The second one goes on where the first one ended.
		l, err := Open(Config{File: FileConfig{Path: path}})
		require.NoError(t, err)
		for i := range 100 {
			l.Write(record(100*round + i))
		}
		require.NoError(t, l.Close(t.Context()))
	}
	require.Equal(t, numbers(0, 200), ids(t, path))
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, st.Mode().Perm())
}

func TestFileRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	batch := func(i int) []byte { return record(i).line() }
	f, err := openFile(FileConfig{Path: path, Bytes: int64(2 * len(batch(100))), Keep: 2})
	require.NoError(t, err)
	for i := 100; i < 109; i++ {
		require.NoError(t, f.write(t.Context(), batch(i), nil))
	}
	require.NoError(t, f.close())
	require.Equal(t, numbers(104, 109), ids(t, path+".2", path+".1", path))
	require.NoFileExists(t, path+".3")

	f, err = openFile(FileConfig{Path: path, Bytes: 1})
	require.NoError(t, err)
	require.NoError(t, f.write(t.Context(), batch(200), nil))
	require.NoError(t, f.close())
	require.Equal(t, numbers(200, 201), ids(t, path), "no file is kept beside it")
}

func TestFileEndsALineThatWasCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	require.NoError(t, os.WriteFile(path, []byte(`{"time":"2026-`), 0o600))
	f, err := openFile(FileConfig{Path: path})
	require.NoError(t, err)
	require.NoError(t, f.write(t.Context(), record(1).line(), nil))
	require.NoError(t, f.close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	cut, rest, _ := strings.Cut(string(text), "\n")
	require.Equal(t, `{"time":"2026-`, cut)
	require.Equal(t, string(record(1).line()), rest)
}

// The byte that ends such a line counts: with it the next record is too much for this file.
func TestFileCountsTheEndOfACutLine(t *testing.T) {
	const cut = `{"time":"2026-`
	line := record(1).line()
	for limit, older := range map[int]bool{len(cut) + len(line): true, len(cut) + 1 + len(line): false} {
		path := filepath.Join(t.TempDir(), "audit.log")
		require.NoError(t, os.WriteFile(path, []byte(cut), 0o600))
		f, err := openFile(FileConfig{Path: path, Bytes: int64(limit), Keep: 1})
		require.NoError(t, err)
		require.NoError(t, f.write(t.Context(), line, nil))
		require.NoError(t, f.close())
		st, err := os.Stat(path)
		require.NoError(t, err)
		require.LessOrEqual(t, st.Size(), int64(limit))
		_, err = os.Stat(path + ".1")
		require.Equal(t, older, err == nil, "%v", err)
	}
}

func TestFileThatCannotBeOpened(t *testing.T) {
	_, err := Open(Config{File: FileConfig{Path: filepath.Join(t.TempDir(), "no", "dir")}})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A full disk loses only records, and these are counted.
func TestFullDisk(t *testing.T) {
	var told told
	l, err := Open(Config{File: FileConfig{Path: "/dev/full"}, Events: told.events()})
	require.NoError(t, err)
	for i := range 1000 {
		l.Write(record(i))
	}
	require.NoError(t, l.Close(t.Context()))
	written, dropped := told.counts()
	require.Zero(t, written)
	require.Equal(t, 1000, dropped)
	require.Len(t, told.trouble, 1, "told of once a minute")
	require.Contains(t, told.trouble[0], "no space left on device")
}

// stuck is a target that takes nothing until it is let go.
type stuck struct{ free chan struct{} }

func (s *stuck) name() string { return "stuck" }

func (s *stuck) write(ctx context.Context, _ []byte, _ func(error)) error {
	select {
	case <-s.free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *stuck) close() error { return nil }

func TestSlowTargetBlocksNobody(t *testing.T) {
	var told told
	s := &stuck{make(chan struct{})}
	l := start([]target{s}, told.events())
	const n = 3 * queueRecords
	for i := range n {
		l.Write(record(i)) // It returns; otherwise the test would run into its deadline.
	}
	_, dropped := told.counts()
	require.GreaterOrEqual(t, dropped, n-queueRecords-batchRecords)
	close(s.free)
	require.NoError(t, l.Close(t.Context()))
	written, dropped := told.counts()
	require.Equal(t, n, written+dropped)
	require.GreaterOrEqual(t, written, queueRecords)
}

// Close may be called again, before the log has ended and after it.
func TestCloseTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stuck{make(chan struct{})}
		var told told
		l := start([]target{s}, told.events())
		l.Write(record(1))
		var first error
		go func() { first = l.Close(t.Context()) }()
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, l.Close(short), context.DeadlineExceeded)
		synctest.Wait()
		require.NoError(t, first, "the target was given up for all")
		require.NoError(t, l.Close(t.Context()))
		_, dropped := told.counts()
		require.Equal(t, 1, dropped)
	})
}

func TestCloseDoesNotWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start([]target{&stuck{}}, Events{})
		l.Write(record(1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, l.Close(ctx), context.DeadlineExceeded)
	})
}

// answering is a server whose answers are set in advance.
type answering struct {
	mu     sync.Mutex
	status []int // One a request; 0: no answer; after them 200.
	bodies []string
	tokens []string
	hosts  []string
}

func (a *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	status := http.StatusOK
	if len(a.status) > 0 {
		status, a.status = a.status[0], a.status[1:]
	}
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a.tokens = append(a.tokens, r.Header.Get("Authorization"))
	if status == http.StatusOK {
		a.bodies = append(a.bodies, string(body))
	}
	resp := &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{}, Body: http.NoBody, Request: r}
	if status/100 == 3 {
		resp.Header.Set("Location", "http://elsewhere.example/")
	}
	a.hosts = append(a.hosts, r.URL.Host)
	return resp, nil
}

func TestHTTP(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("sesame\n"), 0o600))
	synctest.Test(t, func(t *testing.T) {
		var told told
		server := &answering{status: []int{0, 503, 429}}
		l, err := Open(Config{HTTP: HTTPConfig{URL: "http://audit.example/in?tenant=7", TokenFile: token, Transport: server}, Events: told.events()})
		require.NoError(t, err)
		for i := range batchRecords + 10 {
			l.Write(record(i))
		}
		require.NoError(t, l.Close(t.Context()), "after it was tried until it was taken")
		require.Equal(t, "Bearer sesame", server.tokens[0])
		all := strings.Split(strings.TrimSpace(strings.Join(server.bodies, "")), "\n")
		require.Len(t, all, batchRecords+10)
		require.Contains(t, all[0], `"request_id":"0"`)
		require.Contains(t, all[batchRecords+9], fmt.Sprintf(`"request_id":"%d"`, batchRecords+9))
		written, dropped := told.counts()
		require.Equal(t, batchRecords+10, written)
		require.Zero(t, dropped)
		require.Equal(t, []string{"http 0 connection refused"}, told.trouble, "without the URL, whose query may be secret")
	})
}

// A redirect is not followed: its target would get the token, and an empty GET would count as
// written. The batch is tried again until the URL itself takes it.
func TestHTTPFollowsNoRedirect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told told
		server := &answering{status: []int{http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect}}
		l, err := Open(Config{HTTP: HTTPConfig{URL: "http://audit.example/", Transport: server}, Events: told.events()})
		require.NoError(t, err)
		l.Write(record(1))
		require.NoError(t, l.Close(t.Context()))
		written, dropped := told.counts()
		require.Equal(t, 1, written)
		require.Zero(t, dropped)
		require.Equal(t, slices.Repeat([]string{"audit.example"}, 4), server.hosts)
		require.Len(t, server.bodies, 1)
		require.Contains(t, server.bodies[0], `"request_id":"1"`)
	})
}

func TestHTTPThatRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told told
		server := &answering{status: []int{http.StatusForbidden}}
		l, err := Open(Config{HTTP: HTTPConfig{URL: "http://audit.example/", Transport: server}, Events: told.events()})
		require.NoError(t, err)
		l.Write(record(1))
		synctest.Wait()
		_, dropped := told.counts()
		require.Equal(t, 1, dropped)
		l.Write(record(2))
		require.NoError(t, l.Close(t.Context()))
		written, _ := told.counts()
		require.Equal(t, 1, written, "it goes on with the next batch")
	})
}

func TestCheckURL(t *testing.T) {
	for _, good := range []string{"http://h", "https://h:1/p?q=1"} {
		require.NoError(t, CheckURL(good), good)
	}
	for _, bad := range []string{"", "h:1", "ftp://h", "http://", "http://user:secret@h/"} {
		require.Error(t, CheckURL(bad), bad)
	}
}
