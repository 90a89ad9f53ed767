package wirexml

import (
	"slices"

	"github.com/cairnstore/cairn/meta/metapb"
)

// NullVersion is the name of the version that has no id.
const NullVersion = "null"

// ListVersions is the answer of ListObjectVersions.
type ListVersions struct {
	Bucket, Prefix, Delimiter    string
	KeyMarker, VersionIDMarker   string
	NextKeyMarker, NextVersionID string // Of the next page, if Truncated.
	MaxKeys                      int
	EncodingType                 string // Empty or EncodingURL.
	Truncated                    bool
	Entries                      []*metapb.VersionEntry // By key, newest first, with prefixes. Restores that are set are shown.
	Owner                        Owner                  // Versions of this owner get its display name.
}

// AppendXML implements Document.
func (d *ListVersions) AppendXML(dst []byte, ns string) []byte {
	urls := d.EncodingType == EncodingURL
	dst = slices.Grow(dst, 1024+len(d.Entries)*2*bytesPerEntry)
	dst = appendRoot(dst, "ListVersionsResult", ns)
	dst = appendText(dst, "Name", d.Bucket)
	dst = appendCoded(dst, "Prefix", d.Prefix, urls)
	dst = appendCoded(dst, "KeyMarker", d.KeyMarker, urls)
	dst = appendText(dst, "VersionIdMarker", d.VersionIDMarker)
	if d.Truncated {
		dst = appendCoded(dst, "NextKeyMarker", d.NextKeyMarker, urls)
		dst = appendOptional(dst, "NextVersionIdMarker", d.NextVersionID)
	}
	dst = appendInt(dst, "MaxKeys", int64(d.MaxKeys))
	if d.Delimiter != "" {
		dst = appendCoded(dst, "Delimiter", d.Delimiter, urls)
	}
	dst = appendOptional(dst, "EncodingType", d.EncodingType)
	dst = appendBool(dst, "IsTruncated", d.Truncated)
	for _, e := range d.Entries {
		if !e.GetPrefix() {
			dst = d.appendVersion(dst, e, urls)
		}
	}
	for _, e := range d.Entries {
		if e.GetPrefix() {
			dst = appendCommonPrefix(dst, e.GetKey(), urls)
		}
	}
	return append(dst, "</ListVersionsResult>"...)
}

func (d *ListVersions) appendVersion(dst []byte, e *metapb.VersionEntry, urls bool) []byte {
	v, name := e.GetVersion(), "Version"
	if v.GetDeleteMarker() {
		name = "DeleteMarker"
	}
	id := v.GetVersionId()
	if id == "" {
		id = NullVersion
	}
	dst = appendOpen(dst, name)
	dst = appendCoded(dst, "Key", e.GetKey(), urls)
	dst = appendText(dst, "VersionId", id)
	dst = appendBool(dst, "IsLatest", e.GetLatest())
	dst = appendTime(dst, "LastModified", v.GetModifiedMs())
	if !v.GetDeleteMarker() {
		dst = appendETag(dst, v.GetEtag())
		dst = appendVersionChecksums(dst, v.GetChecksums())
		dst = appendUint(dst, "Size", v.GetSize())
	}
	owner := Owner{ID: v.GetOwner()}
	if owner.ID == d.Owner.ID {
		owner = d.Owner
	}
	dst = owner.append(dst, "Owner")
	if !v.GetDeleteMarker() {
		dst = appendStorageClass(dst, ClassOfObject(v.GetAttributes()))
		dst = appendRestoreStatus(dst, v.GetRestore())
	}
	return appendClose(dst, name)
}

func appendVersionChecksums(dst []byte, sums []*metapb.Checksum) []byte {
	for _, c := range sums {
		dst = appendText(dst, "ChecksumAlgorithm", c.GetAlgorithm())
	}
	if len(sums) > 0 {
		dst = appendText(dst, "ChecksumType", checksumType(slices.ContainsFunc(sums, (*metapb.Checksum).GetComposite)))
	}
	return dst
}
