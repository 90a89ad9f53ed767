package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

func signatureCases() (cases []testCase) {
	for _, form := range []signature{v4Header, v4Query, v2Header, v2Query, obsHeader, obsQuery} {
		for _, virtual := range []bool{false, true} {
			name := string(form)
			if virtual {
				name += ", virtual host"
			}
			cases = append(cases, testCase{name, func(c *t) {
				if virtual && c.domain == "" {
					c.passOver("needs --domain")
				}
				bucket := c.bucket()
				key := "k y+ö/%"
				id := c.initiate(bucket, key, nil)
				c.put(bucket, key, c.data[:100], nil)
				k := copyCall(bucket, key, id, 1, "/"+bucket+"/"+escapePath(key), "bytes=10-19", nil)
				k.form, k.virtual = form, virtual
				if form == obsHeader || form == obsQuery {
					k.headers = map[string]string{"x-obs-copy-source": k.headers["x-amz-copy-source"], "x-obs-copy-source-range": "bytes=10-19"}
				}
				a := c.do(k)
				tag := c.copied(a).ETag
				if (form == obsHeader || form == obsQuery) && a.header.Get("x-obs-request-id") == "" {
					c.errorf("no x-obs-request-id in the answer to a request in OBS's words: %v", a.header)
				}
				c.ok(c.complete(bucket, key, id, nil, tag))
				c.equal("the copy", bytes.Equal(c.get(bucket, key, nil), c.data[10:20]), true)
				bad := k
				bad.as = &credentials{access: c.main.access, secret: "not the secret"}
				c.refused(c.do(bad), "SignatureDoesNotMatch", "")
			}})
		}
	}
	unsigned := func(form signature, spoil func(*http.Request)) testCase {
		return testCase{"a copy source that is not signed: " + string(form), func(c *t) {
			bucket, id := c.upload(c.data[:100])
			k := copyCall(bucket, "target", id, 1, bucket+"/source", "", nil)
			k.form, k.spoil = form, spoil
			if a := c.do(k); a.status != 403 {
				c.errorf("unexpected %s", a)
			}
		}}
	}
	add := func(r *http.Request) { r.Header.Set("X-Amz-Copy-Source-Range", "bytes=0-1") }
	return append(cases, unsigned(v4Header, add), unsigned(v4Query, add), unsigned(v2Header, add), unsigned(v2Query, add))
}

const trademarks = "amazon, aws and amazon web services are trademarks or registered trademarks of Amazon Technologies, Inc"

// bare sends a request that declares a body of some length and sends no byte of it, as the sample of
// the documentation does. It returns the answer.
func (c *t) bare(k call, length int) *answer {
	r, err := c.request(k)
	if err != nil {
		c.fatalf("%v", err)
	}
	var conn net.Conn
	host := c.base.Host
	if c.base.Scheme == "https" {
		conn, err = tls.Dial("tcp", host, c.http.Transport.(*http.Transport).TLSClientConfig.Clone())
	} else {
		conn, err = net.Dial("tcp", host)
	}
	if err != nil {
		c.fatalf("%v", err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(bareTimeout))
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, r.URL.RequestURI(), r.Host)
	for name, values := range r.Header {
		fmt.Fprintf(conn, "%s: %s\r\n", name, values[0])
	}
	fmt.Fprintf(conn, "Content-Length: %d\r\n\r\n", length)
	resp, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		c.fatalf("the answer to a request without its body: %v", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.fatalf("%v", err)
	}
	return &answer{status: resp.StatusCode, header: resp.Header, body: body, chunks: len(resp.TransferEncoding) > 0}
}

// bareTimeout is shorter than a server would wait for a body.
const bareTimeout = 15 * time.Second

func sampleCases() []testCase {
	return []testCase{{"a Content-Length of 5120 that no byte follows", func(c *t) {
		bucket, id := c.upload(c.data[:1000])
		k := copyCall(bucket, "target", id, 1, "/"+bucket+"/source", "bytes=500-999", nil)
		k.form = v2Header
		got := c.finish(bucket, id, c.bare(k, 5120), nil)
		c.equal("the copy is the range", bytes.Equal(got, c.data[500:1000]), true)
	}}, {"headers and document as the page has them", func(c *t) {
		if c.compat != "obs" {
			c.passOver("the page is OBS's")
		}
		bucket := c.bucket()
		c.put(bucket, "sourceobject", c.data[:6291457], nil)
		id := c.initiate(bucket, "newobject", nil)
		k := copyCall(bucket, "newobject", id, 1, "/"+bucket+"/sourceobject", "bytes=500-6291456", map[string]string{
			"User-Agent": "Jakarta Commons-HttpClient/3.1", "Accept": "*/*"})
		k.form = v2Header
		k.body = make([]byte, 5120) // The sample declares as much.
		a := c.do(k)
		result := c.copied(a)
		c.equal("Server", a.header.Get("Server"), "OBS")
		c.equal("x-reserved", a.header.Get("x-reserved"), trademarks)
		c.equal("Content-Type", a.header.Get("Content-Type"), "application/xml")
		c.equal("Transfer-Encoding: chunked", a.chunks, true)
		for _, name := range []string{"x-amz-request-id", "x-amz-id-2", "Date"} {
			if a.header.Get(name) == "" {
				c.errorf("no %s", name)
			}
		}
		host := c.base.Hostname()
		want := `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n" + `<CopyPartResult xmlns="http://` + host +
			`/doc/2015-06-30/"><LastModified>` + result.LastModified + `</LastModified><ETag>` + result.ETag + `</ETag></CopyPartResult>`
		got := strings.NewReplacer("&#34;", `"`, "&quot;", `"`).Replace(strings.TrimSpace(string(a.body)))
		c.equal("the document", got, want)
	}}}
}
