package main

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strings"
)

// keyA and keyB are customers' keys of 256 bits, keyLong one of 512.
var (
	keyA    = bytes.Repeat([]byte{0xa1}, 32)
	keyB    = bytes.Repeat([]byte{0xb2}, 32)
	keyLong = append(bytes.Repeat([]byte{0xc3}, 32), bytes.Repeat([]byte{0xd4}, 32)...)
)

// encryption is a way to encrypt an object, with the headers to write it, to read it, and to copy from
// it.
type encryption struct {
	name                string
	write, read, source map[string]string
}

func encryptions() []encryption {
	ssec := func(name string, key []byte) encryption {
		return encryption{name, customerKey(ssecTarget, key), customerKey(ssecTarget, key), customerKey(ssecSource, key)}
	}
	return []encryption{
		{name: "plain"},
		ssec("SSE-C", keyA),
		ssec("SSE-C of another key", keyB),
		ssec("SSE-C of 512 bits", keyLong),
		{name: "SSE-KMS", write: map[string]string{"x-amz-server-side-encryption": "aws:kms"}},
		{name: "SSE-S3", write: map[string]string{"x-amz-server-side-encryption": "AES256"}},
	}
}

func isCustomers(e encryption) bool { return strings.HasPrefix(e.name, "SSE-C") }

// partHeaders returns the headers of each part of an upload. A customer's key must come with each. All
// other ways are fixed when the upload begins.
func partHeaders(e encryption) map[string]string {
	if isCustomers(e) {
		return e.write
	}
	return nil
}

func kindCases() (cases []testCase) {
	for _, from := range encryptions() {
		for _, shape := range []struct {
			name string
			make func(c *t, bucket string) (body []byte, first, last int)
		}{
			{"inline", func(c *t, b string) ([]byte, int, int) {
				c.put(b, "source", c.data[:5000], from.write)
				return c.data[:5000], 1, 4998
			}},
			{"of one part", func(c *t, b string) ([]byte, int, int) {
				c.put(b, "source", c.data[:3<<20], from.write)
				return c.data[:3<<20], 65000, 2<<20 + 1
			}},
			{"of several parts", func(c *t, b string) ([]byte, int, int) {
				c.multipart(b, "source", from.write, partHeaders(from), c.data[:5<<20], c.data[5<<20:11<<20], c.data[11<<20:11<<20+77])
				return c.data[:11<<20+77], 5<<20 - 3, 11<<20 + 5
			}},
			{"empty", func(c *t, b string) ([]byte, int, int) {
				c.put(b, "source", nil, from.write)
				return nil, -1, -1
			}},
		} {
			for _, to := range encryptions() {
				cases = append(cases, testCase{fmt.Sprintf("%s, %s to %s", from.name, shape.name, to.name), func(c *t) {
					bucket := c.bucket()
					body, first, last := shape.make(c, bucket)
					c.copyKind(bucket, body, first, last, from, to)
				}})
			}
		}
	}
	return cases
}

// copyKind copies the whole source and, if it is large enough, a range of it. It reads the result back.
func (c *t) copyKind(bucket string, body []byte, first, last int, from, to encryption) {
	id := c.initiate(bucket, "target", to.write)
	extra := merged(from.source, partHeaders(to))
	want := bytes.Clone(body)
	tags := []string{}
	a := c.copyPart(bucket, "target", id, 1, bucket+"/source", "", extra)
	c.echoes(a, to)
	tags = append(tags, c.copied(a).ETag)
	if first >= 0 && len(body) >= 5<<20 {
		a := c.copyPart(bucket, "target", id, 2, bucket+"/source", fmt.Sprintf("bytes=%d-%d", first, last), extra)
		tags = append(tags, c.copied(a).ETag)
		want = append(want, body[first:last+1]...)
	}
	c.ok(c.complete(bucket, "target", id, partHeaders(to), tags...))
	got := c.ok(c.do(call{method: "GET", bucket: bucket, key: "target", headers: to.read}))
	c.equal("the copy is the source", bytes.Equal(got.body, want), true)
	if first >= 0 {
		rng := c.get(bucket, "target", merged(to.read, map[string]string{"Range": fmt.Sprintf("bytes=%d-%d", first, last)}))
		c.equal("a range of the copy is that of the source", bytes.Equal(rng, want[first:last+1]), true)
	}
	c.equal("the source is as it was", bytes.Equal(c.get(bucket, "source", from.read), body), true)
	if isCustomers(to) {
		c.want(c.do(call{method: "GET", bucket: bucket, key: "target"}), 400, "InvalidRequest", "The object was stored using a form of Server Side Encryption")
	}
}

// echoes checks that an answer says how the part is encrypted, and that it does not hold the key.
func (c *t) echoes(a *answer, to encryption) {
	h := a.header
	switch {
	case isCustomers(to):
		c.equal("the algorithm answered", h.Get(ssecTarget+"algorithm"), "AES256")
		c.equal("the key's MD5 answered", h.Get(ssecTarget+"key-MD5"), to.write[ssecTarget+"key-MD5"])
	case to.name == "SSE-KMS":
		c.equal("the encryption answered", h.Get("x-amz-server-side-encryption"), "aws:kms")
		if h.Get("x-amz-server-side-encryption-aws-kms-key-id") == "" {
			c.errorf("no key id is answered")
		}
	case to.name == "SSE-S3":
		c.equal("the encryption answered", h.Get("x-amz-server-side-encryption"), "AES256")
	}
	for name := range h {
		if strings.EqualFold(name, ssecTarget+"key") {
			c.errorf("the key itself is answered")
		}
	}
}

func md5Tag(b []byte) string {
	sum := md5.Sum(b)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func etagCases() []testCase {
	hexTag := func(c *t, tag string) {
		if len(tag) < 34 || tag[0] != '"' || tag[len(tag)-1] != '"' {
			c.errorf("the tag %s is not 32 hex digits in quotes", tag)
			return
		}
		if _, err := hex.DecodeString(tag[1:33]); err != nil {
			c.errorf("the tag %s does not begin with 32 hex digits", tag)
		}
	}
	return []testCase{
		{"of a whole object of one part: its MD5", func(c *t) {
			bucket, id := c.upload(c.data[:200_000])
			c.equal("ETag", c.copied(c.copyPart(bucket, "target", id, 1, bucket+"/source", "", nil)).ETag, md5Tag(c.data[:200_000]))
		}},
		{"of a range: 32 hex digits, and Complete takes it", func(c *t) {
			bucket, id := c.upload(c.data[:200_000])
			a := c.copyPart(bucket, "target", id, 1, bucket+"/source", "bytes=1-100000", nil)
			hexTag(c, c.copied(a).ETag)
			c.equal("the copy", bytes.Equal(c.finish(bucket, id, a, nil), c.data[1:100_001]), true)
		}},
		{"of a range with copy-part-etag md5: its MD5", func(c *t) {
			defer c.setting("copy-part-etag", "md5")()
			bucket, id := c.upload(c.data[:200_000])
			a := c.copyPart(bucket, "target", id, 1, bucket+"/source", "bytes=1-100000", nil)
			c.equal("ETag", c.copied(a).ETag, md5Tag(c.data[1:100_001]))
		}},
		{"under SSE-C: never the plaintext's MD5, and another each time", func(c *t) {
			bucket := c.bucket()
			c.put(bucket, "source", c.data[:100_000], nil)
			id := c.initiate(bucket, "target", customerKey(ssecTarget, keyA))
			one := c.copied(c.copyPart(bucket, "target", id, 1, bucket+"/source", "", customerKey(ssecTarget, keyA))).ETag
			two := c.copied(c.copyPart(bucket, "target", id, 2, bucket+"/source", "", customerKey(ssecTarget, keyA))).ETag
			hexTag(c, one)
			if one == md5Tag(c.data[:100_000]) || one == two {
				c.errorf("the tags are %s and %s", one, two)
			}
		}},
		{"Complete's tag of copied and uploaded parts ends with their number", func(c *t) {
			bucket, id := c.upload(c.data[:5<<20])
			one := c.copied(c.copyPart(bucket, "target", id, 1, bucket+"/source", "", nil)).ETag
			two := c.ok(c.do(call{method: "PUT", bucket: bucket, key: "target", query: partQuery(2, id), body: []byte("x")})).header.Get("ETag")
			a := c.ok(c.complete(bucket, "target", id, nil, one, two))
			if !strings.Contains(string(a.body), "-2&#34;") && !strings.Contains(string(a.body), "-2&quot;") && !strings.Contains(string(a.body), `-2"`) {
				c.errorf("no -2 in %s", a.body)
			}
		}},
	}
}
