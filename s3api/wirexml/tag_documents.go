package wirexml

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// Limits of tags.
const (
	MaxObjectTags    = 10
	MaxBucketTags    = 50
	MaxTagKeyRunes   = 128
	MaxTagValueRunes = 256
)

// Tagging is the document of the tags of an object or a bucket.
type Tagging struct{ Tags []*metapb.Pair }

// AppendXML implements Document.
func (d *Tagging) AppendXML(dst []byte, ns string) []byte {
	dst = append(appendRoot(dst, "Tagging", ns), "<TagSet>"...)
	dst = appendTags(dst, d.Tags)
	return append(dst, "</TagSet></Tagging>"...)
}

func appendTags(dst []byte, tags []*metapb.Pair) []byte {
	for _, t := range tags {
		dst = append(dst, "<Tag>"...)
		dst = appendText(dst, "Key", t.GetName())
		dst = appendText(dst, "Value", t.GetValue())
		dst = append(dst, "</Tag>"...)
	}
	return dst
}

// ParseTagging parses a Tagging of at most limit tags. It returns the tags in the order of their
// keys, and checks them by CheckTags.
func ParseTagging(body []byte, limit int) ([]*metapb.Pair, error) {
	s := newScanner(body)
	var tags []*metapb.Pair
	sets := 0
	err := s.document("Tagging", func(name string) error {
		if sets++; name != "TagSet" || sets > 1 {
			return s.unknown(name)
		}
		return s.children(func(name string) error {
			if name != "Tag" {
				return s.unknown(name)
			}
			t, err := parseTag(s)
			tags = append(tags, t)
			return err
		})
	})
	if err == nil && sets == 0 {
		err = s3err.MalformedXML.Say("A Tagging needs a TagSet.")
	}
	if err != nil {
		return nil, err
	}
	return tags, CheckTags(tags, limit)
}

func parseTag(s *scanner) (*metapb.Pair, error) {
	got, err := s.leaves("Key", "Value")
	if err != nil {
		return nil, err
	}
	if len(got) < 2 {
		return nil, s3err.MalformedXML.Say("A Tag needs a Key and a Value.")
	}
	return &metapb.Pair{Name: got["Key"], Value: got["Value"]}, nil
}

// CheckTags sorts tags by key and checks them by S3's rules. There are at most limit tags. A key
// has 1 to MaxTagKeyRunes characters, does not begin with aws: and is there only once. A value has
// at most MaxTagValueRunes characters.
func CheckTags(tags []*metapb.Pair, limit int) error {
	if len(tags) > limit {
		return s3err.InvalidTag.Say("There may be at most " + strconv.Itoa(limit) + " tags.")
	}
	slices.SortStableFunc(tags, func(a, b *metapb.Pair) int { return strings.Compare(a.GetName(), b.GetName()) })
	for i, t := range tags {
		key := s3err.Field{Name: "TagKey", Value: t.GetName()}
		switch {
		case t.GetName() == "" || utf8.RuneCountInString(t.GetName()) > MaxTagKeyRunes:
			return s3err.InvalidTag.Say("The TagKey you have provided is invalid: it must have 1 to 128 characters.", key)
		case utf8.RuneCountInString(t.GetValue()) > MaxTagValueRunes:
			return s3err.InvalidTag.Say("The TagValue you have provided is invalid: it must have at most 256 characters.", key)
		case strings.HasPrefix(strings.ToLower(t.GetName()), "aws:"):
			return s3err.InvalidTag.Say("Keys of tags must not begin with aws:.", key)
		case i > 0 && tags[i-1].GetName() == t.GetName():
			return s3err.InvalidTag.Say("Cannot provide multiple Tags with the same key", key)
		}
	}
	return nil
}
