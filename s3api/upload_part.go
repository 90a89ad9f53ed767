package s3api

import (
	"context"

	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
)

func (s *server) uploadPart(ctx context.Context, rq *request) (*response, error) {
	in, err := s.parsePart(ctx, rq)
	if err != nil {
		return nil, err
	}
	part, err := s.cfg.Objects.PutPart(ctx, in)
	if err != nil {
		return nil, err
	}
	rq.done.ObjectSize = int64(part.GetSize())
	resp := &response{}
	resp.setETag(part.GetEtag())
	for _, c := range part.GetChecksums() {
		resp.setPartChecksum(c)
	}
	resp.echoCustomerKey(in.CustomerKey)
	s.tellPart(resp, part)
	return resp, nil
}

func (s *server) parsePart(ctx context.Context, rq *request) (*object.PartInput, error) {
	in := &object.PartInput{Bucket: rq.bucket, Key: rq.key}
	var err error
	if in.UploadID, in.PartNumber, err = partAddress(rq.query); err != nil {
		return nil, err
	}
	if in.CustomerKey, err = s.customerKey(rq, targetKeyHeaders); err != nil {
		return nil, err
	}
	if in.Body, err = rq.body(s.cfg.Limits.MaxPartBytes); err != nil {
		return nil, err
	}
	if in.Caller, err = s.admit(ctx, rq, "s3:PutObject"); err != nil {
		return nil, err
	}
	in.Repeated, err = s.repeated(ctx, rq)
	return in, err
}

// partAddress reads which part of which upload a request is about.
func partAddress(q query) (uploadID string, number int, err error) {
	if number, err = partNumber(q); err != nil {
		return "", 0, err
	}
	uploadID, err = uploadIDOf(q)
	return uploadID, number, err
}

// uploadIDOf reads the uploadId parameter.
func uploadIDOf(q query) (string, error) {
	id := q.get("uploadId")
	if id == "" {
		return "", s3err.BadArgument("uploadId", "", "The uploadId parameter is missing or empty.")
	}
	return id, nil
}

// partNumber reads the partNumber parameter.
func partNumber(q query) (int, error) {
	text := q.get("partNumber")
	n := saturatingUint(text)
	if !isDigits(text) || n < 1 || n > MaxPartNumber {
		return 0, s3err.BadArgument("partNumber", printable(text),
			"Part number must be an integer between 1 and 10000, inclusive")
	}
	return int(n), nil
}
