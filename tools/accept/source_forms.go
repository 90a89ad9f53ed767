package main

import (
	"bytes"
	"strings"
)

// hardKeys are keys that are hard to name in a copy source.
var hardKeys = []struct{ what, key string }{
	{"plain", "source/object"},
	{"a space", "a b"},
	{"a plus", "a+b"},
	{"a space and a plus", "a b+c d"},
	{"a percent sign", "100%"},
	{"an encoded byte as text", "a%20b"},
	{"a question mark and versionId", "?versionId"},
	{"versionId with a value", "k?versionId=abc"},
	{"underscores", "__"},
	{"a space alone", " "},
	{"an ampersand and a hash", "a&b#c=d"},
	{"Cyrillic, Chinese and an emoji", "ключ/鍵/🗝"},
	{"dots and double slashes", "a//b/../c/./d"},
	{"1024 bytes", strings.Repeat("k", 1024)},
}

func sourceFormCases() (cases []testCase) {
	for _, k := range hardKeys {
		for _, form := range []struct {
			what   string
			source func(bucket, key string) string
		}{
			{"/bucket/key", func(b, k string) string { return "/" + b + "/" + escapePath(k) }},
			{"bucket/key", func(b, k string) string { return b + "/" + escapePath(k) }},
			{"%2Fbucket%2Fkey", func(b, k string) string { return escape("/" + b + "/" + k) }},
		} {
			cases = append(cases, testCase{"a key of " + k.what + " as " + form.what, func(c *t) {
				bucket := c.bucket()
				body := c.data[:20_000]
				c.put(bucket, k.key, body, nil)
				id := c.initiate(bucket, "target", nil)
				got := c.finish(bucket, id, c.copyPart(bucket, "target", id, 1, form.source(bucket, k.key), "", nil), nil)
				c.equal("the copy is the source", bytes.Equal(got, body), true)
			}})
		}
	}
	return append(cases,
		testCase{"a plus that means a space, where no key has a plus", func(c *t) {
			bucket := c.bucket()
			c.put(bucket, "a b", c.data[:10], nil)
			id := c.initiate(bucket, "target", nil)
			c.copied(c.copyPart(bucket, "target", id, 1, bucket+"/a+b", "", nil))
		}},
		testCase{"a plus that is one, where both keys are there", func(c *t) {
			bucket := c.bucket()
			c.put(bucket, "a b", []byte("space"), nil)
			c.put(bucket, "a+b", []byte("plus"), nil)
			id := c.initiate(bucket, "target", nil)
			got := c.finish(bucket, id, c.copyPart(bucket, "target", id, 1, bucket+"/a+b", "", nil), nil)
			c.equal("the copy", string(got), "plus")
		}},
		badSource("no key", "bucket"),
		badSource("an empty key", "bucket/"),
		badSource("an empty bucket", "/"),
		badSource("broken percent-encoding", "bucket/%zz"),
		badSource("bytes that are no UTF-8", "bucket/%ff%fe"),
		testCase{"an access point", func(c *t) {
			bucket, id := c.upload(nil)
			a := c.copyPart(bucket, "target", id, 1, "arn:aws:s3:us-east-1:123456789012:accesspoint/ap/object/k", "", nil)
			c.want(a, 501, "NotImplemented", "")
		}},
		testCase{"a body beside the copy source is ignored", func(c *t) {
			bucket, id := c.upload(c.data[:100])
			k := copyCall(bucket, "target", id, 1, bucket+"/source", "", nil)
			k.body = make([]byte, 5120)
			got := c.finish(bucket, id, c.do(k), nil)
			c.equal("the copy is the source", bytes.Equal(got, c.data[:100]), true)
		}},
		testCase{"a large body beside the copy source is refused", func(c *t) {
			bucket, id := c.upload(c.data[:100])
			k := copyCall(bucket, "target", id, 1, bucket+"/source", "", nil)
			k.body = make([]byte, 100<<10)
			c.want(c.do(k), 400, "UnexpectedContent", "")
		}},
	)
}

func badSource(what, source string) testCase {
	return testCase{what, func(c *t) {
		bucket, id := c.upload(nil)
		c.want(c.copyPart(bucket, "target", id, 1, source, "", nil), 400, "InvalidArgument", "")
	}}
}
