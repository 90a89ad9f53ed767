package wirexml

import "github.com/cairnstore/cairn/meta/metapb"

// Owner is an account or a user in a document.
type Owner struct {
	ID          string
	DisplayName string // Left out if empty.
}

func (o Owner) append(dst []byte, name string) []byte {
	dst = appendOpen(dst, name)
	dst = appendText(dst, "ID", o.ID)
	dst = appendOptional(dst, "DisplayName", o.DisplayName)
	return appendClose(dst, name)
}

// ListBuckets is the answer of ListBuckets.
type ListBuckets struct {
	Owner             Owner
	Buckets           []*metapb.Bucket
	Prefix            string // As in the request.
	ContinuationToken string // Of the next page; empty: this is the last one.
}

// AppendXML implements Document.
func (d *ListBuckets) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "ListAllMyBucketsResult", ns)
	dst = d.Owner.append(dst, "Owner")
	dst = append(dst, "<Buckets>"...)
	for _, b := range d.Buckets {
		dst = append(dst, "<Bucket>"...)
		dst = appendText(dst, "Name", b.GetName())
		dst = appendTime(dst, "CreationDate", b.GetCreatedMs())
		dst = appendOptional(dst, "BucketRegion", b.GetRegion())
		dst = append(dst, "</Bucket>"...)
	}
	dst = append(dst, "</Buckets>"...)
	dst = appendOptional(dst, "Prefix", d.Prefix)
	dst = appendOptional(dst, "ContinuationToken", d.ContinuationToken)
	return append(dst, "</ListAllMyBucketsResult>"...)
}

// DefaultRegion is the region for which S3 writes an empty LocationConstraint.
const DefaultRegion = "us-east-1"

// LocationForm is the form in which a client expects the location of a bucket.
type LocationForm uint8

// The forms of a location.
const (
	LocationAWS       LocationForm = iota // In the root element, which is empty for DefaultRegion.
	LocationOBS                           // As OBS documents it for the S3 API: what the bucket was created with.
	LocationOBSNative                     // As in OBS's native API.
)

// Location is the answer of GetBucketLocation.
type Location struct {
	Region string
	Form   LocationForm
}

// AppendXML implements Document.
func (d *Location) AppendXML(dst []byte, ns string) []byte {
	switch d.Form {
	case LocationOBS:
		dst = appendRoot(dst, "CreateBucketConfiguration", ns)
		dst = appendText(dst, "LocationConstraint", d.Region)
		return append(dst, "</CreateBucketConfiguration>"...)
	case LocationOBSNative:
		dst = appendRoot(dst, "Location", ns)
		dst = appendEscaped(dst, d.Region, true)
		return append(dst, "</Location>"...)
	}
	dst = appendRoot(dst, "LocationConstraint", ns)
	if d.Region != DefaultRegion {
		dst = appendEscaped(dst, d.Region, true)
	}
	return append(dst, "</LocationConstraint>"...)
}
