package main

import (
	"fmt"
	"time"
)

// others returns the credentials of the other account, or passes the case over.
func (c *t) others() *credentials {
	if c.other.access == "" {
		c.passOver("needs --other-key")
	}
	return &c.other
}

func (c *t) users() *credentials {
	if c.user.access == "" {
		c.passOver("needs --user-key")
	}
	return &c.user
}

// policy sets a bucket's policy of one statement.
func (c *t) policy(bucket, effect, actions, resource, condition string) {
	doc := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":%q,"Principal":"*","Action":%s,"Resource":"arn:aws:s3:::%s%s"%s}]}`,
		effect, actions, bucket, resource, condition)
	c.ok(c.do(call{method: "PUT", bucket: bucket, query: "policy", body: []byte(doc)}))
}

func rightCases() []testCase {
	denied := func(c *t, a *answer) { c.want(a, 403, "AccessDenied", "") }
	return []testCase{
		{"another account may not read the source", func(c *t) {
			other := c.others()
			bucket, id := c.upload(c.data[:10])
			c.policy(bucket, "Allow", `["s3:PutObject","s3:ListBucket"]`, "*", "")
			k := copyCall(bucket, "target", id, 1, bucket+"/source", "", nil)
			k.as = other
			denied(c, c.do(k))
		}},
		{"another account may not write the target", func(c *t) {
			other := c.others()
			bucket, id := c.upload(c.data[:10])
			c.policy(bucket, "Allow", `"s3:GetObject"`, "/*", "")
			k := copyCall(bucket, "target", id, 1, bucket+"/source", "", nil)
			k.as = other
			denied(c, c.do(k))
		}},
		{"another account may, by the bucket's policy", func(c *t) {
			other := c.others()
			from, to := c.bucket(), c.bucket()
			c.put(from, "source", c.data[:10], nil)
			c.policy(from, "Allow", `"s3:GetObject"`, "/*", "")
			c.policy(to, "Allow", `"s3:*"`, "/*", "")
			begun := c.do(call{method: "POST", bucket: to, key: "target", query: "uploads", as: other})
			c.ok(begun)
			k := copyCall(to, "target", uploadID(begun), 1, from+"/source", "", nil)
			k.as = other
			c.copied(c.do(k))
		}},
		{"another account may, by the ACLs of source and bucket", func(c *t) {
			other := c.others()
			from, to := c.bucket(), c.bucket()
			c.put(from, "source", c.data[:10], map[string]string{"x-amz-acl": "public-read"})
			c.ok(c.do(call{method: "PUT", bucket: to, query: "acl", headers: map[string]string{"x-amz-acl": "public-read-write"}}))
			begun := c.ok(c.do(call{method: "POST", bucket: to, key: "target", query: "uploads", as: other}))
			k := copyCall(to, "target", uploadID(begun), 1, from+"/source", "", nil)
			k.as = other
			c.copied(c.do(k))
		}},
		{"READ on the bucket is not READ on the object", func(c *t) {
			other := c.others()
			from, to := c.bucket(), c.bucket()
			c.put(from, "source", c.data[:10], nil)
			c.ok(c.do(call{method: "PUT", bucket: from, query: "acl", headers: map[string]string{"x-amz-acl": "public-read"}}))
			c.policy(to, "Allow", `"s3:*"`, "/*", "")
			begun := c.ok(c.do(call{method: "POST", bucket: to, key: "target", query: "uploads", as: other}))
			k := copyCall(to, "target", uploadID(begun), 1, from+"/source", "", nil)
			k.as = other
			denied(c, c.do(k))
		}},
		{"GetObject without GetObjectVersion does not copy a version", func(c *t) {
			other := c.others()
			bucket, _, older, _ := c.versioned()
			to := c.bucket()
			c.policy(bucket, "Allow", `"s3:GetObject"`, "/*", "")
			c.policy(to, "Allow", `"s3:*"`, "/*", "")
			begun := c.ok(c.do(call{method: "POST", bucket: to, key: "target", query: "uploads", as: other}))
			k := copyCall(to, "target", uploadID(begun), 1, bucket+"/source?versionId="+older, "", nil)
			k.as = other
			denied(c, c.do(k))
			k.headers = map[string]string{"x-amz-copy-source": bucket + "/source"}
			c.copied(c.do(k))
		}},
		{"a deny on the copy source wins", func(c *t) {
			user := c.users()
			bucket := c.bucket()
			c.put(bucket, "source", c.data[:10], nil)
			begun := c.ok(c.do(call{method: "POST", bucket: bucket, key: "target", query: "uploads", as: user}))
			c.policy(bucket, "Deny", `"s3:PutObject"`, "/*",
				fmt.Sprintf(`,"Condition":{"StringNotLike":{"s3:x-amz-copy-source":["/%s/allowed/*","%s/allowed/*"]}}`, bucket, bucket))
			k := copyCall(bucket, "target", uploadID(begun), 1, bucket+"/source", "", nil)
			k.as = user
			denied(c, c.do(k))
		}},
		{"not the initiator", func(c *t) {
			user := c.users()
			if c.compat == "aws" { // AWS lets others of the account go on.
				defer c.setting("multipart-initiator-only", "on")()
			}
			bucket, id := c.upload(c.data[:10])
			k := copyCall(bucket, "target", id, 1, bucket+"/source", "", nil)
			k.as = user
			denied(c, c.do(k))
			done := call{method: "POST", bucket: bucket, key: "target", query: "uploadId=" + escape(id), as: user,
				body: []byte("<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>")}
			denied(c, c.do(done))
			denied(c, c.do(call{method: "PUT", bucket: bucket, key: "target", query: partQuery(1, id), body: []byte("x"), as: user}))
		}},
		{"a source that is not there, to one who may not list", func(c *t) {
			other := c.others()
			from, to := c.bucket(), c.bucket()
			c.policy(to, "Allow", `"s3:*"`, "/*", "")
			begun := c.ok(c.do(call{method: "POST", bucket: to, key: "target", query: "uploads", as: other}))
			k := copyCall(to, "target", uploadID(begun), 1, from+"/nothing", "", nil)
			k.as = other
			denied(c, c.do(k))
		}},
		{"nobody, anonymous", func(c *t) {
			bucket, id := c.upload(c.data[:10])
			k := copyCall(bucket, "target", id, 1, bucket+"/source", "", nil)
			k.form = anonymous
			denied(c, c.do(k))
		}},
		{"the expected owners", func(c *t) {
			bucket, id := c.upload(c.data[:10])
			for _, h := range []string{"x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"} {
				denied(c, c.copyPart(bucket, "target", id, 1, bucket+"/source", "", map[string]string{h: "111122223333"}))
			}
		}},
		{"a clock that is off", func(c *t) {
			bucket, id := c.upload(c.data[:10])
			k := copyCall(bucket, "target", id, 1, bucket+"/source", "", nil)
			k.when = time.Now().Add(-16 * time.Minute)
			c.refused(c.do(k), "RequestTimeTooSkewed", "The difference between the request time and the")
		}},
		{"a secret that is wrong", func(c *t) {
			bucket, id := c.upload(c.data[:10])
			k := copyCall(bucket, "target", id, 1, bucket+"/source", "", nil)
			k.as = &credentials{access: c.main.access, secret: c.main.secret + "x"}
			c.refused(c.do(k), "SignatureDoesNotMatch", "does not match the signature that you provided")
		}},
		{"an access key that is not there", func(c *t) {
			bucket, id := c.upload(c.data[:10])
			k := copyCall(bucket, "target", id, 1, bucket+"/source", "", nil)
			k.as = &credentials{access: "NOSUCHACCESSKEY00000", secret: "x"}
			c.refused(c.do(k), "InvalidAccessKeyId", "")
		}},
	}
}

// refused checks the answer to a bad key or signature. In the obs profile the code is AccessDenied, as
// OBS documents it, and only the message tells the cause.
func (c *t) refused(a *answer, code, message string) {
	if c.compat == "obs" {
		code = "AccessDenied"
	}
	c.want(a, 403, code, message)
}
