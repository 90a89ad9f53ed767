package s3api

import (
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// Messages that clients and test suites compare.
const (
	msgCopySource      = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
	msgCopySourceRange = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy"
)

// maxRangeDigits bounds the offsets of a copy's range: 19 digits fit 64 bits.
const maxRangeDigits = 19

const versionIDMark = "?versionId="

// parseCopySource reads an x-amz-copy-source. The version id is split off the raw value at the last
// question mark, so a key may hold an encoded one. The rest is decoded once, as a path. If the raw
// value holds a '+', AlternateKey is the key in which it stands for a space, as some clients encode
// it.
func parseCopySource(raw string) (object.CopySource, error) {
	var src object.CopySource
	if strings.HasPrefix(raw, "arn:") {
		return src, s3err.NotImplemented.Say("Access points and outposts are not implemented: x-amz-copy-source must be bucket/key.")
	}
	if i := strings.LastIndex(raw, versionIDMark); i >= 0 {
		id, err := url.QueryUnescape(raw[i+len(versionIDMark):])
		if err != nil || id == "" || !utf8.ValidString(id) {
			return src, badCopySource("The version id of x-amz-copy-source is empty or is not percent-encoded UTF-8.", raw)
		}
		raw, src.VersionID = raw[:i], id
	}
	bucket, key, err := splitSource(raw)
	if err != nil {
		return src, err
	}
	src.Bucket, src.Key = bucket, key
	if strings.Contains(raw, "+") {
		_, alternate, err := splitSource(strings.ReplaceAll(raw, "+", "%20"))
		if err != nil {
			return src, err
		}
		if alternate != key {
			src.AlternateKey = alternate
		}
	}
	return src, nil
}

// splitSource decodes bucket/key or /bucket/key, however its slashes are encoded.
func splitSource(raw string) (bucket, key string, err error) {
	path, err := url.PathUnescape(raw)
	if err != nil || !utf8.ValidString(path) || strings.IndexByte(path, 0) >= 0 {
		return "", "", badCopySource("x-amz-copy-source must be percent-encoded UTF-8.", raw)
	}
	bucket, key, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if bucket == "" || key == "" {
		return "", "", badCopySource(msgCopySource, raw)
	}
	if len(key) > MaxKeyBytes {
		return "", "", s3err.KeyTooLong.Err()
	}
	return bucket, key, nil
}

func badCopySource(message, raw string) error {
	return s3err.BadArgument("x-amz-copy-source", strings.ToValidUTF8(raw, "\uFFFD"), message)
}

// parseCopySourceRange reads an x-amz-copy-source-range. Both offsets are required. The object
// service checks whether the range lies in the source.
func parseCopySourceRange(raw string) (*object.Range, error) {
	spec, ok := strings.CutPrefix(raw, "bytes=")
	first, last, found := strings.Cut(spec, "-")
	if !ok || !found || !isDigits(first) || !isDigits(last) || len(first) > maxRangeDigits || len(last) > maxRangeDigits {
		return nil, badCopySourceRange(raw)
	}
	r := &object.Range{Kind: metapb.RangeKind_RANGE_FIRST_LAST, First: saturatingUint(first), Last: saturatingUint(last)}
	if r.First > r.Last {
		return nil, badCopySourceRange(raw)
	}
	return r, nil
}

func badCopySourceRange(raw string) error {
	return s3err.BadArgument("x-amz-copy-source-range", strings.ToValidUTF8(raw, "\uFFFD"), msgCopySourceRange)
}

// copySource reads all that a copy's headers say of its source.
func (s *server) copySource(rq *request) (object.CopySource, error) {
	h := rq.r.Header
	src, err := parseCopySource(h.Get("X-Amz-Copy-Source"))
	if err != nil {
		return src, err
	}
	if err := s.checkVersionID(src.VersionID); err != nil {
		return src, err
	}
	if src.CustomerKey, err = s.customerKey(rq, sourceKeyHeaders); err != nil {
		return src, err
	}
	src.Conditions = sourceConditions(h, time.Now())
	return src, nil
}

// sourceConditions reads the x-amz-copy-source-if-* headers. A date is no condition if it cannot be
// read or lies in the future.
func sourceConditions(h http.Header, now time.Time) object.ReadConditions {
	return object.ReadConditions{
		IfMatch:           h.Get("X-Amz-Copy-Source-If-Match"),
		IfNoneMatch:       h.Get("X-Amz-Copy-Source-If-None-Match"),
		IfModifiedSince:   pastDate(h.Get("X-Amz-Copy-Source-If-Modified-Since"), now),
		IfUnmodifiedSince: pastDate(h.Get("X-Amz-Copy-Source-If-Unmodified-Since"), now),
	}
}

func pastDate(v string, now time.Time) time.Time {
	t := httpDate(v)
	if t.After(now) {
		return time.Time{}
	}
	return t
}

// httpDate reads a date in the three forms of HTTP; zero if it is none.
func httpDate(v string) time.Time {
	if v == "" {
		return time.Time{}
	}
	t, err := http.ParseTime(v)
	if err != nil {
		return time.Time{}
	}
	return t
}
