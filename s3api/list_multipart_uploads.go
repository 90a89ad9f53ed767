package s3api

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func (s *server) listMultipartUploads(ctx context.Context, rq *request) (*response, error) {
	doc, ask, err := parseListUploads(rq)
	if err != nil {
		return nil, err
	}
	who, err := s.admit(ctx, rq, "s3:ListBucketMultipartUploads")
	if err != nil {
		return nil, err
	}
	answer, err := s.cfg.Objects.ListUploads(ctx, who, ask)
	if err != nil {
		return nil, err
	}
	doc.Truncated = answer.GetTruncated()
	doc.Uploads = make([]wirexml.UploadEntry, 0, len(answer.GetEntries()))
	for _, e := range answer.GetEntries() {
		doc.Uploads = append(doc.Uploads, uploadEntry(e))
	}
	if n := len(doc.Uploads); n > 0 && doc.Truncated {
		last := doc.Uploads[n-1]
		doc.NextKeyMarker, doc.NextUploadID = last.Key+last.Prefix, last.UploadID
	}
	return &response{document: doc}, nil
}

func parseListUploads(rq *request) (*wirexml.ListUploads, *metapb.ListUploads, error) {
	q := rq.query
	encoding, err := encodingType(q)
	if err != nil {
		return nil, nil, err
	}
	maxUploads, err := q.number("max-uploads", MaxListKeys)
	if err != nil {
		return nil, nil, err
	}
	if maxUploads < 1 || maxUploads > MaxListKeys {
		maxUploads = MaxListKeys
	}
	doc := &wirexml.ListUploads{
		Bucket: rq.bucket, Prefix: q.get("prefix"), Delimiter: q.get("delimiter"), KeyMarker: q.get("key-marker"),
		UploadIDMarker: q.get("upload-id-marker"), MaxUploads: maxUploads, EncodingType: encoding,
	}
	ask := &metapb.ListUploads{
		Bucket: doc.Bucket, Prefix: doc.Prefix, Delimiter: doc.Delimiter, KeyMarker: doc.KeyMarker,
		MaxUploads: uint32(maxUploads),
	}
	if doc.KeyMarker != "" && doc.UploadIDMarker != "" { // Without a key the id is ignored.
		if ask.UploadIdMarker, err = object.ParseUploadID(doc.UploadIDMarker); err != nil {
			return nil, nil, s3err.BadArgument("upload-id-marker", "", "Invalid uploadId marker")
		}
	}
	return doc, ask, nil
}

func uploadEntry(e *metapb.UploadEntry) wirexml.UploadEntry {
	u := e.GetUpload()
	if u == nil {
		return wirexml.UploadEntry{Prefix: e.GetPrefix()}
	}
	return wirexml.UploadEntry{
		Key: u.GetKey(), UploadID: object.FormatUploadID(u.GetId()),
		Initiator:    wirexml.Owner{ID: u.GetInitiator(), DisplayName: u.GetInitiatorName()},
		Owner:        wirexml.Owner{ID: u.GetOwner(), DisplayName: u.GetOwnerName()},
		StorageClass: wirexml.ClassOfObject(u.GetAttributes()), InitiatedMS: u.GetInitiatedMs(),
		ChecksumAlgorithm: u.GetChecksumAlgorithm(), ChecksumType: checksumType(u.GetChecksumFullObject()),
	}
}
