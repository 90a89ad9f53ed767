package transfer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Item is something that was listed: an object, a version of one, or a local file.
type Item struct {
	At       Location
	Rel      string // Its path below what was listed, with slashes.
	Size     int64
	Modified time.Time
	ETag     string // Without quotes; objects only.
	Class    string
	Latest   bool // This and the next are of lists of versions.
	Marker   bool // It is a delete marker.
	Prefix   bool // It is no object but what several keys have in common, up to the next slash.
}

// ListOptions say what a list has.
type ListOptions struct {
	Versions bool   // All versions and delete markers.
	Split    bool   // Keys below the next slash are told as one prefix.
	After    string // Only keys after it.
}

// List lists the objects of a bucket whose keys begin with a prefix, in the order of their keys. It ends
// with the first error.
func (s *Store) List(ctx context.Context, bucket, prefix string, o ListOptions) iter.Seq2[Item, error] {
	if o.Versions {
		return s.listVersions(ctx, bucket, prefix, o)
	}
	return func(yield func(Item, error) bool) {
		in := &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix, EncodingType: types.EncodingTypeUrl}
		if o.Split {
			in.Delimiter = aws.String("/")
		}
		if o.After != "" {
			in.StartAfter = &o.After
		}
		for {
			page, err := s.ListObjectsV2(ctx, in)
			if err != nil {
				yield(Item{}, err)
				return
			}
			d := decoder{encoded: page.EncodingType == types.EncodingTypeUrl}
			var items []Item
			for _, c := range page.Contents {
				items = append(items, Item{At: Location{Kind: Object, Bucket: bucket, Key: d.text(c.Key)},
					Size: aws.ToInt64(c.Size), Modified: aws.ToTime(c.LastModified), ETag: unquoted(c.ETag),
					Class: string(c.StorageClass), Latest: true})
			}
			items = d.withPrefixes(items, page.CommonPrefixes, bucket)
			if !yieldAll(items, prefix, d.err, yield) || !aws.ToBool(page.IsTruncated) {
				return
			}
			if aws.ToString(page.NextContinuationToken) == "" {
				yield(Item{}, errEndless)
				return
			}
			in.ContinuationToken, in.StartAfter = page.NextContinuationToken, nil
		}
	}
}

// errEndless is of a store that cannot list.
var errEndless = errors.New("a list that cannot be read: there is more, and no telling where")

func (s *Store) listVersions(ctx context.Context, bucket, prefix string, o ListOptions) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		in := &s3.ListObjectVersionsInput{Bucket: &bucket, Prefix: &prefix, EncodingType: types.EncodingTypeUrl}
		if o.Split {
			in.Delimiter = aws.String("/")
		}
		for {
			page, err := s.ListObjectVersions(ctx, in)
			if err != nil {
				yield(Item{}, err)
				return
			}
			d := decoder{encoded: page.EncodingType == types.EncodingTypeUrl}
			if !yieldAll(d.versions(page, bucket), prefix, d.err, yield) || !aws.ToBool(page.IsTruncated) {
				return
			}
			marker := d.text(page.NextKeyMarker)
			if marker == "" || d.err != nil {
				yield(Item{}, errors.Join(errEndless, d.err))
				return
			}
			in.KeyMarker, in.VersionIdMarker = &marker, page.NextVersionIdMarker
		}
	}
}

// decoder takes back the encoding of keys in lists, which lets XML hold any key.
type decoder struct {
	encoded bool
	err     error
}

func (d *decoder) text(t *string) string {
	if !d.encoded || t == nil {
		return aws.ToString(t)
	}
	text, err := url.QueryUnescape(*t)
	if err != nil && d.err == nil {
		d.err = fmt.Errorf("a list that cannot be read: %w", err)
	}
	return text
}

// versions returns the versions and delete markers of a page, by key, the newest first.
func (d *decoder) versions(page *s3.ListObjectVersionsOutput, bucket string) []Item {
	var versions, markers []Item
	for _, v := range page.Versions {
		versions = append(versions, Item{At: Location{Object, "", bucket, d.text(v.Key), versionOf(v.VersionId)},
			Size: aws.ToInt64(v.Size), Modified: aws.ToTime(v.LastModified), ETag: unquoted(v.ETag),
			Class: string(v.StorageClass), Latest: aws.ToBool(v.IsLatest)})
	}
	for _, v := range page.DeleteMarkers {
		markers = append(markers, Item{At: Location{Object, "", bucket, d.text(v.Key), versionOf(v.VersionId)},
			Modified: aws.ToTime(v.LastModified), Latest: aws.ToBool(v.IsLatest), Marker: true})
	}
	items := merged(versions, markers, func(a, b Item) bool {
		if a.At.Key != b.At.Key {
			return a.At.Key < b.At.Key
		}
		return a.Latest || !b.Latest && a.Modified.After(b.Modified)
	})
	return d.withPrefixes(items, page.CommonPrefixes, bucket)
}

// versionOf is the id of a version, which null stands for where there is none.
func versionOf(id *string) string {
	if aws.ToString(id) == "" {
		return "null"
	}
	return *id
}

// withPrefixes puts common prefixes among items.
func (d *decoder) withPrefixes(items []Item, list []types.CommonPrefix, bucket string) []Item {
	var prefixes []Item
	for _, p := range list {
		prefixes = append(prefixes, Item{At: Location{Kind: Object, Bucket: bucket, Key: d.text(p.Prefix)}, Prefix: true})
	}
	return merged(items, prefixes, func(a, b Item) bool { return a.At.Key <= b.At.Key })
}

// merged returns both lists as one, each in its order.
func merged(a, b []Item, first func(a, b Item) bool) []Item {
	out := make([]Item, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if first(a[0], b[0]) {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// yieldAll yields items with their path below the prefix, and then an error if there is one.
func yieldAll(items []Item, prefix string, err error, yield func(Item, error) bool) bool {
	if err != nil {
		yield(Item{}, err)
		return false
	}
	for _, i := range items {
		if !strings.HasPrefix(i.At.Key, prefix) {
			yield(Item{}, fmt.Errorf("a list that cannot be read: %q is in a list of %q", i.At.Key, prefix))
			return false
		}
		i.Rel = i.At.Key[len(prefix):]
		if !yield(i, nil) {
			return false
		}
	}
	return true
}

func unquoted(etag *string) string { return strings.Trim(aws.ToString(etag), `"`) }
