package wirexml_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func codeOf(t testing.TB, err error) s3err.Code {
	t.Helper()
	if err == nil {
		return ""
	}
	var e *s3err.Error
	if !errors.As(err, &e) {
		t.Fatalf("not a *s3err.Error: %v", err)
	}
	return e.Code
}

func TestParseCompleteUpload(t *testing.T) {
	parts, err := wirexml.ParseCompleteUpload([]byte(`<?xml version="1.0" encoding="UTF-8" standalone='yes'?>
<!-- a comment --><s3:CompleteMultipartUpload xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/">
	<s3:Part a="b"><ETag>&quot;abc&quot;</ETag><PartNumber> 1 </PartNumber><ChecksumCRC32>AAAAAA==</ChecksumCRC32></s3:Part>
	<Part><PartNumber>10000</PartNumber><ETag><![CDATA["d]e"]]></ETag></Part><?pi x?><Part><PartNumber>3</PartNumber><ETag/></Part>
</s3:CompleteMultipartUpload>
`))
	require.NoError(t, err)
	require.Len(t, parts, 3)
	require.Equal(t, 1, parts[0].Number)
	require.Equal(t, "abc", parts[0].ETag)
	require.Equal(t, "CRC32", parts[0].Checksums[0].GetAlgorithm())
	require.Equal(t, make([]byte, 4), parts[0].Checksums[0].GetValue())
	require.Equal(t, wirexml.CompletedPart{Number: 10000, ETag: "d]e"}, parts[1])
	require.Equal(t, wirexml.CompletedPart{Number: 3}, parts[2])
}

func complete(parts string) string {
	return "<CompleteMultipartUpload>" + parts + "</CompleteMultipartUpload>"
}

func part(inner string) string { return complete("<Part>" + inner + "</Part>") }

func TestRefuseCompleteUpload(t *testing.T) {
	const good = "<Part><PartNumber>1</PartNumber><ETag>e</ETag></Part>"
	for doc, want := range map[string]s3err.Code{
		complete(good):                        "",
		complete(strings.Repeat(good, 10000)): "",
		complete(strings.Repeat(good, 10001)): s3err.MalformedXML,
		"\xef\xbb\xbf" + complete(good):       "",
		"":                                    s3err.MalformedXML,
		"garbage":                             s3err.MalformedXML,
		complete(""):                          s3err.MalformedXML,
		"<CompleteMultipartUpload/>":          s3err.MalformedXML,
		"<Delete></Delete>":                   s3err.MalformedXML,
		complete(good) + "x":                  s3err.MalformedXML,
		complete(good) + complete(good):       s3err.MalformedXML,
		complete("x" + good):                  s3err.MalformedXML,
		complete("<Other/>"):                  s3err.MalformedXML,
		part("<PartNumber>1</PartNumber>"):    s3err.MalformedXML,
		part("<ETag>e</ETag>"):                s3err.MalformedXML,
		part("<PartNumber>1</PartNumber><PartNumber>2</PartNumber><ETag>e</ETag>"):                                                     s3err.MalformedXML,
		part("<PartNumber>1</PartNumber><ETag>e</ETag><ETag>f</ETag>"):                                                                 s3err.MalformedXML,
		part("<PartNumber>1</PartNumber><ETag>e</ETag><Size>1</Size>"):                                                                 s3err.MalformedXML,
		part("<PartNumber>one</PartNumber><ETag>e</ETag>"):                                                                             s3err.MalformedXML,
		part("<PartNumber>99999999999999999999</PartNumber><ETag>e</ETag>"):                                                            s3err.MalformedXML,
		part("<PartNumber>0</PartNumber><ETag>e</ETag>"):                                                                               s3err.InvalidArgument,
		part("<PartNumber>-1</PartNumber><ETag>e</ETag>"):                                                                              s3err.InvalidArgument,
		part("<PartNumber>10001</PartNumber><ETag>e</ETag>"):                                                                           s3err.InvalidArgument,
		part("<PartNumber>1</PartNumber><ETag>e</ETag><ChecksumCRC32>AAAA</ChecksumCRC32>"):                                            s3err.InvalidRequest,
		part("<PartNumber>1</PartNumber><ETag>e</ETag><ChecksumXXHASH32>AAAA</ChecksumXXHASH32>"):                                      s3err.NotImplemented,
		part("<PartNumber>1</PartNumber><ETag>e</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32><ChecksumCRC32>AAAAAA==</ChecksumCRC32>"): s3err.MalformedXML,
		"<!DOCTYPE a><CompleteMultipartUpload>" + good + "</CompleteMultipartUpload>":                                                  s3err.MalformedXML,
		"<!DOCTYPE lolz [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>" + part("<PartNumber>1</PartNumber><ETag>&b;</ETag>"):            s3err.MalformedXML,
		part("<PartNumber>1</PartNumber><ETag>&unknown;</ETag>"):                                                                       s3err.MalformedXML,
		part("<PartNumber>1</PartNumber><ETag>&#0;</ETag>"):                                                                            s3err.MalformedXML,
		part("<PartNumber>1</PartNumber><ETag>&#xD800;</ETag>"):                                                                        s3err.MalformedXML,
		part("<PartNumber>1</PartNumber><ETag>&#x110000;</ETag>"):                                                                      s3err.MalformedXML,
		part("<PartNumber>1</PartNumber><ETag>a&b</ETag>"):                                                                             s3err.MalformedXML,
		part("<PartNumber>1</PartNumber><ETag>\x01</ETag>"):                                                                            s3err.MalformedXML,
		part("<PartNumber>1</PartNumber><ETag>\xff</ETag>"):                                                                            s3err.MalformedXML,
		part("<PartNumber>1</PartNumber><ETag><b>e</b></ETag>"):                                                                        s3err.MalformedXML,
		part("<PartNumber>1</PartNumber><ETag>e</etag>"):                                                                               s3err.MalformedXML,
		part("<PartNumber>1</PartNumber><ETag>e]]></ETag>"):                                                                            s3err.MalformedXML,
		"<?xml version=\"1.0\" encoding=\"UTF-16\"?>" + complete(good):                                                                 s3err.MalformedXML,
		"<?xml version=\"1.1\"?>" + complete(good):                                                                                     s3err.MalformedXML,
		"<?xml?>" + complete(good):                                                                                                     s3err.MalformedXML,
		" <?xml version=\"1.0\"?>" + complete(good):                                                                                    s3err.MalformedXML,
		"<CompleteMultipartUpload a=b>" + good + "</CompleteMultipartUpload>":                                                          s3err.MalformedXML,
		"<CompleteMultipartUpload>" + good:                                                                                             s3err.MalformedXML,
		strings.Repeat("<CompleteMultipartUpload>", 1_000_000):                                                                         s3err.MalformedXML,
		"<" + strings.Repeat("a", 1_000_000) + ">":                                                                                     s3err.MalformedXML,
		"\xff\xfe<\x00C\x00":                     s3err.MalformedXML,
		"<!-- " + strings.Repeat("-", 1_000_000): s3err.MalformedXML,
	} {
		parts, err := wirexml.ParseCompleteUpload([]byte(doc))
		require.Equal(t, want, codeOf(t, err), "%.200s: %v", doc, err)
		require.Equal(t, err == nil, len(parts) > 0)
	}
}

func TestParseDelete(t *testing.T) {
	d, err := wirexml.ParseDelete([]byte("<Delete><Quiet> TRUE </Quiet><Object><Key> a&amp;b&#x20AC;&#13;\r\nx&#x1;</Key><VersionId>null</VersionId></Object><Object><Key>c</Key></Object></Delete>"))
	require.NoError(t, err)
	require.True(t, d.Quiet)
	require.Len(t, d.Objects, 2)
	require.Equal(t, " a&b€\r\nx\x01", d.Objects[0].GetKey())
	require.Equal(t, "null", d.Objects[0].GetVersionId())
	require.Equal(t, "c", d.Objects[1].GetKey())
	object := "<Object><Key>k</Key></Object>"
	for doc, want := range map[string]s3err.Code{
		"<Delete>" + strings.Repeat(object, 1000) + "</Delete>": "",
		"<Delete>" + strings.Repeat(object, 1001) + "</Delete>": s3err.MalformedXML,
		"<Delete></Delete>":                        s3err.MalformedXML,
		"<Delete><Quiet>true</Quiet></Delete>":     s3err.MalformedXML,
		"<Delete><Object/></Delete>":               s3err.MalformedXML,
		"<Delete><Object><Key/></Object></Delete>": s3err.MalformedXML,
		"<Delete><Object><Key>a</Key><ETag>e</ETag><Size>1</Size><LastModifiedTime>2026-01-02T03:04:05Z</LastModifiedTime></Object></Delete>": "",
		"<Delete><Object><Key>a</Key><LastModifiedTime>Fri, 02 Jan 2026 03:04:05 GMT</LastModifiedTime></Object></Delete>":                    "",
		"<Delete><Object><Key>a</Key><LastModifiedTime>now</LastModifiedTime></Object></Delete>":                                              s3err.MalformedXML,
		"<Delete><Object><Key>a</Key><Size>-1</Size></Object></Delete>":                                                                       s3err.MalformedXML,
		"<Delete><Object><Key>a</Key><Size>1</Size><Size>1</Size></Object></Delete>":                                                          s3err.MalformedXML,
		"<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>":                                                                          s3err.MalformedXML,
		"<Delete><Object><Key>a</Key></Object><Object><Key>b</Object></Delete>":                                                               s3err.MalformedXML,
	} {
		_, err := wirexml.ParseDelete([]byte(doc))
		require.Equal(t, want, codeOf(t, err), "%.200s: %v", doc, err)
	}
}

func TestParseCreateBucket(t *testing.T) {
	for doc, want := range map[string]string{
		"":                             "",
		"<CreateBucketConfiguration/>": "",
		"<CreateBucketConfiguration xmlns='x'><LocationConstraint/></CreateBucketConfiguration>":                  "",
		"<CreateBucketConfiguration><LocationConstraint>eu-de\n</LocationConstraint></CreateBucketConfiguration>": "eu-de",
	} {
		b, err := wirexml.ParseCreateBucket([]byte(doc))
		require.NoError(t, err)
		require.Equal(t, want, b.Location)
		require.Empty(t, b.Tags)
	}
	const tag = "<Tag><Key>a</Key><Value>b</Value></Tag>"
	b, err := wirexml.ParseCreateBucket([]byte("<CreateBucketConfiguration><Tags>" + tag + "</Tags></CreateBucketConfiguration>"))
	require.NoError(t, err)
	require.Len(t, b.Tags, 1)
	_, err = wirexml.ParseCreateBucket([]byte("<CreateBucketConfiguration><Tags>" + tag + tag + "</Tags></CreateBucketConfiguration>"))
	require.Equal(t, s3err.InvalidTag, codeOf(t, err))
	_, err = wirexml.ParseCreateBucket([]byte("<CreateBucketConfiguration><Bucket/></CreateBucketConfiguration>"))
	require.Equal(t, s3err.NotImplemented, codeOf(t, err))
	_, err = wirexml.ParseCreateBucket([]byte(" "))
	require.Equal(t, s3err.MalformedXML, codeOf(t, err))
}

func TestRead(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 10_000)
	for _, size := range []int64{-1, 0, 100, 10_000} {
		got, err := wirexml.Read(iotest.HalfReader(bytes.NewReader(body)), size, 10_000, nil)
		require.NoError(t, err)
		require.Equal(t, body, got)
	}
	_, err := wirexml.Read(bytes.NewReader(body), -1, 9_999, nil)
	require.Equal(t, s3err.MaxMessageLengthExceeded, codeOf(t, err))
	_, err = wirexml.Read(bytes.NewReader(body), 10_000, 9_999, nil)
	require.Equal(t, s3err.MaxMessageLengthExceeded, codeOf(t, err))
	own := s3err.XAmzContentSHA256Mismatch.Err()
	_, err = wirexml.Read(io.MultiReader(bytes.NewReader(body), iotest.ErrReader(own)), -1, 1<<20, nil)
	require.Same(t, own, err)
	_, err = wirexml.Read(iotest.ErrReader(io.ErrUnexpectedEOF), -1, 1<<20, nil)
	require.Equal(t, s3err.IncompleteBody, codeOf(t, err))
}

// TestHostileDocuments parses bodies of the greatest size in shapes that would cost a careless
// parser quadratic time, its stack, or gigabytes.
func TestHostileDocuments(t *testing.T) {
	fill := func(before, unit, after string) []byte {
		n := (wirexml.MaxBodyBytes - len(before) - len(after)) / len(unit)
		return []byte(before + strings.Repeat(unit, n) + after)
	}
	const open, end = "<Delete><Object><Key>", "</Key></Object></Delete>"
	for name, doc := range map[string][]byte{
		"text and comments": fill(open, "a<!---->", end),
		"text and CDATA":    fill(open, "a<![CDATA[b]]>", end),
		"comments":          fill("<Delete>", "<!---->", "</Delete>"),
		"open comments":     fill("<Delete>", "<!--", "</Delete>"),
		"instructions":      fill("<Delete>", "<?a?>", "</Delete>"),
		"open instructions": fill("", "<?a", ""),
		"open CDATA":        fill(open, "<![CDATA[", end),
		"references":        fill(open, "&amp;", end),
		"open references":   fill(open, "&", end),
		"line ends":         fill(open, "\r", end),
		"attributes":        fill("<Delete", " a='b'", "></Delete>"),
		"open tags":         fill("", "<a>", ""),
		"open brackets":     fill("<Delete>", "<", ""),
		"white space":       fill("<Delete>", " ", "</Delete>"),
		"empty objects":     fill("<Delete>", "<Object/>", "</Delete>"),
	} {
		_, err := wirexml.ParseDelete(doc)
		require.Equal(t, s3err.MalformedXML, codeOf(t, err), name)
	}
}

// readable reports whether encoding/xml reads a document too. It may refuse a document that we
// accept only because of references to control characters.
func readable(t *testing.T, doc []byte, into any) bool {
	err := xml.Unmarshal(doc, into)
	if err != nil && !strings.Contains(err.Error(), "illegal character code") {
		t.Fatalf("encoding/xml refuses %q: %v", doc, err)
	}
	return err == nil
}

// FuzzDelete compares the scanner with encoding/xml, which must accept and read in the same way
// whatever we accept.
func FuzzDelete(f *testing.F) {
	f.Add([]byte(`<?xml version="1.0" encoding="utf-8"?><a:Delete xmlns:a='b'><!--x--><Quiet>true</Quiet><Object><Key>a&lt;<![CDATA[b]]>&#65;</Key><VersionId/></Object></a:Delete>`))
	f.Add([]byte("<Delete><Object><Key>\r\n\r</Key></Object></Delete><?x y?>"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		d, err := wirexml.ParseDelete(doc)
		if err != nil {
			codeOf(t, err)
			return
		}
		var want struct {
			XMLName xml.Name
			Quiet   string
			Object  []struct{ Key, VersionId string }
		}
		if !readable(t, doc, &want) {
			return
		}
		if want.XMLName.Local != "Delete" || len(want.Object) != len(d.Objects) {
			t.Fatalf("%q: %+v, %+v", doc, want, d)
		}
		for i, o := range want.Object {
			if o.Key != d.Objects[i].GetKey() || strings.Trim(o.VersionId, " \t\n\r") != strings.Trim(d.Objects[i].GetVersionId(), " \t\n\r") {
				t.Fatalf("%q: %+v, %+v", doc, o, d.Objects[i])
			}
		}
	})
}

func FuzzCompleteUpload(f *testing.F) {
	f.Add([]byte(part("<PartNumber>1</PartNumber><ETag>\"e\"</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32>")))
	f.Add([]byte("<?xml version='1.0'?>" + complete("<Part><ETag/><PartNumber>1</PartNumber></Part>")))
	f.Fuzz(func(t *testing.T, doc []byte) {
		parts, err := wirexml.ParseCompleteUpload(doc)
		if err != nil {
			codeOf(t, err)
			return
		}
		var want struct {
			Part []struct{ PartNumber, ETag string }
		}
		if readable(t, doc, &want) && len(want.Part) != len(parts) {
			t.Fatalf("%q: %d parts, not %d", doc, len(parts), len(want.Part))
		}
	})
}

func FuzzCreateBucket(f *testing.F) {
	f.Add([]byte("<CreateBucketConfiguration><LocationConstraint>eu</LocationConstraint></CreateBucketConfiguration>"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		_, err := wirexml.ParseCreateBucket(doc)
		codeOf(t, err)
	})
}

func BenchmarkParseCompleteUpload(b *testing.B) {
	var parts strings.Builder
	for i := range 10000 {
		fmt.Fprintf(&parts, "<Part><ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag><PartNumber>%d</PartNumber><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>", i+1)
	}
	doc := []byte(complete(parts.String()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wirexml.ParseCompleteUpload(doc); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10000, "ns/part")
}
