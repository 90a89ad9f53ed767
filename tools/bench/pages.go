package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
)

// listing is what a list held, all its pages together.
type listing struct {
	entries int      // Keys or versions.
	folders []string // Common prefixes.
	pages   int
}

// list reads a list of keys page by page. It searches the documents for the few elements that count: to
// parse them would cost the client more than making them costs the server.
func (c *client) list(ctx context.Context, prefix, delimiter string) (l listing, err error) {
	q := url.Values{"list-type": {"2"}, "prefix": {prefix}, "max-keys": {"1000"}}
	if delimiter != "" {
		q.Set("delimiter", delimiter)
	}
	return l, c.pages(ctx, request{method: http.MethodGet, query: q}, &l, "Key", map[string]string{
		"NextContinuationToken": "continuation-token",
	})
}

// listVersions is list for all versions of the keys.
func (c *client) listVersions(ctx context.Context, bucket, prefix string) (l listing, err error) {
	q := url.Values{"versions": {""}, "prefix": {prefix}, "max-keys": {"1000"}}
	return l, c.pages(ctx, request{method: http.MethodGet, bucket: bucket, query: q}, &l, "VersionId", map[string]string{
		"NextKeyMarker": "key-marker", "NextVersionIdMarker": "version-id-marker",
	})
}

// pages reads a list to its end. entry is the element that each entry of it has once. markers says
// which element of a page becomes which parameter of the request for the next one.
func (c *client) pages(ctx context.Context, r request, l *listing, entry string, markers map[string]string) error {
	for last := ""; ; {
		_, text, err := c.ask(ctx, r)
		if err != nil {
			return err
		}
		l.pages++
		l.entries += strings.Count(text, "<"+entry+">")
		l.folders = append(l.folders, folders(text)...)
		if more, _ := element(text, "IsTruncated"); more != "true" {
			return nil
		}
		for from, to := range markers {
			if v, ok := element(text, from); ok {
				r.query.Set(to, v)
			}
		}
		at := r.query.Encode()
		if at == last {
			return errors.New("a list is said to go on, but its marker stays where it was")
		}
		last = at
	}
}

// element returns the text of the first element of a name.
func element(doc, name string) (string, bool) {
	_, rest, ok := strings.Cut(doc, "<"+name+">")
	if !ok {
		return "", false
	}
	text, _, ok := strings.Cut(rest, "</"+name+">")
	return html.UnescapeString(text), ok
}

// folders returns the common prefixes of a page.
func folders(doc string) (found []string) {
	for {
		_, rest, ok := strings.Cut(doc, "<CommonPrefixes>")
		if !ok {
			return found
		}
		if f, ok := element(rest, "Prefix"); ok {
			found = append(found, f)
		}
		doc = rest
	}
}

// want returns an error if a list has another number of entries than were written.
func (l listing) want(entries int) error {
	if l.entries != entries {
		return wrong("a list has %d entries, %d were written", l.entries, entries)
	}
	return nil
}

func (l listing) String() string { return fmt.Sprintf("%d entries on %d pages", l.entries, l.pages) }
