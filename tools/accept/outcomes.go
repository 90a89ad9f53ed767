package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

func uploadID(a *answer) string {
	var doc struct{ UploadId string }
	_ = xml.Unmarshal(a.body, &doc)
	return doc.UploadId
}

// listedPart is a row of ListParts.
type listedPart struct {
	PartNumber int
	ETag       string
	Size       int
}

func (c *t) parts(bucket, id string) []listedPart {
	a := c.ok(c.do(call{method: "GET", bucket: bucket, key: "target", query: "uploadId=" + escape(id)}))
	var doc struct{ Part []listedPart }
	if err := xml.Unmarshal(a.body, &doc); err != nil {
		c.fatalf("%v in %s", err, a.body)
	}
	return doc.Part
}

func overwriteCases() []testCase {
	return []testCase{
		{"a copy over a copy, an upload over a copy, a copy over an upload", func(c *t) {
			bucket, id := c.upload(c.data[:100_000])
			c.copied(c.copyPart(bucket, "target", id, 1, bucket+"/source", "bytes=0-9", nil))
			c.copied(c.copyPart(bucket, "target", id, 1, bucket+"/source", "bytes=10-29", nil))
			c.equal("parts", fmt.Sprint(sizes(c.parts(bucket, id))), "[20]")
			c.ok(c.do(call{method: "PUT", bucket: bucket, key: "target", query: partQuery(1, id), body: c.data[:30]}))
			c.equal("parts", fmt.Sprint(sizes(c.parts(bucket, id))), "[30]")
			last := c.copyPart(bucket, "target", id, 1, bucket+"/source", "bytes=50-89", nil)
			c.equal("parts", fmt.Sprint(sizes(c.parts(bucket, id))), "[40]")
			c.equal("the object", bytes.Equal(c.finish(bucket, id, last, nil), c.data[50:90]), true)
		}},
		{"a copy that fails leaves the old part", func(c *t) {
			bucket, id := c.upload(c.data[:100_000])
			old := c.copyPart(bucket, "target", id, 1, bucket+"/source", "bytes=0-99", nil)
			for _, bad := range []*answer{
				c.copyPart(bucket, "target", id, 1, bucket+"/nothing", "", nil),
				c.copyPart(bucket, "target", id, 1, bucket+"/source", "bytes=100000-100001", nil),
				c.copyPart(bucket, "target", id, 1, bucket+"/source", "", map[string]string{"x-amz-copy-source-if-match": "no"}),
			} {
				if bad.status/100 == 2 {
					c.errorf("unexpected %s", bad)
				}
			}
			c.equal("the object", bytes.Equal(c.finish(bucket, id, old, nil), c.data[:100]), true)
		}},
		{"many at once: one of them is listed, and it is whole", func(c *t) {
			bucket, id := c.upload(c.data[:1<<20])
			var wg sync.WaitGroup
			for i := range 16 {
				wg.Go(func() {
					_, _ = c.try(copyCall(bucket, "target", id, 1, bucket+"/source", fmt.Sprintf("bytes=0-%d", 50_000+i), nil))
				})
			}
			wg.Wait()
			parts := c.parts(bucket, id)
			if len(parts) != 1 {
				c.fatalf("%d parts", len(parts))
			}
			c.ok(c.complete(bucket, "target", id, nil, parts[0].ETag))
			c.equal("the object", bytes.Equal(c.get(bucket, "target", nil), c.data[:parts[0].Size]), true)
		}},
	}
}

func sizes(parts []listedPart) (out []int) {
	for _, p := range parts {
		out = append(out, p.Size)
	}
	return out
}

const raceRounds = 12

// raceCases let a copy and something else run at the same time. They do so again and again, and the
// other begins a little later each time. Every outcome must be a legal one.
func raceCases() []testCase {
	key := customerKey(ssecTarget, keyA)
	race := func(name string, other func(c *t, bucket, id string) *answer, judge func(c *t, bucket, id string, copied, other *answer)) testCase {
		return testCase{name, func(c *t) {
			for i := range raceRounds {
				bucket := c.bucket()
				c.put(bucket, "source", c.data[:8<<20], nil)
				id := c.initiate(bucket, "target", key)
				c.ok(c.copyPart(bucket, "target", id, 1, bucket+"/source", "bytes=0-99", key))
				var part *answer
				var err error
				var wg sync.WaitGroup
				wg.Go(func() { part, err = c.try(copyCall(bucket, "target", id, 1, bucket+"/source", "", key)) })
				time.Sleep(time.Duration(i) * 10 * time.Millisecond)
				second := other(c, bucket, id)
				wg.Wait()
				if err != nil {
					c.fatalf("%v", err)
				}
				judge(c, bucket, id, part, second)
			}
		}}
	}
	noUpload := func(c *t, a *answer) bool {
		if a.failure().Code == "" {
			return false
		}
		if a.failure().Code != "NoSuchUpload" {
			c.errorf("unexpected %s", a)
		}
		return true
	}
	return []testCase{
		race("against Abort", func(c *t, b, id string) *answer {
			return c.do(call{method: "DELETE", bucket: b, key: "target", query: "uploadId=" + escape(id)})
		}, func(c *t, b, id string, part, abort *answer) {
			c.ok(abort)
			noUpload(c, part)
			c.want(c.do(call{method: "GET", bucket: b, key: "target", query: "uploadId=" + escape(id)}), 404, "NoSuchUpload", "")
			c.want(c.do(call{method: "GET", bucket: b, key: "target"}), 404, "NoSuchKey", "")
		}),
		race("against Complete", func(c *t, b, id string) *answer {
			return c.complete(b, "target", id, key, c.parts(b, id)[0].ETag)
		}, func(c *t, b, id string, part, complete *answer) {
			if complete.failure().Code == "InvalidPart" { // The copy replaced the part in between.
				c.copied(part)
				return
			}
			c.ok(complete)
			got := c.get(b, "target", key)
			if !noUpload(c, part) && !bytes.Equal(got, c.data[:8<<20]) && !bytes.Equal(got, c.data[:100]) {
				c.errorf("the object is neither the old part nor the new one")
			}
		}),
		race("against the deletion of the source", func(c *t, b, _ string) *answer {
			return c.do(call{method: "DELETE", bucket: b, key: "source"})
		}, func(c *t, b, id string, part, del *answer) {
			c.ok(del)
			if part.failure().Code == "NoSuchKey" {
				return
			}
			c.ok(c.complete(b, "target", id, key, c.copied(part).ETag))
			c.equal("the copy is the source", bytes.Equal(c.get(b, "target", key), c.data[:8<<20]), true)
		}),
		race("against an overwrite of the source", func(c *t, b, _ string) *answer {
			return c.do(call{method: "PUT", bucket: b, key: "source", body: c.data[8<<20 : 16<<20]})
		}, func(c *t, b, id string, part, put *answer) {
			c.ok(put)
			c.ok(c.complete(b, "target", id, key, c.copied(part).ETag))
			got := c.get(b, "target", key)
			if !bytes.Equal(got, c.data[:8<<20]) && !bytes.Equal(got, c.data[8<<20:16<<20]) {
				c.errorf("the copy is of neither version of the source")
			}
		}),
	}
}

func slowCases() []testCase {
	key := customerKey(ssecTarget, keyA)
	return []testCase{
		{"200 at once, the declaration, blanks, then the result", func(c *t) {
			defer c.setting("copy-early-200-after", "1ms")()
			defer c.setting("keepalive-interval", "10ms")()
			bucket := c.bucket()
			c.put(bucket, "source", c.data, nil)
			id := c.initiate(bucket, "target", key)
			a := c.copyPart(bucket, "target", id, 1, bucket+"/source", "", key)
			c.equal("status", a.status, 200)
			text := string(a.body)
			if !strings.HasPrefix(text, "<?xml ") || !strings.Contains(text, "?>\n ") {
				c.errorf("the body begins %.80q: declaration and blanks are wanted", text)
			}
			c.equal("the copy is the source", bytes.Equal(c.finish(bucket, id, a, key), c.data), true)
		}},
	}
}

func coldCases() []testCase {
	const message = "Operation is not valid for the source object's storage class"
	cold := func(c *t) (bucket, id string) {
		bucket = c.bucket()
		c.put(bucket, "source", c.data[:1<<20], map[string]string{"x-amz-storage-class": "GLACIER"})
		return bucket, c.initiate(bucket, "target", nil)
	}
	restore := func(c *t, bucket, tier string, days int) *answer {
		return c.do(call{method: "POST", bucket: bucket, key: "source", query: "restore", body: fmt.Appendf(nil,
			"<RestoreRequest><Days>%d</Days><GlacierJobParameters><Tier>%s</Tier></GlacierJobParameters></RestoreRequest>", days, tier)})
	}
	return []testCase{
		{"not restored", func(c *t) {
			bucket, id := cold(c)
			c.want(c.copyPart(bucket, "target", id, 1, bucket+"/source", "", nil), 403, "InvalidObjectState", message)
			c.want(c.do(call{method: "GET", bucket: bucket, key: "source"}), 403, "InvalidObjectState", "")
			head := c.ok(c.do(call{method: "HEAD", bucket: bucket, key: "source"}))
			c.equal("the class", head.header.Get("x-amz-storage-class"), "GLACIER")
		}},
		{"restoring, then restored", func(c *t) {
			bucket, id := cold(c)
			c.equal("status", restore(c, bucket, "Expedited", 1).status, 202)
			if again := restore(c, bucket, "Expedited", 1); again.status == 409 {
				c.want(again, 409, "RestoreAlreadyInProgress", "Object restore is already in progress")
			}
			deadline := time.Now().Add(restoreWait)
			for {
				head := c.ok(c.do(call{method: "HEAD", bucket: bucket, key: "source"}))
				state := head.header.Get("x-amz-restore")
				if strings.HasPrefix(state, `ongoing-request="false", expiry-date="`) {
					break
				}
				c.equal("x-amz-restore", state, `ongoing-request="true"`)
				if a := c.copyPart(bucket, "target", id, 1, bucket+"/source", "", nil); a.status == 403 {
					c.want(a, 403, "InvalidObjectState", message)
				}
				if time.Now().After(deadline) {
					c.fatalf("not restored after %v: set the delay of the Expedited tier to seconds", restoreWait)
				}
				time.Sleep(200 * time.Millisecond)
			}
			got := c.finish(bucket, id, c.copyPart(bucket, "target", id, 1, bucket+"/source", "", nil), nil)
			c.equal("the copy is the source", bytes.Equal(got, c.data[:1<<20]), true)
			c.equal("a second restore", restore(c, bucket, "Expedited", 2).status, 200)
		}},
		{"what a restore may ask for", func(c *t) {
			bucket, _ := cold(c)
			c.want(restore(c, bucket, "Expedited", 0), 400, "InvalidArgument", "restoration days should be at least 1 and at most 30")
			c.want(restore(c, bucket, "Expedited", 31), 400, "InvalidArgument", "restoration days should be at least 1 and at most 30")
			c.want(restore(c, bucket, "Fast", 1), 400, "MalformedXML", "")
			c.put(bucket, "source", c.data[:10], nil)
			c.want(restore(c, bucket, "Expedited", 1), 403, "InvalidObjectState", "Restore is not allowed, as object's storage class is not GLACIER")
		}},
	}
}

// restoreWait is how long a restore may take before a case gives up.
const restoreWait = 60 * time.Second
