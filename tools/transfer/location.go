package transfer

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// Scheme begins the locations of objects.
const Scheme = "s3://"

const versionParameter = "?versionId="

// Kind says what a location is.
type Kind int

// The kinds of locations.
const (
	Local  Kind = iota // A file or a directory.
	Object             // An object, a prefix of keys, or a bucket.
	Stream             // Standard input or output.
)

// Location is a place that bytes come from or go to.
type Location struct {
	Kind    Kind
	Path    string // Of a file or directory.
	Bucket  string
	Key     string // Empty: the bucket itself.
	Version string // Empty: the latest.
}

// Parse reads a location: s3://BUCKET[/KEY[?versionId=ID]], a path, or - for a stream. With a version the
// key is percent-encoded where it must be, otherwise it is as it stands.
func Parse(text string) (Location, error) {
	switch {
	case text == "":
		return Location{}, errors.New("an empty place: give s3://BUCKET/KEY, a path or -")
	case text == "-":
		return Location{Kind: Stream}, nil
	case !strings.HasPrefix(text, Scheme):
		if strings.ContainsRune(text, 0) {
			return Location{}, fmt.Errorf("%q: no path has a zero byte", text)
		}
		return Location{Path: text}, nil
	}
	l := Location{Kind: Object}
	l.Bucket, l.Key, _ = strings.Cut(strings.TrimPrefix(text, Scheme), "/")
	if l.Bucket == "" {
		return l, fmt.Errorf("%q is not s3://BUCKET/KEY", text)
	}
	i := strings.LastIndex(l.Key, versionParameter)
	if i < 0 {
		return l, nil
	}
	var err error
	l.Key, l.Version = l.Key[:i], l.Key[i+len(versionParameter):]
	if l.Key, err = url.PathUnescape(l.Key); err != nil {
		return l, fmt.Errorf("%q: %w", text, err)
	}
	if l.Key == "" || l.Version == "" {
		return l, fmt.Errorf("%q is not s3://BUCKET/KEY?versionId=ID", text)
	}
	return l, nil
}

// String writes a location as Parse reads it, or quoted if a terminal might take it for something else.
func (l Location) String() string {
	text := l.Path
	switch {
	case l.Kind == Stream:
		return "-"
	case l.Kind == Object && l.Version != "":
		text = Scheme + l.Bucket + "/" + strings.NewReplacer("%", "%25", "?", "%3F").Replace(l.Key) +
			versionParameter + url.QueryEscape(l.Version)
	case l.Kind == Object && l.Key == "":
		text = Scheme + l.Bucket
	case l.Kind == Object:
		text = Scheme + l.Bucket + "/" + l.Key
	}
	if strconv.Quote(text) != `"`+text+`"` {
		return strconv.Quote(text)
	}
	return text
}

// Raw writes an object's location as it is, whatever a terminal makes of it.
func (l Location) Raw() string {
	text := l.String()
	if plain, err := strconv.Unquote(text); err == nil && l.Kind == Object && strings.HasPrefix(text, `"`) {
		return plain
	}
	return text
}

// Dir returns the key as the prefix of what lies below it.
func (l Location) Dir() string { return asDir(l.Key) }

// isDir reports whether a location of objects is a prefix and no key.
func (l Location) isDir() bool { return l.Key == "" || strings.HasSuffix(l.Key, "/") }

// asDir returns the key as the prefix of what lies below it.
func asDir(key string) string {
	if key == "" || strings.HasSuffix(key, "/") {
		return key
	}
	return key + "/"
}

// checkRel says why a key, or the end of one, cannot be the path of a file below a directory.
func checkRel(rel string) error {
	if rel == "" {
		return errors.New("there is no name for a file: the key ends where the name would begin")
	}
	if strings.ContainsRune(rel, 0) {
		return fmt.Errorf("%q cannot be the name of a file: it has a zero byte", rel)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(rel, "/"), "/") {
		if name == "" || name == "." || name == ".." {
			return fmt.Errorf("%q cannot be the path of a file: a part of it is %q. Copy it by its own name: cp SOURCE FILE",
				rel, name)
		}
	}
	return nil
}

// base returns the last name of a key, or of a path.
func base(key string) string {
	if key == "" {
		return ""
	}
	return path.Base("/" + key)
}
