package s3api

import (
	"cmp"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"
)

// item is what a list shows: a common prefix, or a key, one of its versions, or an
// upload of it.
type item struct {
	name   string
	id     string // Of the version or the upload.
	common bool
	marker bool // It is a delete marker.
	latest bool
}

// rollUp is S3's rule of lists, on a sorted slice: those with the prefix, as one where
// the delimiter follows it, and what is after a place. A place within a common prefix
// is behind it.
func rollUp(sorted []item, prefix, delimiter string, place item) (out []item) {
	passed := place.id == ""
	for _, i := range sorted {
		here := i.name == place.name && i.id == place.id
		if !strings.HasPrefix(i.name, prefix) {
			passed = passed || here
			continue
		}
		if rest := i.name[len(prefix):]; delimiter != "" && strings.Contains(rest, delimiter) {
			common := prefix + rest[:strings.Index(rest, delimiter)+len(delimiter)]
			last := item{name: common, common: true}
			if common <= place.name || strings.HasPrefix(place.name, common) || len(out) > 0 && out[len(out)-1] == last {
				continue
			}
			out = append(out, last)
			continue
		}
		// Of the place's own key only what follows its version or upload.
		if i.name > place.name || i.name == place.name && place.id != "" && passed {
			out = append(out, i)
		}
		passed = passed || here
	}
	return out
}

// lister draws keys and parameters, and reads lists.
type lister struct {
	*world
	r      *rand.Rand
	bucket string
}

// pieces are what keys, prefixes, delimiters and markers are made of.
var pieces = []string{"a", "b", "ab", "/", "/", "//", "%", "%2F", "+", " ", "\x01", "\x1f", "\n", "\r", "\t", "\x7f", "&", "<", ">", "'", `"`, "~", "*", "?", "#",
	"\u00e9", "e\u0301", "\u0085", "\u65e5", "\U0001f600", "\U0010ffff", "\uffff", "\uffee", "-", "."}

func (l *lister) text(most int) string {
	var b strings.Builder
	for range 1 + l.r.IntN(most) {
		b.WriteString(pieces[l.r.IntN(len(pieces))])
	}
	return b.String()
}

// key draws a key: few pieces, so that many have much in common; some are as long as
// keys may be.
func (l *lister) key() string {
	for {
		key := l.text(5)
		if l.r.IntN(3) > 0 {
			key = []string{"a", "a/", "a/b/", "\u65e5/"}[l.r.IntN(4)] + key
		}
		if l.r.IntN(12) == 0 {
			key += strings.Repeat("x", MaxKeyBytes-len(key))
		}
		if s := "/" + key + "/"; !strings.Contains(s, "/./") && !strings.Contains(s, "/../") {
			return key
		}
	}
}

// parameters draws what all lists have; a place is of these keys, within one, or
// anywhere.
func (l *lister) parameters(keys []string) (prefix, delimiter, place string) {
	prefix = []string{"", "", "a", "a/", "a/b", "\u65e5", "none", "%"}[l.r.IntN(8)]
	delimiter = []string{"", "", "/", "/", "//", "b", "ab", "\u00e9", "\x01", "+", "e\u0301"}[l.r.IntN(11)]
	switch l.r.IntN(4) {
	case 0:
		place = l.text(3)
	case 1, 2:
		if len(keys) > 0 {
			place = keys[l.r.IntN(len(keys))]
			if n := len(place); l.r.IntN(2) == 0 {
				place = strings.ToValidUTF8(place[:1+l.r.IntN(n)], "")
			}
		}
	}
	return prefix, delimiter, place
}

// maxKeys draws a page size and what it means; nothing asked means 1,000.
func (l *lister) maxKeys() (asked string, limit int) {
	n := []int{-1, 1, 1, 2, 3, 7, 1000, 1001, 1<<31 - 1}[l.r.IntN(9)]
	if n < 0 {
		return "", 1000
	}
	return strconv.Itoa(n), min(n, 1000)
}

func (l *lister) path(key string) string {
	return "/" + l.bucket + "/" + strings.ReplaceAll(url.QueryEscape(key), "+", "%20")
}

// pageOf is a list's answer, read as leniently as a person would.
type pageOf struct {
	l     *lister
	body  string
	coded bool
}

// list asks for a page; parameters that are empty are left out, half of the time.
func (l *lister) list(path string, coded bool, parameters ...string) pageOf {
	l.t.Helper()
	q := path
	if !strings.Contains(q, "?") {
		q += "?"
	}
	for i := 0; i < len(parameters); i += 2 {
		if parameters[i+1] != "" || parameters[i] != "continuation-token" && l.r.IntN(2) == 0 {
			q += "&" + parameters[i] + "=" + url.QueryEscape(parameters[i+1])
		}
	}
	if coded {
		q += "&encoding-type=url"
	}
	q = strings.NewReplacer("?&", "?", "+", "%20").Replace(q)
	return pageOf{l, l.ok(l.root, "GET", q, "").body, coded}
}

// inS3 is what encoding-type=url leaves of a text.
var inS3 = regexp.MustCompile(`^[-A-Za-z0-9_.*/+%]*$`)

// name decodes a text that encoding-type=url encodes.
func (p pageOf) name(text string) string {
	p.l.t.Helper()
	if !p.coded {
		return html.UnescapeString(text)
	}
	require.Regexp(p.l.t, inS3, text)
	name, err := url.QueryUnescape(text)
	require.NoError(p.l.t, err)
	return name
}

// names and values return elements of a name outside of entries, decoded or not.
func (p pageOf) texts(body, name string) (out []string) {
	for _, m := range regexp.MustCompile(`(?s)<`+name+`>(.*?)</`+name+`>`).FindAllStringSubmatch(body, -1) {
		out = append(out, m[1])
	}
	return out
}

func (p pageOf) head() string {
	return regexp.MustCompile(`(?s)<(Contents|Version|DeleteMarker|Upload|CommonPrefixes)>.*</(Contents|Version|DeleteMarker|Upload|CommonPrefixes)>`).ReplaceAllString(p.body, "")
}

// is requires an element outside of entries, or that it is missing.
func (p pageOf) is(name, want string) {
	p.l.t.Helper()
	got := p.texts(p.head(), name)
	if want == missing {
		require.Empty(p.l.t, got, "%s in %s", name, p.body)
		return
	}
	require.Equal(p.l.t, []string{want}, got, "%s in %s", name, p.body)
}

const missing = "(missing)"

// isName is is of what encoding-type=url encodes.
func (p pageOf) isName(name, want string) {
	p.l.t.Helper()
	got := p.texts(p.head(), name)
	if want == missing {
		require.Empty(p.l.t, got, "%s in %s", name, p.body)
		return
	}
	require.Len(p.l.t, got, 1, "%s in %s", name, p.body)
	require.Equal(p.l.t, want, p.name(got[0]), name)
}

func (p pageOf) truncated() bool { return strings.Contains(p.head(), "<IsTruncated>true<") }

// items reads the entries in their order: keys first, then common prefixes.
func (p pageOf) items() (out []item) {
	for _, m := range regexp.MustCompile(`(?s)<(Contents|Version|DeleteMarker|Upload)>(.*?)</(?:Contents|Version|DeleteMarker|Upload)>`).FindAllStringSubmatch(p.body, -1) {
		i := item{name: p.name(p.texts(m[2], "Key")[0]), marker: m[1] == "DeleteMarker", latest: strings.Contains(m[2], "<IsLatest>true<")}
		if id := append(p.texts(m[2], "VersionId"), p.texts(m[2], "UploadId")...); len(id) > 0 {
			i.id = id[0]
		}
		out = append(out, i)
	}
	for _, c := range p.texts(p.body, "CommonPrefixes") {
		out = append(out, item{name: p.name(p.texts(c, "Prefix")[0]), common: true})
	}
	return out
}

// shows requires a page to be the first of a list, and to say so.
func (p pageOf) shows(all []item, limit int, context ...any) (last item) {
	p.l.t.Helper()
	want := append([]item{}, all[:min(limit, len(all))]...)
	require.Equal(p.l.t, len(all) > limit && limit > 0, p.truncated(), fmt.Sprint(context...))
	if len(want) > 0 {
		last = want[len(want)-1]
	}
	slices.SortStableFunc(want, func(a, b item) int { return cmp.Compare(b2i(a.common), b2i(b.common)) })
	got := p.items()
	require.Equal(p.l.t, want, append([]item{}, got...), fmt.Sprint(context...))
	return last
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// orAbsent is what an element holds that is left out when empty.
func orAbsent(s string) string { return cmp.Or(s, missing) }
