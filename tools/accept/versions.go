package main

import "bytes"

const enableVersions = `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>`

// versioned makes a bucket with a null version, two later ones and a target upload.
func (c *t) versioned() (bucket, id, older, newer string) {
	bucket = c.bucket()
	c.put(bucket, "source", []byte("null"), nil)
	c.ok(c.do(call{method: "PUT", bucket: bucket, query: "versioning", body: []byte(enableVersions)}))
	older = c.put(bucket, "source", []byte("older"), nil).header.Get("X-Amz-Version-Id")
	newer = c.put(bucket, "source", []byte("newer"), nil).header.Get("X-Amz-Version-Id")
	if older == "" || newer == "" || older == newer {
		c.fatalf("version ids %q and %q", older, newer)
	}
	return bucket, c.initiate(bucket, "target", nil), older, newer
}

func versionCases() []testCase {
	copies := func(name, want string, source func(bucket, older, newer string) (source, id string)) testCase {
		return testCase{name, func(c *t) {
			bucket, id, older, newer := c.versioned()
			src, version := source(bucket, older, newer)
			a := c.copyPart(bucket, "target", id, 1, src, "", nil)
			c.equal("x-amz-copy-source-version-id", a.header.Get("X-Amz-Copy-Source-Version-Id"), version)
			c.equal("the copy", string(c.finish(bucket, id, a, nil)), want)
		}}
	}
	fails := func(name string, status int, code string, source func(c *t, bucket, older string) string) testCase {
		return testCase{name, func(c *t) {
			bucket, id, older, _ := c.versioned()
			c.want(c.copyPart(bucket, "target", id, 1, source(c, bucket, older), "", nil), status, code, "")
		}}
	}
	return []testCase{
		copies("no version named", "newer", func(b, _, n string) (string, string) { return b + "/source", n }),
		copies("the latest", "newer", func(b, _, n string) (string, string) { return b + "/source?versionId=" + n, n }),
		copies("an older one", "older", func(b, o, _ string) (string, string) { return b + "/source?versionId=" + o, o }),
		copies("the null version", "null", func(b, _, _ string) (string, string) { return b + "/source?versionId=null", "null" }),
		fails("a version that is not there", 404, "NoSuchVersion", func(_ *t, b, o string) string {
			return b + "/source?versionId=" + o[1:] + o[:1]
		}),
		fails("the latest is a delete marker", 404, "NoSuchKey", func(c *t, b, _ string) string {
			c.ok(c.do(call{method: "DELETE", bucket: b, key: "source"}))
			return b + "/source"
		}),
		fails("a delete marker by its id", 400, "InvalidRequest", func(c *t, b, _ string) string {
			a := c.ok(c.do(call{method: "DELETE", bucket: b, key: "source"}))
			return b + "/source?versionId=" + a.header.Get("X-Amz-Version-Id")
		}),
		{"an older version while the latest is a delete marker", func(c *t) {
			bucket, id, older, _ := c.versioned()
			c.ok(c.do(call{method: "DELETE", bucket: bucket, key: "source"}))
			a := c.copyPart(bucket, "target", id, 1, bucket+"/source?versionId="+older, "", nil)
			c.equal("the copy", string(c.finish(bucket, id, a, nil)), "older")
		}},
	}
}

func placeCases() []testCase {
	body := func(c *t) []byte { return c.data[:300_000] }
	return []testCase{
		{"the same bucket", func(c *t) {
			bucket, id := c.upload(body(c))
			got := c.finish(bucket, id, c.copyPart(bucket, "target", id, 1, bucket+"/source", "", nil), nil)
			c.equal("the copy is the source", bytes.Equal(got, body(c)), true)
		}},
		{"another bucket", func(c *t) {
			from, to := c.bucket(), c.bucket()
			c.put(from, "source", body(c), nil)
			id := c.initiate(to, "target", nil)
			got := c.finish(to, id, c.copyPart(to, "target", id, 1, from+"/source", "", nil), nil)
			c.equal("the copy is the source", bytes.Equal(got, body(c)), true)
		}},
		{"the same key", func(c *t) {
			bucket := c.bucket()
			c.put(bucket, "target", body(c), nil)
			id := c.initiate(bucket, "target", nil)
			got := c.finish(bucket, id, c.copyPart(bucket, "target", id, 1, bucket+"/target", "bytes=10-99", nil), nil)
			c.equal("the copy is the range", bytes.Equal(got, body(c)[10:100]), true)
		}},
		{"a chain of copies whose sources are deleted", func(c *t) {
			bucket := c.bucket()
			c.put(bucket, "0", c.data[:9<<20], nil)
			for i := range 4 {
				from, to := string(rune('0'+i)), string(rune('1'+i))
				id := c.initiate(bucket, to, nil)
				tag := c.copied(c.copyPart(bucket, to, id, 1, bucket+"/"+from, "", nil)).ETag
				c.ok(c.do(call{method: "DELETE", bucket: bucket, key: from}))
				c.ok(c.complete(bucket, to, id, nil, tag))
			}
			c.equal("the copy is the source", bytes.Equal(c.get(bucket, "4", nil), c.data[:9<<20]), true)
		}},
		{"the source is overwritten after the copy", func(c *t) {
			bucket, id := c.upload(body(c))
			a := c.copyPart(bucket, "target", id, 1, bucket+"/source", "", nil)
			c.put(bucket, "source", []byte("other"), nil)
			c.equal("the copy is the old source", bytes.Equal(c.finish(bucket, id, a, nil), body(c)), true)
			c.equal("the source", string(c.get(bucket, "source", nil)), "other")
		}},
		{"the source stays as it was", func(c *t) {
			bucket, id := c.upload(body(c))
			before := c.ok(c.do(call{method: "HEAD", bucket: bucket, key: "source"})).header
			c.copied(c.copyPart(bucket, "target", id, 1, bucket+"/source", "", nil))
			after := c.ok(c.do(call{method: "HEAD", bucket: bucket, key: "source"})).header
			c.equal("ETag", after.Get("ETag"), before.Get("ETag"))
			c.equal("Last-Modified", after.Get("Last-Modified"), before.Get("Last-Modified"))
		}},
	}
}
