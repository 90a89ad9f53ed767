package s3api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func (s *server) completeMultipartUpload(ctx context.Context, rq *request) (*response, error) {
	in, err := s.parseComplete(ctx, rq)
	if err != nil {
		return nil, err
	}
	resp := &response{}
	location := s.location(rq.r, rq.address)
	resp.later = func(ctx context.Context) (*response, error) {
		v, err := s.cfg.Objects.Complete(ctx, in)
		if err != nil {
			return nil, err
		}
		rq.done.ObjectSize = int64(v.GetSize())
		final := &response{document: &wirexml.CompleteUpload{
			Location: location, Bucket: in.Bucket, Key: in.Key, ETag: v.GetEtag(),
			Checksums: v.GetChecksums(), Parts: int(v.GetParts()),
		}}
		s.tellWritten(ctx, final, rq, v)
		s.tellExpiration(ctx, final, rq, v)
		s.tellEncryption(final, v.GetEncryption(), in.CustomerKey)
		return final, nil
	}
	return resp, nil
}

func (s *server) parseComplete(ctx context.Context, rq *request) (*object.CompleteInput, error) {
	in := &object.CompleteInput{Bucket: rq.bucket, Key: rq.key}
	h := rq.r.Header
	var err error
	if in.UploadID, err = uploadIDOf(rq.query); err != nil {
		return nil, err
	}
	if in.Conditions, err = writeConditions(h); err != nil {
		return nil, err
	}
	if in.CustomerKey, err = s.customerKey(rq, targetKeyHeaders); err != nil {
		return nil, err
	}
	if text := h.Get("X-Amz-Mp-Object-Size"); text != "" {
		if !isDigits(text) {
			return nil, s3err.InvalidRequest.Say("Value for x-amz-mp-object-size header is invalid.")
		}
		size := saturatingUint(text)
		in.ObjectSize = &size
	}
	body, err := rq.readPartList(s.cfg.Limits.MaxXMLBytes)
	if err != nil {
		return nil, err
	}
	parts, err := wirexml.ParseCompleteUpload(body)
	if err != nil {
		return nil, err
	}
	in.Parts = make([]object.CompletePart, len(parts))
	for i, p := range parts {
		in.Parts[i] = object.CompletePart(p)
	}
	if in.Checksums, in.ChecksumType, err = claimedChecksums(h, len(parts)); err != nil {
		return nil, err
	}
	in.Caller, err = s.admit(ctx, rq, "s3:PutObject")
	return in, err
}

// location returns the URL of an object as the client addresses it.
func (s *server) location(r *http.Request, t address) string {
	u := url.URL{Scheme: "http", Host: r.Host, Path: "/" + t.bucket + "/" + t.key}
	if r.TLS != nil {
		u.Scheme = "https"
	}
	if s.hostBucket(r.Host) != "" {
		u.Path = "/" + t.key
	}
	return u.String()
}
