package main

import (
	"bytes"
	"encoding/base64"
	"strings"
)

const badNumber = "Part number must be an integer between 1 and 10000, inclusive"

func addressCases() (cases []testCase) {
	for _, n := range []string{"0", "-1", "10001", "1x", "", "1.0", " 1", "99999999999999999999"} {
		cases = append(cases, testCase{"part number " + n, func(c *t) {
			bucket, id := c.upload(c.data[:10])
			k := copyCall(bucket, "target", id, 1, bucket+"/source", "", nil)
			k.query = "partNumber=" + escape(n) + "&uploadId=" + escape(id)
			c.want(c.do(k), 400, "InvalidArgument", badNumber)
		}})
	}
	for _, n := range []int{1, 10000} {
		cases = append(cases, testCase{"part number " + itoa(n), func(c *t) {
			bucket, id := c.upload(c.data[:10])
			c.copied(c.copyPart(bucket, "target", id, n, bucket+"/source", "", nil))
		}})
	}
	noUpload := func(name string, spoil func(c *t, bucket, id string) (key, upload string)) testCase {
		return testCase{name, func(c *t) {
			bucket, id := c.upload(c.data[:10])
			key, upload := spoil(c, bucket, id)
			c.want(c.copyPart(bucket, key, upload, 1, bucket+"/source", "", nil), 404, "NoSuchUpload", "The specified multipart upload does not exist")
		}}
	}
	return append(cases,
		noUpload("an upload id that is none", func(*t, string, string) (string, string) { return "target", "nonsense" }),
		noUpload("an upload id that is not known", func(_ *t, _, id string) (string, string) {
			return "target", id[:len(id)-2] + "AA"
		}),
		noUpload("the upload of another key", func(_ *t, _, id string) (string, string) { return "other", id }),
		noUpload("an aborted upload", func(c *t, b, id string) (string, string) {
			c.ok(c.do(call{method: "DELETE", bucket: b, key: "target", query: "uploadId=" + escape(id)}))
			return "target", id
		}),
		noUpload("a completed upload", func(c *t, b, id string) (string, string) {
			c.ok(c.complete(b, "target", id, nil, c.copied(c.copyPart(b, "target", id, 1, b+"/source", "", nil)).ETag))
			return "target", id
		}),
		testCase{"no bucket of the target", func(c *t) {
			bucket, id := c.upload(c.data[:10])
			c.want(c.copyPart("accept-no-such-bucket", "target", id, 1, bucket+"/source", "", nil), 404, "NoSuchBucket", "The specified bucket does not exist")
		}},
		testCase{"no bucket of the source", func(c *t) {
			bucket, id := c.upload(c.data[:10])
			c.want(c.copyPart(bucket, "target", id, 1, "accept-no-such-bucket/source", "", nil), 404, "NoSuchBucket", "The specified bucket does not exist")
		}},
		testCase{"no source", func(c *t) {
			bucket, id := c.upload(c.data[:10])
			c.want(c.copyPart(bucket, "target", id, 1, bucket+"/nothing", "", nil), 404, "NoSuchKey", "The specified key does not exist")
		}},
		testCase{"what is told first: the form before what is missing", func(c *t) {
			k := copyCall("accept-no-such-bucket", "target", "nonsense", 1, "nothing", "bytes=x", nil)
			k.query = "partNumber=0&uploadId=nonsense"
			c.want(c.do(k), 400, "InvalidArgument", badNumber)
			c.want(c.copyPart("accept-no-such-bucket", "target", "nonsense", 1, "nothing", "bytes=x", nil), 400, "InvalidArgument", "Copy Source")
			c.want(c.copyPart("accept-no-such-bucket", "target", "nonsense", 1, "b/k", "bytes=x", nil), 400, "InvalidArgument", "x-amz-copy-source-range")
			c.want(c.copyPart("accept-no-such-bucket", "target", "nonsense", 1, "b/k", "", nil), 404, "NoSuchBucket", "")
		}},
	)
}

// customerKeyCases try the three headers of a customer's key, of the source and of the target, right
// and with every mistake.
func customerKeyCases() (cases []testCase) {
	without := func(m map[string]string, name string) map[string]string {
		out := merged(m)
		delete(out, name)
		return out
	}
	sides := []struct {
		name, prefix string
		// copy sends a copy whose headers of this side are h.
		copy func(c *t, h map[string]string) *answer
	}{
		{"target", ssecTarget, func(c *t, h map[string]string) *answer {
			bucket := c.bucket()
			c.put(bucket, "source", c.data[:20_000], nil)
			id := c.initiate(bucket, "target", customerKey(ssecTarget, keyA))
			return c.copyPart(bucket, "target", id, 1, bucket+"/source", "", h)
		}},
		{"source", ssecSource, func(c *t, h map[string]string) *answer {
			bucket := c.bucket()
			c.put(bucket, "source", c.data[:20_000], customerKey(ssecTarget, keyA))
			id := c.initiate(bucket, "target", nil)
			return c.copyPart(bucket, "target", id, 1, bucket+"/source", "", h)
		}},
	}
	for _, s := range sides {
		right := customerKey(s.prefix, keyA)
		needed := "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters."
		if s.name == "source" {
			needed = "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object."
		}
		for _, k := range []struct {
			name          string
			headers       map[string]string
			code, message string
		}{
			{"no algorithm", without(right, s.prefix+"algorithm"), "InvalidArgument", "must provide a valid encryption algorithm"},
			{"no key", without(right, s.prefix+"key"), "InvalidArgument", "must provide an appropriate secret key"},
			{"no MD5", without(right, s.prefix+"key-MD5"), "InvalidArgument", "must provide the client calculated MD5 of the secret key"},
			{"another algorithm", merged(right, map[string]string{s.prefix + "algorithm": "AES128"}), "InvalidEncryptionAlgorithmError", ""},
			{"a wrong MD5", merged(right, map[string]string{s.prefix + "key-MD5": customerKey(s.prefix, keyB)[s.prefix+"key-MD5"]}), "InvalidArgument", "The calculated MD5 hash of the key did not match the hash that was provided."},
			{"a key of 31 bytes", customerKey(s.prefix, keyA[:31]), "InvalidArgument", "The secret key was invalid for the specified algorithm."},
			{"a key that is not base64", merged(right, map[string]string{s.prefix + "key": "!!"}), "InvalidArgument", "The secret key was invalid"},
			{"another key", customerKey(s.prefix, keyB), wrongKey, "The provided encryption parameters did not match the ones used originally."},
			{"a key of 512 bits that begins the same", customerKey(s.prefix, append(bytes.Clone(keyA), keyA...)), wrongKey, "did not match the ones used originally"},
			{"none at all", nil, "InvalidRequest", needed},
		} {
			cases = append(cases, testCase{s.name + ": " + k.name, func(c *t) {
				a := s.copy(c, k.headers)
				c.wantKey(a, s.name, k.code, k.message)
				if strings.Contains(string(a.body), base64.StdEncoding.EncodeToString(keyB)) {
					c.errorf("the answer holds the key")
				}
			}})
		}
		cases = append(cases, testCase{s.name + ": the right key", func(c *t) { c.copied(s.copy(c, right)) }})
	}
	return append(cases,
		testCase{"a key for a source that has none", func(c *t) {
			bucket, id := c.upload(c.data[:10])
			c.want(c.copyPart(bucket, "target", id, 1, bucket+"/source", "", customerKey(ssecSource, keyA)), 400, "InvalidRequest", "The encryption parameters are not applicable to this object.")
		}},
		testCase{"a key for an upload that has none", func(c *t) {
			bucket, id := c.upload(c.data[:10])
			c.want(c.copyPart(bucket, "target", id, 1, bucket+"/source", "", customerKey(ssecTarget, keyA)), 400, "InvalidRequest", "")
		}},
	)
}

// wrongKey stands for the code that a well-formed customer's key gets which is not the object's.
const wrongKey = "wrong key"

// wantKey is want for a customer's key that is refused. side says whether it is that of the source or
// of the target: in the aws profile wrongKey is another code for each.
func (c *t) wantKey(a *answer, side, code, message string) {
	switch {
	case code != wrongKey:
		c.want(a, 400, code, message)
	case c.compat != "aws":
		c.want(a, 400, "InvalidArgument", message)
	case side == "source":
		c.want(a, 403, "AccessDenied", message)
	default:
		c.want(a, 400, "InvalidRequest", message)
	}
}
