package s3api

import (
	"context"

	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// uploadPartCopy makes a part of a range of an object. All that can be refused is refused before
// the copy runs. A long copy is answered as later.go says.
func (s *server) uploadPartCopy(ctx context.Context, rq *request) (*response, error) {
	in, err := s.parseCopyPart(ctx, rq)
	if err != nil {
		return nil, err
	}
	c, err := s.cfg.Objects.CopyPart(ctx, in)
	if err != nil {
		return nil, err
	}
	resp := &response{}
	resp.setVersion("x-amz-copy-source-version-id", c.SourceVersionID())
	s.tellEncryption(resp, c.Encryption(), in.CustomerKey)
	resp.later = func(ctx context.Context) (*response, error) {
		defer c.Close()
		copied, err := c.Run(ctx)
		if err != nil {
			return nil, err
		}
		return &response{document: &wirexml.CopyPart{ETag: copied.ETag, ModifiedMS: copied.ModifiedMS, Checksums: copied.Checksums}}, nil
	}
	return resp, nil
}

// parseCopyPart checks the request in the order that tests of errors expect: part and upload,
// source, range, keys.
func (s *server) parseCopyPart(ctx context.Context, rq *request) (*object.CopyPartInput, error) {
	in := &object.CopyPartInput{Bucket: rq.bucket, Key: rq.key}
	var err error
	if in.UploadID, in.PartNumber, err = partAddress(rq.query); err != nil {
		return nil, err
	}
	if rq.r.ContentLength > maxIgnoredBodyBytes {
		return nil, s3err.UnexpectedContent.Say("A copy takes no body.")
	}
	if in.Source, err = s.copySource(rq); err != nil {
		return nil, err
	}
	if values, ranged := rq.r.Header["X-Amz-Copy-Source-Range"]; ranged {
		if in.Source.Range, err = parseCopySourceRange(values[0]); err != nil {
			return nil, err
		}
	}
	if in.CustomerKey, err = s.customerKey(rq, targetKeyHeaders); err != nil {
		return nil, err
	}
	if in.Caller, err = s.admitCopy(ctx, rq, &in.Source); err != nil {
		return nil, err
	}
	in.Repeated, err = s.repeated(ctx, rq)
	return in, err
}
