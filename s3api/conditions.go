package s3api

import (
	"net/http"
	"strings"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// verdict is the result of the conditions of a read.
type verdict int

const (
	proceed     verdict = iota
	notModified         // 304
	failed              // 412
)

// readConditions are the conditional headers of a GET or HEAD.
type readConditions struct {
	ifMatch, ifNoneMatch               string
	ifModifiedSince, ifUnmodifiedSince time.Time
}

func parseReadConditions(h http.Header) readConditions {
	return readConditions{
		ifMatch:           h.Get("If-Match"),
		ifNoneMatch:       h.Get("If-None-Match"),
		ifModifiedSince:   httpDate(h.Get("If-Modified-Since")),
		ifUnmodifiedSince: httpDate(h.Get("If-Unmodified-Since")),
	}
}

// evaluate weighs the conditions in the order of RFC 9110, 13.2.2: a condition on the tag makes the
// one on the date of its kind void.
func (c readConditions) evaluate(etag string, modifiedMS int64) verdict {
	modified := time.UnixMilli(modifiedMS).Truncate(time.Second)
	switch {
	case c.ifMatch != "":
		if !matchesETag(c.ifMatch, etag) {
			return failed
		}
	case !c.ifUnmodifiedSince.IsZero() && modified.After(c.ifUnmodifiedSince):
		return failed
	}
	switch {
	case c.ifNoneMatch != "":
		if matchesETag(c.ifNoneMatch, etag) {
			return notModified
		}
	case !c.ifModifiedSince.IsZero() && !modified.After(c.ifModifiedSince):
		return notModified
	}
	return proceed
}

// matchesETag reports whether a list of entity tags, quoted or bare, names etag;
// * names any.
func matchesETag(list, etag string) bool {
	for tag := range strings.SplitSeq(list, ",") {
		tag = unquoteETag(tag)
		if tag == "*" || tag == etag {
			return true
		}
	}
	return false
}

// unquoteETag returns an entity tag without white space, weakness and quotes.
func unquoteETag(tag string) string {
	tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
	if len(tag) >= 2 && tag[0] == '"' && tag[len(tag)-1] == '"' {
		return tag[1 : len(tag)-1]
	}
	return tag
}

// rangeHolds reports whether If-Range allows a Range for the object as it is.
func rangeHolds(ifRange, etag string, modifiedMS int64) bool {
	if ifRange == "" {
		return true
	}
	if t := httpDate(ifRange); !t.IsZero() {
		return time.UnixMilli(modifiedMS).Truncate(time.Second).Equal(t)
	}
	return !strings.HasPrefix(ifRange, "W/") && unquoteETag(ifRange) == etag
}

// writeConditions reads the conditions of a PUT, a CopyObject or a Complete; nil: there are none.
// They are decided when the write commits. S3 knows If-Match with one tag or *, and If-None-Match
// only with *.
func writeConditions(h http.Header) (*metapb.Conditions, error) {
	for _, name := range []string{"If-Modified-Since", "If-Unmodified-Since"} {
		if h.Get(name) != "" {
			return nil, notImplementedHeader(name)
		}
	}
	match, noneMatch := h.Get("If-Match"), h.Get("If-None-Match")
	if match == "" && noneMatch == "" {
		return nil, nil
	}
	if match != "" && noneMatch != "" {
		return nil, notImplementedHeader("If-Match with If-None-Match")
	}
	match, noneMatch = unquoteETag(match), unquoteETag(noneMatch)
	if noneMatch != "" && noneMatch != "*" {
		return nil, notImplementedHeader("If-None-Match")
	}
	if strings.ContainsRune(match, ',') {
		return nil, notImplementedHeader("If-Match")
	}
	return &metapb.Conditions{IfMatch: match, IfNoneMatch: noneMatch}, nil
}

// preconditionFailed names the condition that did not hold.
func preconditionFailed(c readConditions) error {
	name := "If-Unmodified-Since"
	if c.ifMatch != "" {
		name = "If-Match"
	}
	return s3err.PreconditionFailed.Say("", s3err.Field{Name: "Condition", Value: name})
}
