package s3api

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// TestConditionalWrites: the same conditions decide about puts, copies and completes,
// against the version that is the latest when they commit.
func TestConditionalWrites(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt?versioning", versioningDocument("Enabled"))
	w.ok(owner, "PUT", "/bkt/source", "s")
	writes := map[string]func(headers ...string) reply{
		"put": func(headers ...string) reply { return w.as(owner, "PUT", "/bkt/k", "x", headers...) },
		"copy": func(headers ...string) reply {
			return w.as(owner, "PUT", "/bkt/k", "", append(headers, "X-Amz-Copy-Source: bkt/source")...)
		},
		"complete": func(headers ...string) reply {
			u := "uploadId=" + element(w.ok(owner, "POST", "/bkt/k?uploads", "").body, "UploadId")
			etag := w.ok(owner, "PUT", "/bkt/k?partNumber=1&"+u, "x").Header.Get("ETag")
			return w.as(owner, "POST", "/bkt/k?"+u, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+etag+"</ETag></Part></CompleteMultipartUpload>", headers...)
		},
	}
	for name, write := range writes {
		require.Equal(t, "NoSuchKey", write("If-Match: *").code(), name)
		require.Empty(t, write("If-None-Match: *").code(), name)
		require.Equal(t, "PreconditionFailed", write("If-None-Match: *").code(), name)
		require.Equal(t, "PreconditionFailed", write(`If-Match: "other"`).code(), name)
		etag := w.ok(owner, "HEAD", "/bkt/k", "").Header.Get("ETag")
		require.Empty(t, write("If-Match: "+etag).code(), name)
		require.Empty(t, write("If-Match: *").code(), name)
		w.ok(owner, "DELETE", "/bkt/k", "")
		require.Equal(t, "NoSuchKey", write(`If-Match: `+etag).code(), "%s: a marker is no object", name)
		require.Empty(t, write("If-None-Match: *").code(), name)
		w.ok(owner, "DELETE", "/bkt/k", "")
	}
}

// TestConditionalDeletes: of the latest version, of a named one, and one by one in a
// DeleteObjects.
func TestConditionalDeletes(t *testing.T) {
	for _, versioning := range []string{"", "Enabled", "Suspended"} {
		w := newWorld(t)
		owner := w.account("owner")
		w.ok(owner, "PUT", "/bkt", "")
		if versioning != "" {
			w.ok(owner, "PUT", "/bkt?versioning", versioningDocument(versioning))
		}
		etag := w.ok(owner, "PUT", "/bkt/k", "four").Header.Get("ETag")
		modified := w.ok(owner, "HEAD", "/bkt/k", "").Header.Get("Last-Modified")
		const time, size = "X-Amz-If-Match-Last-Modified-Time: ", "X-Amz-If-Match-Size: "
		for _, header := range []string{`If-Match: "x"`, size + "5", time + "Mon, 02 Jan 2006 15:04:05 GMT"} {
			w.refused("PreconditionFailed", owner, "DELETE", "/bkt/k", "", header)
			w.refused("PreconditionFailed", owner, "DELETE", "/bkt/k?versionId="+w.versionID(owner, "/bkt/k"), "", header)
		}
		w.refused("InvalidArgument", owner, "DELETE", "/bkt/k", "", size+"-1")
		w.refused("InvalidArgument", owner, "DELETE", "/bkt/k", "", time+"yesterday")
		w.ok(owner, "GET", "/bkt/k", "")
		w.ok(owner, "DELETE", "/bkt/k", "", "If-Match: "+etag, size+"4", time+modified)
		w.refused("PreconditionFailed", owner, "DELETE", "/bkt/k", "", "If-Match: *")
		w.ok(owner, "DELETE", "/bkt/k", "", size+"4")

		w.ok(owner, "PUT", "/bkt/a", "a")
		etag = w.ok(owner, "PUT", "/bkt/b", "b").Header.Get("ETag")
		body := `<Delete><Object><Key>a</Key><ETag>"x"</ETag></Object><Object><Key>b</Key><ETag>` + etag + `</ETag><Size>1</Size></Object>` +
			`<Object><Key>none</Key><ETag>*</ETag></Object></Delete>`
		doc := w.ok(owner, "POST", "/bkt?delete", body, "Content-MD5: "+md5Of(body)).body
		require.Equal(t, 2, strings.Count(doc, "<Code>PreconditionFailed</Code>"), doc)
		require.Contains(t, doc, "<Deleted><Key>b</Key>")
		w.ok(owner, "GET", "/bkt/a", "")
		w.refused("NoSuchKey", owner, "GET", "/bkt/b", "")
	}
}

func (w *world) versionID(p *person, path string) string {
	if id := versionOf(w.ok(p, "HEAD", path, "")); id != "" {
		return id
	}
	return "null"
}

// register is a key in a race: what it holds, empty for nothing.
type registerInput struct {
	op    string // create, swap, delete, read
	from  string // Of a swap or a conditional delete: what must be there.
	value string
}
type registerOutput struct {
	ok    bool
	value string
}

var registerModel = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		has, in, out := state.(string), input.(registerInput), output.(registerOutput)
		switch in.op {
		case "create":
			if holds := has == ""; holds != out.ok {
				return false, state
			}
			if out.ok {
				return true, in.value
			}
		case "swap":
			if holds := has != "" && has == in.from; holds != out.ok {
				return false, state
			}
			if out.ok {
				return true, in.value
			}
		case "delete":
			if holds := has != "" && has == in.from; holds != out.ok {
				return false, state
			}
			if out.ok {
				return true, ""
			}
		default:
			return out.value == has, state
		}
		return true, state
	},
}

// TestConditionalRaces: whoever races, conditional writes and deletions of one key have
// an order in which each condition was decided on what was there.
func TestConditionalRaces(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt?versioning", versioningDocument("Enabled"))
	var (
		mu      sync.Mutex
		clock   int64
		history []porcupine.Operation
		wg      sync.WaitGroup
	)
	tick := func() int64 { mu.Lock(); defer mu.Unlock(); clock++; return clock }
	tagOf := func(value string) string {
		sum := md5.Sum([]byte(value))
		return `"` + hex.EncodeToString(sum[:]) + `"`
	}
	run := func(client, i int) {
		value := fmt.Sprint(client, "-", i)
		last := w.as(owner, "GET", "/bkt/k", "")
		from := ""
		if last.StatusCode == 200 {
			from = last.body
		}
		in := registerInput{value: value, from: from}
		call := tick()
		var r reply
		switch {
		case from == "":
			in.op = "create"
			r = w.as(owner, "PUT", "/bkt/k", value, "If-None-Match: *")
		case i%3 == 2:
			in.op = "delete"
			r = w.as(owner, "DELETE", "/bkt/k", "", "If-Match: "+tagOf(from))
		default:
			in.op = "swap"
			r = w.as(owner, "PUT", "/bkt/k", value, "If-Match: "+tagOf(from))
		}
		out := registerOutput{ok: r.StatusCode < 300}
		if !out.ok && r.StatusCode != http.StatusPreconditionFailed && r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d %s", in.op, r.StatusCode, r.body)
		}
		done := tick()
		mu.Lock()
		defer mu.Unlock()
		history = append(history, porcupine.Operation{ClientId: client, Input: in, Call: call, Output: out, Return: done})
	}
	for client := range 4 {
		wg.Go(func() {
			for i := range 12 {
				run(client, i)
			}
		})
	}
	wg.Wait()
	require.True(t, porcupine.CheckOperations(registerModel, history), "no order explains %s operations", strconv.Itoa(len(history)))
}
