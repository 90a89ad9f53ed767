package wirexml

import (
	"encoding/base64"
	"strconv"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// CopyObject is the answer of CopyObject.
type CopyObject struct {
	ETag       string // Without quotes.
	ModifiedMS int64
	Checksums  []*metapb.Checksum
}

// AppendXML implements Document.
func (d *CopyObject) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "CopyObjectResult", ns)
	dst = appendTime(dst, "LastModified", d.ModifiedMS)
	dst = appendETag(dst, d.ETag)
	dst = appendChecksums(dst, d.Checksums, 0)
	if len(d.Checksums) > 0 {
		dst = appendText(dst, "ChecksumType", checksumType(d.Checksums[0].GetComposite()))
	}
	return append(dst, "</CopyObjectResult>"...)
}

// appendChecksums appends an element for each checksum. If parts is not 0, it is appended to
// composite checksums, as the number of parts.
func appendChecksums(dst []byte, sums []*metapb.Checksum, parts int) []byte {
	for _, s := range sums {
		dst = append(dst, "<Checksum"...)
		dst = append(dst, s.GetAlgorithm()...)
		dst = append(dst, '>')
		dst = base64.StdEncoding.AppendEncode(dst, s.GetValue())
		if s.GetComposite() && parts > 0 {
			dst = strconv.AppendInt(append(dst, '-'), int64(parts), 10)
		}
		dst = append(dst, "</Checksum"...)
		dst = append(dst, s.GetAlgorithm()...)
		dst = append(dst, '>')
	}
	return dst
}

// Deleted is an object that DeleteObjects deleted.
type Deleted struct {
	Key                   string
	VersionID             string // As in the request.
	DeleteMarker          bool   // A delete marker was made, or one was deleted.
	DeleteMarkerVersionID string
}

// DeleteError is an object that DeleteObjects could not delete.
type DeleteError struct {
	Key       string
	VersionID string
	Err       *s3err.Error
}

// DeleteObjects is the answer of DeleteObjects.
type DeleteObjects struct {
	Quiet   bool // Only Errors are written.
	Deleted []Deleted
	Errors  []DeleteError
	Style   Style // It decides how the codes of Errors are written.
}

// AppendXML implements Document.
func (d *DeleteObjects) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "DeleteResult", ns)
	if !d.Quiet {
		for i := range d.Deleted {
			dst = d.Deleted[i].append(dst)
		}
	}
	for i := range d.Errors {
		dst = d.Errors[i].append(dst, d.Style)
	}
	return append(dst, "</DeleteResult>"...)
}

func (d *Deleted) append(dst []byte) []byte {
	dst = append(dst, "<Deleted>"...)
	dst = appendText(dst, "Key", d.Key)
	dst = appendOptional(dst, "VersionId", d.VersionID)
	if d.DeleteMarker {
		dst = appendBool(dst, "DeleteMarker", true)
		dst = appendOptional(dst, "DeleteMarkerVersionId", d.DeleteMarkerVersionID)
	}
	return append(dst, "</Deleted>"...)
}

func (d *DeleteError) append(dst []byte, style Style) []byte {
	message := d.Err.Message
	if message == "" {
		message = s3err.Table[d.Err.Code].Message
	}
	dst = append(dst, "<Error>"...)
	dst = appendText(dst, "Key", d.Key)
	dst = appendOptional(dst, "VersionId", d.VersionID)
	dst = appendSafe(dst, "Code", string(style.Tell(d.Err).Code))
	dst = appendSafe(dst, "Message", message)
	return append(dst, "</Error>"...)
}

// PostResponse is the answer to an upload by a form that asks for status 201.
type PostResponse struct{ Location, Bucket, Key, ETag string }

// AppendXML implements Document.
func (d *PostResponse) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "PostResponse", ns)
	dst = appendText(dst, "Location", d.Location)
	dst = appendText(dst, "Bucket", d.Bucket)
	dst = appendText(dst, "Key", d.Key)
	dst = appendETag(dst, d.ETag)
	return append(dst, "</PostResponse>"...)
}
