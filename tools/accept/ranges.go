package main

import (
	"bytes"
	"fmt"
)

// rangeCases tries ranges of the source, and those that end past its end under each value of the
// setting copy-range-past-end.
func rangeCases() (cases []testCase) {
	const size = 6 << 20
	for _, r := range []struct{ first, last int }{{0, 0}, {0, size - 1}, {size - 1, size - 1}, {500, 5 << 20}, {1, 65535}, {65535, 65537}} {
		cases = append(cases, testCase{fmt.Sprintf("bytes=%d-%d", r.first, r.last), func(c *t) {
			bucket, id := c.upload(c.data[:size])
			a := c.copyPart(bucket, "target", id, 1, bucket+"/source", fmt.Sprintf("bytes=%d-%d", r.first, r.last), nil)
			c.equal("the copy is the range", bytes.Equal(c.finish(bucket, id, a, nil), c.data[r.first:r.last+1]), true)
		}})
	}
	for _, bad := range []string{"", "0-2", "bytes=0", "bytes=a-b", "bytes=0-2,3-5", "bytes=-5", "bytes=5-", "bytes=5-4",
		"bytes= 0-1", "Bytes=0-1", "bytes=0x1-2", "bytes=+1-2", "bytes=0-99999999999999999999", "bytes"} {
		cases = append(cases, testCase{fmt.Sprintf("of bad form: %q", bad), func(c *t) {
			bucket, id := c.upload(c.data[:1000])
			a := c.copyPart(bucket, "target", id, 1, bucket+"/source", "", map[string]string{"x-amz-copy-source-range": bad})
			c.want(a, 400, "InvalidArgument", "The x-amz-copy-source-range value must be of the form bytes=first-last")
		}})
	}
	cases = append(cases,
		testCase{"it begins past the end", func(c *t) {
			bucket, id := c.upload(c.data[:1000])
			c.want(c.copyPart(bucket, "target", id, 1, bucket+"/source", "bytes=1000-1001", nil), 416, "InvalidRange", "")
		}},
		testCase{"any of an empty source", func(c *t) {
			bucket, id := c.upload(nil)
			c.want(c.copyPart(bucket, "target", id, 1, bucket+"/source", "bytes=0-0", nil), 416, "InvalidRange", "")
		}},
		testCase{"an empty source, whole", func(c *t) {
			bucket, id := c.upload(nil)
			got := c.finish(bucket, id, c.copyPart(bucket, "target", id, 1, bucket+"/source", "", nil), nil)
			c.equal("length", len(got), 0)
		}},
		testCase{"it ends past the end, as the profile has it", func(c *t) {
			bucket, id := c.upload(c.data[:1000])
			a := c.copyPart(bucket, "target", id, 1, bucket+"/source", "bytes=900-1000", nil)
			if c.compat == "aws" {
				c.want(a, 400, "InvalidArgument", "Range specified is not valid for source object of size: 1000")
				return
			}
			c.equal("the copy ends with the source", bytes.Equal(c.finish(bucket, id, a, nil), c.data[900:1000]), true)
		}},
		testCase{"it ends past the end, set to clamp", func(c *t) {
			defer c.setting("copy-range-past-end", "clamp")()
			bucket, id := c.upload(c.data[:1000])
			a := c.copyPart(bucket, "target", id, 1, bucket+"/source", "bytes=900-5000000000", nil)
			c.equal("the copy ends with the source", bytes.Equal(c.finish(bucket, id, a, nil), c.data[900:1000]), true)
		}},
		testCase{"it ends past the end, set to invalid-range", func(c *t) {
			defer c.setting("copy-range-past-end", "invalid-range")()
			bucket, id := c.upload(c.data[:1000])
			c.want(c.copyPart(bucket, "target", id, 1, bucket+"/source", "bytes=900-1000", nil), 416, "InvalidRange", "")
		}},
		testCase{"it ends past the end, set to invalid-argument", func(c *t) {
			defer c.setting("copy-range-past-end", "invalid-argument")()
			bucket, id := c.upload(c.data[:1000])
			c.want(c.copyPart(bucket, "target", id, 1, bucket+"/source", "bytes=900-1000", nil), 400, "InvalidArgument", "Range specified is not valid")
		}},
		testCase{"a part of 5 GiB, and of one byte more", func(c *t) { c.largestPart() }},
	)
	return cases
}

// largestPart makes a source of more than 5 GiB by copies of copies, and copies from it. That costs
// nothing if copies refer to the bytes.
func (c *t) largestPart() {
	const gib = 1 << 30
	bucket := c.bucket()
	piece := c.data[:16<<20]
	c.put(bucket, "16m", piece, nil)
	grow := func(from, to string, times int) {
		id := c.initiate(bucket, to, nil)
		var tags []string
		for i := range times {
			tags = append(tags, c.copied(c.copyPart(bucket, to, id, i+1, bucket+"/"+from, "", nil)).ETag)
		}
		c.ok(c.complete(bucket, to, id, nil, tags...))
	}
	grow("16m", "512m", 32)
	grow("512m", "5632m", 11)
	id := c.initiate(bucket, "target", nil)
	c.want(c.copyPart(bucket, "target", id, 1, bucket+"/5632m", fmt.Sprintf("bytes=0-%d", 5*gib), nil), 400, "EntityTooLarge", "")
	c.want(c.copyPart(bucket, "target", id, 1, bucket+"/5632m", "", nil), 400, "EntityTooLarge", "")
	whole := c.copied(c.copyPart(bucket, "target", id, 1, bucket+"/5632m", fmt.Sprintf("bytes=100-%d", 5*gib+99), nil))
	c.ok(c.complete(bucket, "target", id, nil, whole.ETag))
	a := c.ok(c.do(call{method: "HEAD", bucket: bucket, key: "target"}))
	c.equal("length", a.header.Get("Content-Length"), fmt.Sprint(5*gib))
	tail := c.get(bucket, "target", map[string]string{"Range": "bytes=-100"})
	at := (5*gib + 100) % len(piece)
	c.equal("the last bytes are the source's", bytes.Equal(tail, append(bytes.Clone(piece[:at]), piece[:100]...)[at-100:at]), true)
}
