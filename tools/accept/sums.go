package main

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"strings"
)

// nvme is the polynomial of CRC-64/NVME, reflected.
var nvme = crc64.MakeTable(0x9a6c9329ac4bc9b5)

var algorithms = []struct {
	name string
	new  func() hash.Hash
	full bool // FULL_OBJECT is possible.
	part bool // COMPOSITE is possible.
}{
	{"CRC32", func() hash.Hash { return crc32.NewIEEE() }, true, true},
	{"CRC32C", func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }, true, true},
	{"CRC64NVME", func() hash.Hash { return crc64.New(nvme) }, true, false},
	{"SHA1", sha1.New, false, true},
	{"SHA256", sha256.New, false, true},
}

func sumOf(h hash.Hash, pieces ...[]byte) []byte {
	for _, p := range pieces {
		h.Write(p)
	}
	if s, ok := h.(hash.Hash64); ok {
		return binary.BigEndian.AppendUint64(nil, s.Sum64())
	}
	return h.Sum(nil)
}

func (k copied) checksum(name string) string {
	return map[string]string{"CRC32": k.ChecksumCRC32, "CRC32C": k.ChecksumCRC32C, "CRC64NVME": k.ChecksumCRC64NVME,
		"SHA1": k.ChecksumSHA1, "SHA256": k.ChecksumSHA256}[name]
}

func checksumCases() (cases []testCase) {
	for _, a := range algorithms {
		for _, kind := range []string{"FULL_OBJECT", "COMPOSITE"} {
			if kind == "FULL_OBJECT" && !a.full || kind == "COMPOSITE" && !a.part {
				continue
			}
			for _, sealed := range []bool{false, true} {
				name := fmt.Sprintf("%s %s", a.name, kind)
				var key map[string]string
				if sealed {
					name, key = name+" under SSE-C", customerKey(ssecTarget, keyA)
				}
				cases = append(cases, testCase{name, func(c *t) {
					bucket := c.bucket()
					c.put(bucket, "source", c.data[:7<<20], nil)
					id := c.initiate(bucket, "target", merged(key, map[string]string{
						"x-amz-checksum-algorithm": a.name, "x-amz-checksum-type": kind}))
					parts := [][]byte{c.data[:6<<20], c.data[100 : 5<<20+999]}
					var list strings.Builder
					var raw []byte
					for i, p := range parts {
						rng := fmt.Sprintf("bytes=%d-%d", i*100, i*100+len(p)-1)
						got := c.copied(c.copyPart(bucket, "target", id, i+1, bucket+"/source", rng, key))
						sum := sumOf(a.new(), p)
						raw = append(raw, sum...)
						text := base64.StdEncoding.EncodeToString(sum)
						c.equal("the part's "+a.name, got.checksum(a.name), text)
						fmt.Fprintf(&list, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag><Checksum%s>%s</Checksum%s></Part>", i+1, got.ETag, a.name, text, a.name)
					}
					uploaded := c.data[3:1003]
					header := "x-amz-checksum-" + strings.ToLower(a.name)
					sum := sumOf(a.new(), uploaded)
					raw = append(raw, sum...)
					text := base64.StdEncoding.EncodeToString(sum)
					up := c.ok(c.do(call{method: "PUT", bucket: bucket, key: "target", query: partQuery(3, id), body: uploaded, headers: merged(key, map[string]string{header: text})}))
					fmt.Fprintf(&list, "<Part><PartNumber>3</PartNumber><ETag>%s</ETag><Checksum%s>%s</Checksum%s></Part>", up.header.Get("ETag"), a.name, text, a.name)
					c.ok(c.do(call{method: "POST", bucket: bucket, key: "target", query: "uploadId=" + escape(id), headers: key,
						body: []byte("<CompleteMultipartUpload>" + list.String() + "</CompleteMultipartUpload>")}))
					want := base64.StdEncoding.EncodeToString(sumOf(a.new(), parts[0], parts[1], uploaded))
					if kind == "COMPOSITE" {
						want = base64.StdEncoding.EncodeToString(sumOf(a.new(), raw)) + "-3"
					}
					head := c.ok(c.do(call{method: "HEAD", bucket: bucket, key: "target", headers: merged(key, map[string]string{"x-amz-checksum-mode": "ENABLED"})}))
					c.equal("the object's "+a.name, head.header.Get(header), want)
					c.equal("its type", head.header.Get("x-amz-checksum-type"), kind)
				}})
			}
		}
	}
	return cases
}

// preconditionCases try the truth table of the four conditions, and then the forms that each may have.
func preconditionCases() (cases []testCase) {
	for bits := range 16 {
		cases = append(cases, testCase{fmt.Sprintf("truth table %04b", bits), func(c *t) {
			bucket, id := c.upload(c.data[:100])
			head := c.ok(c.do(call{method: "HEAD", bucket: bucket, key: "source"})).header
			tag, modified := head.Get("ETag"), head.Get("Last-Modified")
			const long = "Mon, 01 Jan 2001 00:00:00 GMT"
			pick := func(hold bool, yes, no string) string {
				if hold {
					return yes
				}
				return no
			}
			match, none := bits&1 != 0, bits&2 != 0
			unmodified, since := bits&4 != 0, bits&8 != 0
			for _, pair := range []struct {
				headers map[string]string
				holds   bool
			}{
				{map[string]string{"x-amz-copy-source-if-match": pick(match, tag, `"no"`),
					"x-amz-copy-source-if-unmodified-since": pick(unmodified, modified, long)}, match},
				{map[string]string{"x-amz-copy-source-if-none-match": pick(none, `"no"`, tag),
					"x-amz-copy-source-if-modified-since": pick(since, long, modified)}, none},
				{map[string]string{"x-amz-copy-source-if-match": pick(match, tag, `"no"`),
					"x-amz-copy-source-if-none-match": pick(none, `"no"`, tag)}, match && none},
				{map[string]string{"x-amz-copy-source-if-unmodified-since": pick(unmodified, modified, long),
					"x-amz-copy-source-if-modified-since": pick(since, long, modified)}, unmodified && since},
			} {
				a := c.copyPart(bucket, "target", id, 1, bucket+"/source", "", pair.headers)
				if pair.holds {
					c.copied(a)
				} else {
					c.want(a, 412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
				}
			}
		}})
	}
	one := func(name, header, value string, holds bool) testCase {
		return testCase{name, func(c *t) {
			bucket, id := c.upload(c.data[:100])
			value := strings.ReplaceAll(value, "TAG", strings.Trim(md5Tag(c.data[:100]), `"`))
			a := c.copyPart(bucket, "target", id, 1, bucket+"/source", "", map[string]string{header: value})
			if holds {
				c.copied(a)
			} else {
				c.want(a, 412, "PreconditionFailed", "")
			}
		}}
	}
	return append(cases,
		one("a bare tag", "x-amz-copy-source-if-match", "TAG", true),
		one("a quoted tag", "x-amz-copy-source-if-match", `"TAG"`, true),
		one("a star", "x-amz-copy-source-if-match", "*", true),
		one("none may match, a bare tag", "x-amz-copy-source-if-none-match", "TAG", false),
		one("none may match, a star", "x-amz-copy-source-if-none-match", "*", false),
		one("a date in the future is none", "x-amz-copy-source-if-modified-since", "Mon, 01 Jan 2125 00:00:00 GMT", true),
		one("a date that is none", "x-amz-copy-source-if-unmodified-since", "yesterday", true),
		one("a date as of RFC 850", "x-amz-copy-source-if-unmodified-since", "Monday, 01-Jan-01 00:00:00 GMT", false),
		one("a date as of asctime", "x-amz-copy-source-if-unmodified-since", "Mon Jan  1 00:00:00 2001", false),
	)
}
