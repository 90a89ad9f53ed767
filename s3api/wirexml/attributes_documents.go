package wirexml

import (
	"slices"

	"github.com/cairnstore/cairn/meta/metapb"
)

// ObjectAttributes is the answer of GetObjectAttributes.
type ObjectAttributes struct {
	Asked            map[string]bool // The attributes that were asked for, as the document calls them.
	Version          *metapb.Version
	Parts            *metapb.ObjectPartsAnswer // Of a multipart object; nil: they were not asked for.
	PartNumberMarker uint32
	MaxParts         uint32
}

// AppendXML implements Document.
func (d *ObjectAttributes) AppendXML(dst []byte, ns string) []byte {
	v := d.Version
	dst = slices.Grow(dst, 1024+len(d.Parts.GetParts())*bytesPerPart)
	dst = appendRoot(dst, "GetObjectAttributesResponse", ns)
	if d.Asked["ETag"] {
		dst = appendText(dst, "ETag", v.GetEtag()) // Only here it has no quotes.
	}
	if sums := v.GetChecksums(); d.Asked["Checksum"] && len(sums) > 0 {
		dst = append(dst, "<Checksum>"...)
		dst = appendChecksums(dst, sums, 0) // Only here the number of parts is left out.
		dst = appendText(dst, "ChecksumType", checksumType(slices.ContainsFunc(sums, (*metapb.Checksum).GetComposite)))
		dst = append(dst, "</Checksum>"...)
	}
	if d.Parts != nil {
		dst = d.appendParts(dst)
	}
	if d.Asked["StorageClass"] {
		dst = appendStorageClass(dst, ClassOfObject(v.GetAttributes()))
	}
	if d.Asked["ObjectSize"] {
		dst = appendUint(dst, "ObjectSize", v.GetSize())
	}
	return append(dst, "</GetObjectAttributesResponse>"...)
}

func (d *ObjectAttributes) appendParts(dst []byte) []byte {
	dst = append(dst, "<ObjectParts>"...)
	dst = appendUint(dst, "PartsCount", uint64(d.Version.GetParts()))
	dst = appendUint(dst, "PartNumberMarker", uint64(d.PartNumberMarker))
	next, parts := d.PartNumberMarker, d.Parts.GetParts()
	if n := len(parts); n > 0 {
		next = parts[n-1].GetNumber()
	}
	dst = appendUint(dst, "NextPartNumberMarker", uint64(next))
	dst = appendUint(dst, "MaxParts", uint64(d.MaxParts))
	dst = appendBool(dst, "IsTruncated", d.Parts.GetTruncated())
	for _, p := range parts {
		dst = append(dst, "<Part>"...)
		dst = appendUint(dst, "PartNumber", uint64(p.GetNumber()))
		dst = appendUint(dst, "Size", p.GetSize())
		dst = appendChecksums(dst, p.GetChecksums(), 0)
		dst = append(dst, "</Part>"...)
	}
	return append(dst, "</ObjectParts>"...)
}
