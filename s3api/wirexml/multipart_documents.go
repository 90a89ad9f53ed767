package wirexml

import (
	"slices"

	"github.com/cairnstore/cairn/meta/metapb"
)

// CreateUpload is the answer of CreateMultipartUpload.
type CreateUpload struct{ Bucket, Key, UploadID string }

// AppendXML implements Document.
func (d *CreateUpload) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "InitiateMultipartUploadResult", ns)
	dst = appendText(dst, "Bucket", d.Bucket)
	dst = appendText(dst, "Key", d.Key)
	dst = appendText(dst, "UploadId", d.UploadID)
	return append(dst, "</InitiateMultipartUploadResult>"...)
}

// CopyPart is the answer of UploadPartCopy.
type CopyPart struct {
	ETag       string // Without quotes.
	ModifiedMS int64  // When the part was made.
	Checksums  []*metapb.Checksum
}

// AppendXML implements Document.
func (d *CopyPart) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "CopyPartResult", ns)
	dst = appendTime(dst, "LastModified", d.ModifiedMS)
	dst = appendETag(dst, d.ETag)
	dst = appendChecksums(dst, d.Checksums, 0)
	return append(dst, "</CopyPartResult>"...)
}

// CompleteUpload is the answer of CompleteMultipartUpload.
type CompleteUpload struct {
	Location    string // The object's URL.
	Bucket, Key string
	ETag        string // Without quotes.
	Checksums   []*metapb.Checksum
	Parts       int // How many parts the object has; it is appended to composite checksums.
}

// AppendXML implements Document.
func (d *CompleteUpload) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "CompleteMultipartUploadResult", ns)
	dst = appendText(dst, "Location", d.Location)
	dst = appendText(dst, "Bucket", d.Bucket)
	dst = appendText(dst, "Key", d.Key)
	dst = appendETag(dst, d.ETag)
	dst = appendChecksums(dst, d.Checksums, d.Parts)
	if len(d.Checksums) > 0 {
		dst = appendText(dst, "ChecksumType", checksumType(d.Checksums[0].GetComposite()))
	}
	return append(dst, "</CompleteMultipartUploadResult>"...)
}

// ListParts is the answer of ListParts.
type ListParts struct {
	Bucket, Key, UploadID string
	Initiator, Owner      Owner
	StorageClass          string // Empty: DefaultStorageClass.
	PartNumberMarker      int
	MaxParts              int
	Truncated             bool
	Parts                 []*metapb.Part
	ChecksumAlgorithm     string // Of the upload; empty: none.
	ChecksumType          string // ChecksumFullObject or ChecksumComposite, if there is an algorithm.
}

// AppendXML implements Document.
func (d *ListParts) AppendXML(dst []byte, ns string) []byte {
	dst = slices.Grow(dst, 1024+len(d.Parts)*bytesPerPart)
	dst = appendRoot(dst, "ListPartsResult", ns)
	dst = appendText(dst, "Bucket", d.Bucket)
	dst = appendText(dst, "Key", d.Key)
	dst = appendText(dst, "UploadId", d.UploadID)
	dst = d.Initiator.append(dst, "Initiator")
	dst = d.Owner.append(dst, "Owner")
	dst = appendStorageClass(dst, d.StorageClass)
	dst = appendInt(dst, "PartNumberMarker", int64(d.PartNumberMarker))
	next := uint64(0) // S3 writes 0 if there are no parts.
	if n := len(d.Parts); n > 0 {
		next = uint64(d.Parts[n-1].GetNumber())
	}
	dst = appendUint(dst, "NextPartNumberMarker", next)
	dst = appendInt(dst, "MaxParts", int64(d.MaxParts))
	dst = appendBool(dst, "IsTruncated", d.Truncated)
	dst = appendUploadChecksum(dst, d.ChecksumAlgorithm, d.ChecksumType)
	for _, p := range d.Parts {
		dst = append(dst, "<Part>"...)
		dst = appendUint(dst, "PartNumber", uint64(p.GetNumber()))
		dst = appendTime(dst, "LastModified", p.GetModifiedMs())
		dst = appendETag(dst, p.GetEtag())
		dst = appendUint(dst, "Size", p.GetSize())
		dst = appendChecksums(dst, p.GetChecksums(), 0)
		dst = append(dst, "</Part>"...)
	}
	return append(dst, "</ListPartsResult>"...)
}

// bytesPerPart is about how long a part of a list is.
const bytesPerPart = 256

func appendUploadChecksum(dst []byte, algorithm, kind string) []byte {
	dst = appendOptional(dst, "ChecksumAlgorithm", algorithm)
	if algorithm != "" {
		dst = appendOptional(dst, "ChecksumType", kind)
	}
	return dst
}

// UploadEntry is an upload in a list, or a common prefix of several uploads.
type UploadEntry struct {
	Prefix            string // If it is a common prefix: all other fields are empty.
	Key, UploadID     string
	Initiator, Owner  Owner
	StorageClass      string // Empty: DefaultStorageClass.
	InitiatedMS       int64
	ChecksumAlgorithm string
	ChecksumType      string
}

// ListUploads is the answer of ListMultipartUploads.
type ListUploads struct {
	Bucket, Prefix, Delimiter   string
	KeyMarker, UploadIDMarker   string
	NextKeyMarker, NextUploadID string // Of the next page, if Truncated.
	MaxUploads                  int
	EncodingType                string // Empty or EncodingURL.
	Truncated                   bool
	Uploads                     []UploadEntry // Uploads and common prefixes in one order.
}

// AppendXML implements Document.
func (d *ListUploads) AppendXML(dst []byte, ns string) []byte {
	urls := d.EncodingType == EncodingURL
	dst = slices.Grow(dst, 1024+len(d.Uploads)*2*bytesPerPart)
	dst = appendRoot(dst, "ListMultipartUploadsResult", ns)
	dst = appendText(dst, "Bucket", d.Bucket)
	dst = appendCoded(dst, "KeyMarker", d.KeyMarker, urls)
	dst = appendText(dst, "UploadIdMarker", d.UploadIDMarker)
	if d.Truncated {
		dst = appendCoded(dst, "NextKeyMarker", d.NextKeyMarker, urls)
		dst = appendText(dst, "NextUploadIdMarker", d.NextUploadID)
	}
	dst = appendCoded(dst, "Prefix", d.Prefix, urls)
	if d.Delimiter != "" {
		dst = appendCoded(dst, "Delimiter", d.Delimiter, urls)
	}
	dst = appendOptional(dst, "EncodingType", d.EncodingType)
	dst = appendInt(dst, "MaxUploads", int64(d.MaxUploads))
	dst = appendBool(dst, "IsTruncated", d.Truncated)
	for i := range d.Uploads {
		if d.Uploads[i].Prefix == "" {
			dst = d.Uploads[i].append(dst, urls)
		}
	}
	for i := range d.Uploads {
		if p := d.Uploads[i].Prefix; p != "" {
			dst = appendCommonPrefix(dst, p, urls)
		}
	}
	return append(dst, "</ListMultipartUploadsResult>"...)
}

func (u *UploadEntry) append(dst []byte, urls bool) []byte {
	dst = append(dst, "<Upload>"...)
	dst = appendCoded(dst, "Key", u.Key, urls)
	dst = appendText(dst, "UploadId", u.UploadID)
	dst = u.Initiator.append(dst, "Initiator")
	dst = u.Owner.append(dst, "Owner")
	dst = appendStorageClass(dst, u.StorageClass)
	dst = appendTime(dst, "Initiated", u.InitiatedMS)
	dst = appendUploadChecksum(dst, u.ChecksumAlgorithm, u.ChecksumType)
	return append(dst, "</Upload>"...)
}
