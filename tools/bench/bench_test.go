package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/tools/load"
)

func noEnv(string) string { return "" }

func TestParseTarget(t *testing.T) {
	s, err := parseTarget("a=https://127.0.0.1:1 https://127.0.0.1:2 ca=x.crt access=k secret=s pids=3,4", noEnv)
	require.NoError(t, err)
	require.Equal(t, "a", s.name)
	require.Len(t, s.urls, 2)
	require.True(t, s.secure())
	require.Equal(t, []string{"x.crt", "k", "s"}, []string{s.ca, s.access, s.secret})
	require.Equal(t, []int{3, 4}, s.procs.pids)

	s, err = parseTarget("b=http://h", func(name string) string { return "env " + name })
	require.NoError(t, err)
	require.Equal(t, "env AWS_ACCESS_KEY_ID", s.access)
	require.Equal(t, "env AWS_SECRET_ACCESS_KEY", s.secret)
	require.False(t, s.secure())

	for _, bad := range []string{
		"", "a", "=http://h access=k secret=s", "a=http://h", "a=http://h access=k", "a=ftp://h access=k secret=s",
		"a=http://h/path access=k secret=s", "a=http:// access=k secret=s", "a=http://h access=k secret=s pid=1",
		"a=http://h access=k secret=s pids=", "a=access access=k secret=s",
	} {
		_, err := parseTarget(bad, noEnv)
		require.Error(t, err, bad)
	}
	_, err = parseTarget("a=http://h access=k sekret=hush", noEnv)
	require.NotContains(t, err.Error(), "hush")
}

func TestChoose(t *testing.T) {
	names := func(only, skip string) (found []string) {
		rows, err := choose(scenarios, only, skip)
		require.NoError(t, err)
		for _, s := range rows {
			found = append(found, s.name)
		}
		return found
	}
	require.Len(t, names("", ""), len(scenarios))
	require.Equal(t, []string{"put-64m", "get-64m"}, names("get-64m,put-64m", ""))
	require.Equal(t, []string{"put-4k-by-1", "put-4k-by-8"}, names("put-4k-by-*", "*-by-64"))
	require.NotContains(t, names("", "complete-*"), "complete-10000")
	for _, bad := range [][2]string{{"nothing", ""}, {"", "nothing"}, {"[", ""}, {"list", "list"}} {
		_, err := choose(scenarios, bad[0], bad[1])
		require.Error(t, err, bad)
	}
	seen := map[string]bool{}
	for _, s := range scenarios {
		require.False(t, seen[s.name], "%s stands twice", s.name)
		seen[s.name] = true
	}
	var out strings.Builder
	require.NoError(t, listRows(&out, scenarios, newPlan(1, 1)))
	require.Equal(t, len(scenarios), strings.Count(out.String(), "\n"))
	require.Contains(t, out.String(), "Complete of 10000 copied parts of 5 MiB")
	require.Contains(t, out.String(), "copy parts, key a to key b, and Complete: 16 of 64 MiB, 4 at once")
}

func TestScale(t *testing.T) {
	large, small := objects{16, 64 * mib, 4}, objects{2000, 4 * kib, 16}
	require.Equal(t, large, newPlan(1, 1).objects(large))
	require.Equal(t, objects{16, 16 * mib, 4}, newPlan(0.25, 1).objects(large))
	require.Equal(t, objects{16, minPart, 4}, newPlan(0.001, 1).objects(large), "no part may be smaller")
	require.Equal(t, objects{32, 64 * mib, 4}, newPlan(2, 1).objects(large), "it becomes no larger")
	require.Equal(t, objects{500, 4 * kib, 16}, newPlan(0.25, 1).objects(small))
	require.Equal(t, objects{16, 4 * kib, 16}, newPlan(0.001, 1).objects(small), "one for each client")
	require.Zero(t, newPlan(0.333, 1).listed()%listedFolders)
}

// The parts of a copy lie within what they are copied from, and are large enough.
func TestSpans(t *testing.T) {
	r := &turn{plan: newPlan(1, 1)}
	whole := 80 * mib
	for _, c := range []copies{
		{objects: objects{500, minPart, 8}}, {objects: objects{500, 8 * mib, 8}, unaligned: true},
		{objects: objects{500, minPart, 8}, unaligned: true},
	} {
		lengths := map[int64]bool{}
		spans := r.spans(c, whole)
		require.Len(t, spans, c.count)
		for _, s := range spans {
			require.GreaterOrEqual(t, s.n, minPart)
			require.GreaterOrEqual(t, s.off, int64(0))
			require.LessOrEqual(t, s.off+s.n, whole)
			lengths[s.n] = true
		}
		require.Equal(t, c.unaligned && c.bytes > minPart, len(lengths) > 100)
		require.Equal(t, spans, r.spans(c, whole), "the same on every target")
	}
}

func TestSome(t *testing.T) {
	for round := range 5 {
		r := &turn{plan: newPlan(1, 1), round: round}
		for _, n := range []int{1, 2, 3, 4, 5, 100} {
			some := r.some(n)
			require.LessOrEqual(t, len(some), sampled)
			require.Contains(t, some, n-1)
			for _, i := range some {
				require.Less(t, i, n)
			}
		}
	}
}

func TestPages(t *testing.T) {
	doc := `<R><IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b</NextContinuationToken>` +
		`<Contents><Key>x</Key></Contents><CommonPrefixes><Prefix>f/</Prefix></CommonPrefixes>` +
		`<CommonPrefixes><Prefix>g&lt;/</Prefix></CommonPrefixes><Prefix>no</Prefix></R>`
	token, ok := element(doc, "NextContinuationToken")
	require.True(t, ok)
	require.Equal(t, "a&b", token)
	_, ok = element(doc, "Nothing")
	require.False(t, ok)
	require.Equal(t, []string{"f/", "g</"}, folders(doc))
	require.Error(t, listing{entries: 2}.want(3))
	require.NoError(t, sameKeys([]string{"a", "b"}, []string{"a", "b"}))
	for _, got := range [][]string{{"a"}, {"a", "b", "c"}, {"a", "c"}, {"b", "a"}} {
		require.Error(t, sameKeys(got, []string{"a", "b"}))
	}
}

// serve has a client talk to a server in this process.
func serve(t *testing.T, h http.HandlerFunc) *target {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	s, err := parseTarget("a="+server.URL+" access=k secret=s", noEnv)
	require.NoError(t, err)
	one, err := newTarget(s, options{bucket: "b"})
	require.NoError(t, err)
	t.Cleanup(one.client.http.CloseIdleConnections)
	return one
}

// A byte that is wrong, missing or too many is noticed, and is told as wrong.
func TestWrongBytes(t *testing.T) {
	const size = 100_000
	p := newPlan(1, 1)
	whole, err := io.ReadAll(load.NewReader(p.value("there", size)))
	require.NoError(t, err)
	flipped := bytes.Clone(whole)
	flipped[70_000] ^= 1
	for name, c := range map[string]struct {
		answer []byte
		want   string
	}{
		"as written": {whole, ""},
		"flipped":    {flipped, "other bytes from 70000 on"},
		"short":      {whole[:size-1], "99999 bytes, it has 100000"},
		"long":       {append(bytes.Clone(whole), 0), "more than the 100000 bytes"},
	} {
		one := serve(t, func(w http.ResponseWriter, r *http.Request) {
			require.Contains(t, r.Header.Get("Authorization"), "Credential=k/")
			_, _ = w.Write(c.answer)
		})
		err := one.get(context.Background(), place{key: "there"}, p.value("there", size), 0, size)
		if c.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, c.want, name)
		s := &result{}
		s.fail(0, err)
		require.True(t, s.Wrong, name)
	}
}

func TestRefusals(t *testing.T) {
	ctx := context.Background()
	// A copy that fails after its status was sent is an error, with the server's words.
	late := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<Error><Code>SlowDown</Code><Message>later</Message></Error>")
	})
	var no *refusal
	require.ErrorAs(t, late.copyObject(ctx, "x", "y"), &no)
	require.Equal(t, "SlowDown", no.Code)

	// A server that answers a range with the whole object has failed.
	all := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 100)) })
	err := all.get(ctx, place{key: "x"}, load.Fresh(1, 100), 10, 20)
	require.ErrorContains(t, err, "status 200, want 206")

	// A list whose marker does not move would never end.
	stuck := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<R><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></R>")
	})
	_, err = stuck.list(ctx, "p/", "")
	require.ErrorContains(t, err, "stays where it was")

	// A key that is still there after its deletion was acknowledged is a wrong answer; one
	// that cannot be asked for is not.
	there := serve(t, func(http.ResponseWriter, *http.Request) {})
	s := &result{}
	s.fail(0, (&turn{target: there}).gone(ctx, "x"))
	require.True(t, s.Wrong)
	gone := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	require.NoError(t, (&turn{target: gone}).gone(ctx, "x"))
	broken := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	require.ErrorAs(t, (&turn{target: broken}).gone(ctx, "x"), &no)
}

// If there are many clients each stays with one server; few go from server to server. In both cases all
// have connected before the clock runs.
func TestServers(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	var urls []string
	for range 3 {
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			asked[r.Host]++
		}))
		t.Cleanup(server.Close)
		urls = append(urls, server.URL)
	}
	s, err := parseTarget("a="+strings.Join(urls, " ")+" access=k secret=s", noEnv)
	require.NoError(t, err)
	one, err := newTarget(s, options{bucket: "b"})
	require.NoError(t, err)
	t.Cleanup(one.client.http.CloseIdleConnections)

	require.NoError(t, one.warm(context.Background(), 2))
	require.Len(t, asked, 3)
	for host, n := range asked {
		require.Equal(t, 2, n, host)
	}
	for w := range 6 {
		ctx := context.WithValue(context.Background(), workerKey{}, worker{w, 6})
		require.Equal(t, urls[w%3], one.server(ctx).String())
		require.Equal(t, one.server(ctx), one.server(ctx))
	}
}

func TestEach(t *testing.T) {
	took, err := each(context.Background(), 50, 8, func(context.Context, int) error { return nil })
	require.NoError(t, err)
	require.Len(t, took, 50)
	_, err = each(context.Background(), 50, 8, func(_ context.Context, i int) error {
		if i == 20 {
			return io.ErrUnexpectedEOF
		}
		return nil
	})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.ErrorContains(t, err, "operation 21 of 50")
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = each(ended, 50, 8, func(context.Context, int) error { return nil })
	require.ErrorIs(t, err, context.Canceled)
}

// The shares of a mixed load add up to a hundred, and every deed is thrown.
func TestMix(t *testing.T) {
	total := 0
	for _, share := range shares {
		total += share
	}
	require.Equal(t, 100, total)
	seen, dice := map[deed]int{}, (&turn{plan: newPlan(1, 1)}).dice()
	for range 2000 {
		seen[throw(dice)]++
	}
	require.Len(t, seen, int(deeds))
	require.Greater(t, seen[deedGet], seen[deedPut])
}

func TestCompletion(t *testing.T) {
	require.Equal(t, `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`+
		`<Part><PartNumber>1</PartNumber><ETag>&#34;a&#34;</ETag></Part>`+
		`<Part><PartNumber>2</PartNumber><ETag>b</ETag></Part></CompleteMultipartUpload>`, completion([]string{`"a"`, "b"}))
}
