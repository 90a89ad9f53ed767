package wirexml

import (
	"slices"

	"github.com/cairnstore/cairn/meta/metapb"
)

// EncodingURL is the only value of encoding-type. With it keys, prefixes, markers and the delimiter
// are URL-encoded in the answer.
const EncodingURL = "url"

// DefaultStorageClass is the class of an object for which none was named.
const DefaultStorageClass = "STANDARD"

// Listing is what the answers of both versions of ListObjects have in common.
type Listing struct {
	Bucket       string
	Prefix       string
	Delimiter    string
	MaxKeys      int
	EncodingType string // Empty or EncodingURL.
	Truncated    bool
	Entries      []*metapb.ListEntry // Keys and common prefixes in one order. Restores that are set are shown.
	Owner        Owner               // Entries of this owner get its display name.
}

// ListObjects is the answer of ListObjects (version 1). It has the owner of each object.
type ListObjects struct {
	Listing
	Marker     string
	NextMarker string // S3 sends it only with a delimiter; left out if empty.
}

// AppendXML implements Document.
func (d *ListObjects) AppendXML(dst []byte, ns string) []byte {
	urls := d.EncodingType == EncodingURL
	dst = slices.Grow(dst, 512+len(d.Entries)*bytesPerEntry)
	dst = appendRoot(dst, "ListBucketResult", ns)
	dst = appendText(dst, "Name", d.Bucket)
	dst = appendCoded(dst, "Prefix", d.Prefix, urls)
	dst = appendCoded(dst, "Marker", d.Marker, urls)
	if d.Truncated && d.NextMarker != "" {
		dst = appendCoded(dst, "NextMarker", d.NextMarker, urls)
	}
	dst = d.appendLimits(dst)
	dst = d.appendEntries(dst, true)
	return append(dst, "</ListBucketResult>"...)
}

// ListObjectsV2 is the answer of ListObjectsV2.
type ListObjectsV2 struct {
	Listing
	StartAfter            string
	ContinuationToken     string // As in the request.
	NextContinuationToken string
	FetchOwner            bool
}

// AppendXML implements Document.
func (d *ListObjectsV2) AppendXML(dst []byte, ns string) []byte {
	urls := d.EncodingType == EncodingURL
	dst = slices.Grow(dst, 512+len(d.Entries)*bytesPerEntry)
	dst = appendRoot(dst, "ListBucketResult", ns)
	dst = appendText(dst, "Name", d.Bucket)
	dst = appendCoded(dst, "Prefix", d.Prefix, urls)
	if d.StartAfter != "" {
		dst = appendCoded(dst, "StartAfter", d.StartAfter, urls)
	}
	dst = appendOptional(dst, "ContinuationToken", d.ContinuationToken)
	if d.Truncated {
		dst = appendOptional(dst, "NextContinuationToken", d.NextContinuationToken)
	}
	dst = appendInt(dst, "KeyCount", int64(len(d.Entries)))
	dst = d.appendLimits(dst)
	dst = d.appendEntries(dst, d.FetchOwner)
	return append(dst, "</ListBucketResult>"...)
}

// bytesPerEntry is about how long an entry of a list is.
const bytesPerEntry = 320

func (d *Listing) appendLimits(dst []byte) []byte {
	dst = appendInt(dst, "MaxKeys", int64(d.MaxKeys))
	if d.Delimiter != "" {
		dst = appendCoded(dst, "Delimiter", d.Delimiter, d.EncodingType == EncodingURL)
	}
	dst = appendOptional(dst, "EncodingType", d.EncodingType)
	return appendBool(dst, "IsTruncated", d.Truncated)
}

// appendEntries appends all keys and then all common prefixes, as S3 does.
func (d *Listing) appendEntries(dst []byte, owners bool) []byte {
	urls := d.EncodingType == EncodingURL
	prefixes := 0
	for _, e := range d.Entries {
		if e.GetPrefix() {
			prefixes++
			continue
		}
		dst = d.appendEntry(dst, e, urls, owners)
	}
	if prefixes == 0 {
		return dst
	}
	for _, e := range d.Entries {
		if e.GetPrefix() {
			dst = appendCommonPrefix(dst, e.GetKey(), urls)
		}
	}
	return dst
}

func (d *Listing) appendEntry(dst []byte, e *metapb.ListEntry, urls, owners bool) []byte {
	dst = append(dst, "<Contents>"...)
	dst = appendCoded(dst, "Key", e.GetKey(), urls)
	dst = appendTime(dst, "LastModified", e.GetModifiedMs())
	dst = appendETag(dst, e.GetEtag())
	for _, a := range e.GetChecksumAlgorithms() {
		dst = appendText(dst, "ChecksumAlgorithm", a)
	}
	if len(e.GetChecksumAlgorithms()) > 0 {
		dst = appendText(dst, "ChecksumType", checksumType(e.GetChecksumComposite()))
	}
	dst = appendUint(dst, "Size", e.GetSize())
	if owners {
		owner := Owner{ID: e.GetOwner()}
		if owner.ID == d.Owner.ID {
			owner = d.Owner
		}
		dst = owner.append(dst, "Owner")
	}
	dst = appendStorageClass(dst, ShownClass(e.GetStorageClass(), e.GetClassName()))
	dst = appendRestoreStatus(dst, e.GetRestore())
	return append(dst, "</Contents>"...)
}

func appendCommonPrefix(dst []byte, prefix string, urls bool) []byte {
	dst = append(dst, "<CommonPrefixes>"...)
	dst = appendCoded(dst, "Prefix", prefix, urls)
	return append(dst, "</CommonPrefixes>"...)
}

func appendStorageClass(dst []byte, class string) []byte {
	if class == "" {
		class = DefaultStorageClass
	}
	return appendText(dst, "StorageClass", class)
}

// appendRestoreStatus appends the state of a version's restore, if r is not nil.
func appendRestoreStatus(dst []byte, r *metapb.Restore) []byte {
	if r == nil {
		return dst
	}
	dst = append(dst, "<RestoreStatus>"...)
	dst = appendBool(dst, "IsRestoreInProgress", r.GetOngoing())
	if !r.GetOngoing() {
		dst = appendTime(dst, "RestoreExpiryDate", r.GetExpiresMs())
	}
	return append(dst, "</RestoreStatus>"...)
}

// The values of ChecksumType.
const (
	ChecksumFullObject = "FULL_OBJECT"
	ChecksumComposite  = "COMPOSITE"
)

func checksumType(composite bool) string {
	if composite {
		return ChecksumComposite
	}
	return ChecksumFullObject
}
