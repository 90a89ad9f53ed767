package s3api

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func (s *server) listParts(ctx context.Context, rq *request) (*response, error) {
	id, err := uploadIDOf(rq.query)
	if err != nil {
		return nil, err
	}
	maxParts, err := rq.query.number("max-parts", MaxListKeys)
	if err != nil {
		return nil, err
	}
	marker, err := rq.query.number("part-number-marker", 0)
	if err != nil {
		return nil, err
	}
	maxParts = min(maxParts, MaxListKeys)
	who, err := s.admit(ctx, rq, "s3:ListMultipartUploadParts")
	if err != nil {
		return nil, err
	}
	// If the client asks for no parts, one is read all the same to see that the upload exists.
	answer, err := s.cfg.Objects.ListParts(ctx, who, rq.bucket, rq.key, id, marker, max(maxParts, 1))
	if err != nil {
		return nil, err
	}
	u := answer.GetUpload()
	doc := &wirexml.ListParts{
		Bucket: rq.bucket, Key: rq.key, UploadID: id,
		Initiator:    wirexml.Owner{ID: u.GetInitiator(), DisplayName: u.GetInitiatorName()},
		Owner:        wirexml.Owner{ID: u.GetOwner(), DisplayName: u.GetOwnerName()},
		StorageClass: wirexml.ClassOfObject(u.GetAttributes()), PartNumberMarker: marker, MaxParts: maxParts,
		Truncated: answer.GetTruncated(), Parts: answer.GetParts(),
		ChecksumAlgorithm: u.GetChecksumAlgorithm(), ChecksumType: checksumType(u.GetChecksumFullObject()),
	}
	if maxParts == 0 {
		doc.Parts, doc.Truncated = []*metapb.Part(nil), false
	}
	rules, err := s.lifecycleRules(ctx, rq)
	if err != nil {
		return nil, err
	}
	resp := &response{document: doc}
	resp.tellAbort(rules, rq.key, u.GetInitiatedMs())
	return resp, nil
}
