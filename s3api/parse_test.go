package s3api

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
)

func TestParseCopySource(t *testing.T) {
	for _, c := range []struct{ raw, bucket, key, alternate, version, code string }{
		{raw: "/b/k", bucket: "b", key: "k"},
		{raw: "b/k", bucket: "b", key: "k"},
		{raw: "%2Fb%2Fk", bucket: "b", key: "k"},
		{raw: "b%2Fk", bucket: "b", key: "k"},
		{raw: "b/a%2fb//c/", bucket: "b", key: "a/b//c/"},
		{raw: "//b/k", code: "InvalidArgument"},
		{raw: "b/%20", bucket: "b", key: " "},
		{raw: "b/a+b", bucket: "b", key: "a+b", alternate: "a b"},
		{raw: "b/a%2Bb", bucket: "b", key: "a+b"},
		{raw: "b/100%25", bucket: "b", key: "100%"},
		{raw: "b/%C3%A4", bucket: "b", key: "ä"},
		{raw: "b/k?versionId=v1", bucket: "b", key: "k", version: "v1"},
		{raw: "b/k?versionId=null", bucket: "b", key: "k", version: "null"},
		{raw: "b/%3FversionId", bucket: "b", key: "?versionId"},
		{raw: "b/%3FversionId=x?versionId=y", bucket: "b", key: "?versionId=x", version: "y"},
		{raw: "b/k?versionId=x?versionId=y", bucket: "b", key: "k?versionId=x", version: "y"},
		{raw: "b/?versionId", bucket: "b", key: "?versionId"},
		{raw: "b/k?versionId=", code: "InvalidArgument"},
		{raw: "b", code: "InvalidArgument"},
		{raw: "b/", code: "InvalidArgument"},
		{raw: "/", code: "InvalidArgument"},
		{raw: "", code: "InvalidArgument"},
		{raw: "b/%zz", code: "InvalidArgument"},
		{raw: "b/%ff", code: "InvalidArgument"},
		{raw: "b/%00", code: "InvalidArgument"},
		{raw: "b/" + strings.Repeat("k", 1024), bucket: "b", key: strings.Repeat("k", 1024)},
		{raw: "b/" + strings.Repeat("k", 1025), code: "KeyTooLongError"},
		{raw: "arn:aws:s3:r:1:accesspoint/x/object/k", code: "NotImplemented"},
	} {
		t.Run(strings.ReplaceAll(c.raw[:min(len(c.raw), 40)], "/", "|"), func(t *testing.T) {
			got, err := parseCopySource(c.raw)
			if c.code != "" {
				require.Error(t, err)
				require.Equal(t, s3err.Code(c.code), s3err.FromError(err).Code)
				return
			}
			require.NoError(t, err)
			require.Equal(t, object.CopySource{Bucket: c.bucket, Key: c.key, AlternateKey: c.alternate, VersionID: c.version}, got)
		})
	}
}

// FuzzCopySource: whatever a key is, its encoding finds it again, and no input does
// worse than an S3 error.
func FuzzCopySource(f *testing.F) {
	for _, s := range []string{"b/k", "/b/k?versionId=3", "%2Fb%2Fk", "b/a+b", "b/?versionId=?versionId=", "b/%3FversionId", "\x00", "b/%", "b//"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		src, err := parseCopySource(raw)
		if err != nil {
			if s := s3err.FromError(err).Status(); s != 400 && s != 501 {
				t.Fatalf("status %d for %q", s, raw)
			}
			return
		}
		if src.Bucket == "" || src.Key == "" || len(src.Key) > MaxKeyBytes || strings.Contains(src.Bucket, "/") {
			t.Fatalf("%q parsed to %+v", raw, src)
		}
		version := ""
		if src.VersionID != "" {
			version = versionIDMark + url.QueryEscape(src.VersionID)
		}
		again, err := parseCopySource(url.PathEscape(src.Bucket) + "/" + strings.ReplaceAll(url.PathEscape(src.Key), "+", "%2B") + version)
		src.AlternateKey = ""
		if err != nil || again != src {
			t.Fatalf("%q: %+v, then %+v (%v)", raw, src, again, err)
		}
	})
}

var copyRange = regexp.MustCompile(`^bytes=(\d{1,19})-(\d{1,19})$`)

// FuzzCopySourceRange holds the parser against the rule as a regular expression.
func FuzzCopySourceRange(f *testing.F) {
	for _, s := range []string{"bytes=0-0", "bytes=5-", "bytes=-5", "0-2", "bytes=0", "bytes=a-b", "bytes=0-2,3-5", "", "bytes=9999999999999999999-9999999999999999999", "bytes=00-01", "bytes=3-2", "Bytes=0-1", "bytes=0-1 "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := parseCopySourceRange(raw)
		m := copyRange.FindStringSubmatch(raw)
		var first, last uint64
		if m != nil {
			first, _ = strconv.ParseUint(m[1], 10, 64)
			last, _ = strconv.ParseUint(m[2], 10, 64)
		}
		switch {
		case m == nil || first > last:
			if err == nil || err.(*s3err.Error).Code != s3err.InvalidArgument || err.(*s3err.Error).Message != msgCopySourceRange {
				t.Fatalf("%q: %v, %v", raw, got, err)
			}
		case err != nil || got.First != first || got.Last != last || got.Kind != metapb.RangeKind_RANGE_FIRST_LAST:
			t.Fatalf("%q: %+v, %v", raw, got, err)
		}
	})
}

func TestParseRange(t *testing.T) {
	const all = metapb.RangeKind_RANGE_ALL
	for _, c := range []struct {
		header string
		want   object.Range
	}{
		{"bytes=0-0", object.Range{Kind: metapb.RangeKind_RANGE_FIRST_LAST}},
		{"bytes=2-5", object.Range{Kind: metapb.RangeKind_RANGE_FIRST_LAST, First: 2, Last: 5}},
		{"bytes=2-", object.Range{Kind: metapb.RangeKind_RANGE_FROM, First: 2}},
		{"bytes=-7", object.Range{Kind: metapb.RangeKind_RANGE_SUFFIX, Last: 7}},
		{"bytes=-0", object.Range{Kind: metapb.RangeKind_RANGE_SUFFIX}},
		{"BYTES = 1-2", object.Range{Kind: metapb.RangeKind_RANGE_FIRST_LAST, First: 1, Last: 2}},
		{"bytes=1-99999999999999999999999", object.Range{Kind: metapb.RangeKind_RANGE_FIRST_LAST, First: 1, Last: math.MaxUint64}},
		{"bytes=18446744073709551615-18446744073709551616", object.Range{Kind: metapb.RangeKind_RANGE_FIRST_LAST, First: math.MaxUint64, Last: math.MaxUint64}},
		{"bytes=5-2", object.Range{Kind: all}},
		{"bytes=0-1,3-4", object.Range{Kind: all}},
		{"bytes=-", object.Range{Kind: all}},
		{"bytes=", object.Range{Kind: all}},
		{"bytes", object.Range{Kind: all}},
		{"bytes=a-b", object.Range{Kind: all}},
		{"bytes=1--2", object.Range{Kind: all}},
		{"bytes=+1-2", object.Range{Kind: all}},
		{"lines=1-2", object.Range{Kind: all}},
		{"", object.Range{Kind: all}},
	} {
		got, ok := parseRange(c.header)
		require.Equal(t, c.want, got, c.header)
		require.Equal(t, c.want.Kind != all, ok, c.header)
	}
}

// FuzzRange: any header and size give bytes inside the object, as an oracle with
// big margins computes them.
func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-0", "bytes=5-", "bytes=-5", "bytes=0-1,2-3", "bytes=18446744073709551615-", "bytes=-18446744073709551616"} {
		f.Add(s, uint64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size uint64) {
		r, _ := parseRange(header)
		first, length, ok := resolveRange(r, size)
		if !ok {
			return
		}
		if first > size || length > size-first || length == 0 && r.Kind != metapb.RangeKind_RANGE_ALL {
			t.Fatalf("%q of %d: %d+%d", header, size, first, length)
		}
	})
}

// TestResolveRange compares with a byte by byte oracle.
func TestResolveRange(t *testing.T) {
	for size := uint64(0); size <= 4; size++ {
		for a := uint64(0); a <= 5; a++ {
			for b := uint64(0); b <= 5; b++ {
				for _, kind := range []metapb.RangeKind{metapb.RangeKind_RANGE_FIRST_LAST, metapb.RangeKind_RANGE_FROM, metapb.RangeKind_RANGE_SUFFIX} {
					if kind == metapb.RangeKind_RANGE_FIRST_LAST && a > b {
						continue
					}
					var want []uint64
					for i := range size {
						switch {
						case kind == metapb.RangeKind_RANGE_FIRST_LAST && a <= i && i <= b,
							kind == metapb.RangeKind_RANGE_FROM && a <= i,
							kind == metapb.RangeKind_RANGE_SUFFIX && i+b >= size:
							want = append(want, i)
						}
					}
					first, length, ok := resolveRange(object.Range{Kind: kind, First: a, Last: b}, size)
					name := fmt.Sprint(kind, " ", a, "-", b, " of ", size)
					require.Equal(t, len(want) > 0, ok, name)
					require.EqualValues(t, len(want), length, name)
					if ok {
						require.Equal(t, want[0], first, name)
					}
				}
			}
		}
	}
}

// TestReadConditions is the truth table of the four conditions: absent, holding or
// not, each.
func TestReadConditions(t *testing.T) {
	const etag = "abc"
	modified := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC) // Headers have no fractions.
	tags := map[string]map[bool]string{
		"If-Match":      {true: `"x", "abc"`, false: `"x"`},
		"If-None-Match": {true: `"x"`, false: `W/"abc"`},
	}
	dates := map[string]map[bool]time.Time{
		"If-Unmodified-Since": {true: modified, false: modified.Add(-time.Second)},
		"If-Modified-Since":   {true: modified.Add(-time.Second), false: modified},
	}
	for n := range 81 {
		state := [4]int{n % 3, n / 3 % 3, n / 9 % 3, n / 27 % 3} // 0: absent, 1: holds, 2: does not.
		h := http.Header{}
		for i, name := range []string{"If-Match", "If-Unmodified-Since", "If-None-Match", "If-Modified-Since"} {
			switch {
			case state[i] == 0:
			case tags[name] != nil:
				h.Set(name, tags[name][state[i] == 1])
			default:
				h.Set(name, dates[name][state[i] == 1].UTC().Format(http.TimeFormat))
			}
		}
		want := proceed
		switch { // RFC 9110, 13.2.2, step by step.
		case state[0] == 2, state[0] == 0 && state[1] == 2:
			want = failed
		case state[2] == 2, state[2] == 0 && state[3] == 2:
			want = notModified
		}
		require.Equal(t, want, parseReadConditions(h).evaluate(etag, modified.UnixMilli()), "%v", h)
	}
	for _, c := range []struct {
		header, value string
		want          verdict
	}{
		{"If-Match", "*", proceed},
		{"If-Match", "abc", proceed},
		{"If-None-Match", "*", notModified},
		{"If-None-Match", "abc", notModified},
		{"If-Modified-Since", "yesterday", proceed},
		{"If-Unmodified-Since", "-1", proceed},
		{"If-Modified-Since", "Friday, 02-Jan-26 03:04:05 GMT", notModified},
		{"If-Modified-Since", "Fri Jan  2 03:04:05 2026", notModified},
	} {
		require.Equal(t, c.want, parseReadConditions(http.Header{c.header: {c.value}}).evaluate(etag, modified.UnixMilli()), "%v", c)
	}
}

func TestWriteConditions(t *testing.T) {
	for _, c := range []struct {
		headers []string
		want    *metapb.Conditions
		code    string
	}{
		{nil, nil, ""},
		{[]string{"If-None-Match", "*"}, &metapb.Conditions{IfNoneMatch: "*"}, ""},
		{[]string{"If-None-Match", `"*"`}, &metapb.Conditions{IfNoneMatch: "*"}, ""},
		{[]string{"If-Match", `"abc"`}, &metapb.Conditions{IfMatch: "abc"}, ""},
		{[]string{"If-Match", "abc"}, &metapb.Conditions{IfMatch: "abc"}, ""},
		{[]string{"If-None-Match", `"abc"`}, nil, "NotImplemented"},
		{[]string{"If-Match", `"a", "b"`}, nil, "NotImplemented"},
		{[]string{"If-Match", "a", "If-None-Match", "*"}, nil, "NotImplemented"},
		{[]string{"If-Modified-Since", "x"}, nil, "NotImplemented"},
		{[]string{"If-Unmodified-Since", "x"}, nil, "NotImplemented"},
	} {
		h := http.Header{}
		for i := 0; i < len(c.headers); i += 2 {
			h.Set(c.headers[i], c.headers[i+1])
		}
		got, err := writeConditions(h)
		if c.code != "" {
			require.Equal(t, s3err.Code(c.code), s3err.FromError(err).Code, "%v", c.headers)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want.GetIfMatch()+"|"+c.want.GetIfNoneMatch(), got.GetIfMatch()+"|"+got.GetIfNoneMatch())
		require.Equal(t, c.want == nil, got == nil)
	}
}

func TestSourceConditionsIgnoreFuture(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	h := http.Header{}
	h.Set("X-Amz-Copy-Source-If-Modified-Since", now.Add(time.Hour).Format(http.TimeFormat))
	h.Set("X-Amz-Copy-Source-If-Unmodified-Since", now.Format(http.TimeFormat))
	c := sourceConditions(h, now)
	require.True(t, c.IfModifiedSince.IsZero())
	require.Equal(t, now, c.IfUnmodifiedSince)
}

func TestContinuationToken(t *testing.T) {
	for _, key := range []string{"a", "a/b c", "ü\x01"} {
		for _, exact := range []bool{false, true} {
			got, err := decodeToken(encodeToken(position{key, exact}))
			require.NoError(t, err)
			require.Equal(t, position{key, exact}, got)
		}
	}
	for _, token := range []string{"a", "%", encodeToken(position{}), encodeToken(position{name: "\xff"}), "M2E"} {
		_, err := decodeToken(token)
		require.Error(t, err, token)
	}
}

func TestContentEncoding(t *testing.T) {
	for in, want := range map[string]string{
		"gzip": "gzip", "aws-chunked": "", "aws-chunked,gzip": "gzip", "gzip, aws-chunked": "gzip", "": "",
	} {
		require.Equal(t, want, withoutAWSChunked([]string{in}))
	}
	require.Equal(t, "gzip,br", withoutAWSChunked([]string{"aws-chunked", "gzip", "br"}))
	require.Empty(t, withoutAWSChunked(nil))
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{"a=b&c", "a=%2F&a=2", "prefix=a;b", "%", "=", "&&", "x=%ff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseQuery(raw)
		if err != nil {
			return
		}
		want, err := url.ParseQuery(strings.ReplaceAll(raw, ";", "%3B"))
		if err != nil {
			t.Fatalf("%q: accepted, url.ParseQuery says %v", raw, err)
		}
		for name := range want {
			if q.get(name) != want.Get(name) {
				t.Fatalf("%q: %q is %q, want %q", raw, name, q.get(name), want.Get(name))
			}
		}
	})
}
