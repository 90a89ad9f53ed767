package s3api

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/cost"
	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/s3api/wirexml"
	"github.com/cairnstore/cairn/shard/buf"
)

// What a stranger's request may cost, whatever its body: strangerBytes of memory that
// nobody counts (a connection's buffers, headers, the answer; the client's side is
// measured too), and for what is counted in the budget as many bytes of allocations
// as countedFactor for each byte that was taken of it.
const (
	strangerBytes = 512 << 10
	countedFactor = 3
	nastyBytes    = wirexml.MaxBodyBytes - 1
	// endsWithin bounds how long the test waits for an end: no deadline of the product.
	endsWithin = 2 * time.Minute
)

// streams are the operations whose body is an object: the object service counts it.
var streams = newSet("PutObject", "UploadPart", "PostObject")

// countingBudget is a Budget that remembers the most that was taken.
type countingBudget struct {
	*buf.Budget
	mu          sync.Mutex
	taken, peak int64
}

func (b *countingBudget) Acquire(ctx context.Context, n int64) error {
	err := b.Budget.Acquire(ctx, n)
	if err == nil {
		b.mu.Lock()
		b.taken += n
		b.peak = max(b.peak, b.taken)
		b.mu.Unlock()
	}
	return err
}

func (b *countingBudget) Release(n int64) {
	b.Budget.Release(n)
	b.mu.Lock()
	b.taken -= n
	b.mu.Unlock()
}

// reset forgets the peak and returns it.
func (b *countingBudget) reset() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.peak
	b.peak = b.taken
	return p
}

// strangersRequest is a kind of request that somebody unknown may send.
type strangersRequest struct {
	name, method, path string
	headers            []string
}

// strangersRequests are one of each operation of the table on a bucket, and one of
// each other thing that the listener serves. A new operation is among them by itself.
func strangersRequests(bucket string) (all []strangersRequest) {
	for i := range operations {
		op := &operations[i]
		r := strangersRequest{name: op.name, method: op.method, path: map[scope]string{scopeService: "/", scopeBucket: "/" + bucket, scopeObject: "/" + bucket + "/key"}[op.scope]}
		switch {
		case len(op.sub) > 1 && op.sub[0] == "uploadId":
			r.path += "?uploadId=0123456789abcdef0123456789abcdef&partNumber=1"
		case len(op.sub) > 0:
			r.path += "?" + op.sub[0]
		}
		if op.copy {
			r.headers = append(r.headers, "X-Amz-Copy-Source: /"+bucket+"/key")
		}
		if op.name == "PostObject" {
			r.headers = append(r.headers, "Content-Type: multipart/form-data; boundary=b")
		}
		all = append(all, r)
	}
	return append(all,
		strangersRequest{"STS", "POST", "/", []string{"Content-Type: application/x-www-form-urlencoded"}},
		strangersRequest{"admin, read", "POST", AdminPrefix + "read", nil},
		strangersRequest{"admin, not read", "POST", AdminPrefix + "x", nil},
		strangersRequest{"livez", "GET", "/livez", nil},
		strangersRequest{"readyz", "GET", "/readyz", nil},
		strangersRequest{"preflight", "OPTIONS", "/" + bucket + "/key", []string{"Origin: http://o", "Access-Control-Request-Method: PUT"}},
		strangersRequest{"website", "GET", "/key", []string{"Host: " + bucket + ".web.test"}},
		strangersRequest{"no operation", "PATCH", "/" + bucket + "/key", nil},
	)
}

// strangersWorld has a private bucket, and one whose policy allows strangers all but to
// remove what others of the test need.
func strangersWorld(t *testing.T, limits Limits) (*world, *countingBudget) {
	budget := &countingBudget{Budget: buf.NewBudget(256<<20, time.Millisecond)}
	w := newWorld(t, func(c *Config) {
		c.Budget, c.BudgetWait, c.Limits, c.WebsiteDomains = budget, time.Millisecond, limits, []string{"web.test"}
		c.Admin = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "read") {
				_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 1<<20))
			}
			rw.WriteHeader(http.StatusForbidden)
		})
	})
	for _, bucket := range []string{"private", "opened"} {
		w.ok(w.root, "PUT", "/"+bucket, "")
		w.ok(w.root, "PUT", "/"+bucket+"/key", "x")
	}
	w.ok(w.root, "PUT", "/opened?policy", statements(`{"Effect":"Allow","Principal":"*","NotAction":["s3:DeleteBucket*","s3:DeleteObject*"],"Resource":["arn:aws:s3:::opened","arn:aws:s3:::opened/*"]}`,
		`{"Effect":"Allow","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::opened/other*"}`))
	w.powerless = w.user(w.account("strange"), "powerless")
	return w, budget
}

// raw sends a request over a connection of its own: what send writes as its body. It
// returns the answer's status once the server has closed the connection or, where the
// body was sent to its end, has answered; 0 if it only closed.
func (w *world) raw(t *testing.T, r strangersRequest, headers []string, whole bool, send func(io.Writer) error) int {
	c, err := net.Dial("tcp", w.server.Listener.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(endsWithin)))
	host := "h"
	var head strings.Builder
	for _, line := range append(headers, r.headers...) {
		if h, ok := strings.CutPrefix(line, "Host: "); ok {
			host = h
			continue
		}
		head.WriteString(line + "\r\n")
	}
	sent := make(chan struct{})
	go func() { // The server need not read all of it.
		defer close(sent)
		if _, err := fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", r.method, r.path, host, head.String()); err == nil {
			_ = send(c)
		}
	}()
	defer func() { <-sent }()
	defer c.Close()
	in := bufio.NewReaderSize(c, 4<<10)
	resp, err := http.ReadResponse(in, &http.Request{Method: r.method})
	if err != nil {
		timeout, ok := err.(net.Error)
		require.False(t, ok && timeout.Timeout(), "%s did not end", r.name)
		return 0
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	if !whole {
		_, err = in.ReadByte() // The rest of the body never comes: the connection is of no use.
		timeout, ok := err.(net.Error)
		require.False(t, ok && timeout.Timeout(), "%s answered and stayed open", r.name)
		require.Error(t, err, "%s says more than an answer", r.name)
	}
	return resp.StatusCode
}

// Who asks for what he has no right to.
const (
	asksUnsigned      = "unsigned"
	asksWrongly       = "with a wrong signature"
	asksWithoutRights = "with a good signature, without rights" // Of a user whom no policy allows anything.
)

var strangersAskers = []string{asksUnsigned, asksWrongly, asksWithoutRights}

// strangersHeaders are those that say who asks.
func (w *world) strangersHeaders(r strangersRequest, who string) (headers []string) {
	p := &person{accessKey: "root", secret: "not the password"}
	switch who {
	case asksUnsigned:
		return nil
	case asksWithoutRights:
		p = w.powerless
	}
	req := w.request(r.method, r.path, "", append(r.headers, "Host: h", "X-Amz-Content-Sha256: "+unsignedPayload)...)
	w.sign(p, req, unsignedPayload)
	for name, values := range req.Header {
		if !strings.Contains(strings.Join(r.headers, "\n"), name+": ") {
			headers = append(headers, name+": "+values[0])
		}
	}
	return headers
}

// nastyBodies are the largest documents that are taken: of nothing, and of markup that
// makes work.
func nastyBodies() map[string][]byte {
	markup := []byte("<Delete><Object><Key>a")
	markup = append(markup, bytes.Repeat([]byte("<!---->"), (nastyBytes-len(markup))/7)...)
	fields := bytes.Repeat([]byte("--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\r\n"), nastyBytes/54)
	return map[string][]byte{"markup": markup, "fields": fields, "zeros": make([]byte, nastyBytes)}
}

// TestStrangersCost is the law of what a stranger may cost: every operation and every
// other handler of the listener, with the largest bodies at full speed.
func TestStrangersCost(t *testing.T) {
	w, budget := strangersWorld(t, Limits{})
	asked := 0
	for body, bytesOf := range nastyBodies() {
		sum := md5.Sum(bytesOf)
		digest := "Content-MD5: " + base64.StdEncoding.EncodeToString(sum[:])
		announced := []string{digest, fmt.Sprint("Content-Length: ", len(bytesOf))}
		chunked := []string{digest, "Transfer-Encoding: chunked"}
		send := func(c io.Writer) error { _, err := c.Write(bytesOf); return err }
		sendChunks := func(c io.Writer) error {
			_, err := fmt.Fprintf(c, "%x\r\n", len(bytesOf))
			if err == nil {
				_, err = c.Write(bytesOf)
			}
			_, _ = io.WriteString(c, "\r\n0\r\n\r\n")
			return err
		}
		for _, bucket := range []string{"private", "opened"} {
			for _, r := range strangersRequests(bucket) {
				for _, who := range strangersAskers {
					if bucket == "opened" && (streams[r.name] && who == asksUnsigned || who == asksWithoutRights) {
						continue // May be stored; and somebody known may do there what strangers may.
					}
					for length, how := range map[string]func(io.Writer) error{"announced": send, "chunked": sendChunks} {
						if asked++; effort.Leaves(asked, 7) {
							continue
						}
						headers := append(w.strangersHeaders(r, who), announced...)
						if length == "chunked" {
							headers = append(w.strangersHeaders(r, who), chunked...)
						}
						budget.reset()
						name := fmt.Sprintf("%s of %s, %s, %s %s", r.name, bucket, who, length, body)
						got := int64(cost.Count(func() { w.raw(t, r, headers, true, how) }))
						require.LessOrEqual(t, got, strangerBytes+countedFactor*budget.reset(), "bytes allocated beyond what is counted: %s", name)
						switch {
						case who == asksWithoutRights && r.name == "DeleteObjects": // Rights are those to each key that the document names.
						case bucket == "private" || who != asksUnsigned:
							require.LessOrEqual(t, got, int64(strangerBytes), "bytes allocated for somebody without rights: %s", name)
						}
					}
				}
			}
		}
	}
	require.Zero(t, budget.taken, "what was taken of the budget was given back")
}

// TestStrangersEnd: whoever announces a body and does not send it is cut off, by
// every handler of the listener.
func TestStrangersEnd(t *testing.T) {
	const short = 300 * time.Millisecond
	w, budget := strangersWorld(t, Limits{IdleReadTimeout: short, IdleWriteTimeout: short, DocumentTimeout: short, ReadHeaderTimeout: short, IdleConnTimeout: short})
	var wg sync.WaitGroup
	for _, bucket := range []string{"private", "opened"} {
		for _, r := range strangersRequests(bucket) {
			for _, who := range strangersAskers {
				for _, length := range []string{"Content-Length: 50000", "Content-Length: 5000000", "Transfer-Encoding: chunked"} {
					headers := append(w.strangersHeaders(r, who), length, "Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==")
					wg.Go(func() {
						w.raw(t, r, headers, false, func(c io.Writer) error { _, err := io.WriteString(c, "1\r\n<"); return err })
					})
				}
			}
		}
	}
	for _, part := range []string{"", "GET /livez HTT", "GET /private/key HTTP/1.1\r\nHost: h\r\nX-A: ", "GET /livez HTTP/1.1\r\nHost: h\r\n\r\n"} {
		wg.Go(func() { // No header, half of one, or nothing behind a request.
			c, err := net.Dial("tcp", w.server.Listener.Addr().String())
			require.NoError(t, err)
			defer c.Close()
			require.NoError(t, c.SetDeadline(time.Now().Add(endsWithin)))
			_, err = io.WriteString(c, part)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, c)
			timeout, ok := err.(net.Error)
			require.False(t, ok && timeout.Timeout(), "%q stays open", part)
		})
	}
	wg.Wait()
	require.Eventually(t, func() bool { budget.mu.Lock(); defer budget.mu.Unlock(); return budget.taken == 0 }, endsWithin, time.Millisecond)
}

// A document that comes byte by byte is not waited for without end, and documents of
// all requests together take no more than their share: then clients are told to slow
// down.
func TestDocumentsAreCounted(t *testing.T) {
	w, budget := strangersWorld(t, Limits{})
	share := budget.Total() / documentsDivisor
	h := newDocuments(budget, time.Millisecond)
	require.NoError(t, h.acquire(t.Context(), share))
	require.Error(t, h.acquire(t.Context(), 1))
	h.release(share)

	require.NoError(t, budget.Acquire(t.Context(), budget.Total()))
	for _, path := range []string{"/private?delete", "/private?tagging", "/private/key?tagging"} {
		method := "PUT"
		if strings.HasSuffix(path, "delete") {
			method = "POST"
		}
		w.refused("SlowDown", w.root, method, path, "<a/>", "Content-MD5: "+md5Of("<a/>"))
	}
	budget.Release(budget.Total())
	w.refused("MalformedXML", w.root, "POST", "/private?delete", "<a/>", "Content-MD5: "+md5Of("<a/>"))
}
