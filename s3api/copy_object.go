package s3api

import (
	"context"
	"net/http"

	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// maxIgnoredBodyBytes is the longest body that a copy may announce: a copy takes none, but some
// clients send a Content-Length.
const maxIgnoredBodyBytes = 64 << 10

func (s *server) copyObject(ctx context.Context, rq *request) (*response, error) {
	in, err := s.parseCopy(ctx, rq)
	if err != nil {
		return nil, err
	}
	c, err := s.cfg.Objects.Copy(ctx, in)
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
		rq.done.ObjectSize = int64(copied.Version.GetSize())
		final := &response{document: &wirexml.CopyObject{ETag: copied.ETag, ModifiedMS: copied.ModifiedMS, Checksums: copied.Checksums}}
		s.tellWritten(ctx, final, rq, copied.Version)
		s.tellExpiration(ctx, final, rq, copied.Version)
		return final, nil
	}
	return resp, nil
}

func (s *server) parseCopy(ctx context.Context, rq *request) (*object.CopyInput, error) {
	in := &object.CopyInput{Bucket: rq.bucket, Key: rq.key}
	h := rq.r.Header
	if _, ranged := h["X-Amz-Copy-Source-Range"]; ranged {
		return nil, notImplementedHeader("x-amz-copy-source-range")
	}
	var err error
	if in.Source, err = s.copySource(rq); err != nil {
		return nil, err
	}
	if err = rq.describeNew(&in.Description); err != nil {
		return nil, err
	}
	switch directive := h.Get("X-Amz-Metadata-Directive"); directive {
	case "", "COPY":
	case "REPLACE":
		in.ReplaceAttributes = true
	default:
		return nil, s3err.BadArgument("x-amz-metadata-directive", printable(directive), "Unknown metadata directive.")
	}
	in.Named = namesChange(h)
	if in.Conditions, err = writeConditions(h); err != nil {
		return nil, err
	}
	if in.Digest.Algorithm, err = checksumAlgorithm(h); err != nil {
		return nil, err
	}
	if _, err := s.admitCopy(ctx, rq, &in.Source); err != nil {
		return nil, err
	}
	if err := s.copiesTags(ctx, rq, in); err != nil {
		return nil, err
	}
	in.Caller, err = s.admitWrite(ctx, rq, &in.Description)
	return in, err
}

// namesChange reports whether a copy names something that may differ between it and its source.
func namesChange(h http.Header) bool {
	for _, name := range []string{headerStorageClass, headerEncryption, targetKeyHeaders.algorithm, "X-Amz-Checksum-Algorithm", headerRedirect} {
		if h.Get(name) != "" {
			return true
		}
	}
	return false
}
