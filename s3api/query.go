package s3api

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// query is the parameters of a request, in order. If a name comes twice, the first one counts.
type query []parameter

type parameter struct {
	name, value string
	bare        bool // It has no '=', as a sub-resource has none.
}

// parseQuery decodes a raw query once. Unlike url.ParseQuery it lets ';' stand, which a prefix may
// hold.
func parseQuery(raw string) (query, error) {
	if raw == "" {
		return nil, nil
	}
	q := make(query, 0, 1+strings.Count(raw, "&"))
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, found := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil || !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, s3err.InvalidURI.Say("The query must be percent-encoded UTF-8.")
		}
		q = append(q, parameter{name, value, !found})
	}
	return q, nil
}

func (q query) lookup(name string) (value string, ok bool) {
	for i := range q {
		if q[i].name == name {
			return q[i].value, true
		}
	}
	return "", false
}

func (q query) get(name string) string {
	value, _ := q.lookup(name)
	return value
}

func (q query) has(name string) bool {
	_, ok := q.lookup(name)
	return ok
}

// number reads a parameter between 0 and maxInt32. One that is absent or empty is fallback. It
// returns InvalidArgument for one that is negative or not a number.
func (q query) number(name string, fallback int) (int, error) {
	text := q.get(name)
	if text == "" {
		return fallback, nil
	}
	if !isDigits(text) || len(text) > 10 || saturatingUint(text) > 1<<31-1 {
		return 0, s3err.BadArgument(name, text, "Provided "+name+" not an integer or within integer range")
	}
	return int(saturatingUint(text)), nil
}
