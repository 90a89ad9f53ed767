package s3api

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"errors"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/policy"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func (s *server) deleteObjects(ctx context.Context, rq *request) (*response, error) {
	body, err := rq.readSummedDocument(s.cfg.Limits.MaxXMLBytes)
	if err != nil {
		return nil, err
	}
	list, err := wirexml.ParseDelete(body)
	if err != nil {
		return nil, err
	}
	doc := &wirexml.DeleteObjects{Quiet: list.Quiet, Style: rq.style}
	names, err := s.refuseDenied(ctx, rq, doc, refuseLongKeys(doc, list.Objects))
	if err != nil || len(names) == 0 {
		return &response{document: doc}, err
	}
	who, err := s.callerOf(ctx, rq)
	if err != nil {
		return nil, err
	}
	results, err := s.cfg.Objects.Delete(ctx, who, rq.bucket, names)
	if err != nil {
		return nil, err
	}
	for i, result := range results {
		addDeleted(doc, names[i], result, s.deleteError(ctx, rq, names[i], result))
	}
	return &response{document: doc}, nil
}

// refuseDenied adds the keys that the caller may not delete to the answer and returns the others.
func (s *server) refuseDenied(ctx context.Context, rq *request, doc *wirexml.DeleteObjects, names []*metapb.ObjectName) ([]*metapb.ObjectName, error) {
	kept := names[:0:0]
	rq.memo = policy.NewMemo()
	for _, name := range names {
		if ctx.Err() != nil {
			return nil, errs.New("s3api.DeleteObjects", errs.Canceled, ctx.Err()) // Nobody waits for the answer.
		}
		err := s.allow(ctx, rq, versioned("s3:DeleteObject", name.VersionId != ""), subject{rq.bucket, name.Key, name.VersionId})
		var denied *s3err.Error
		switch {
		case err == nil:
			name.BypassGovernance = s.bypasses(ctx, rq, subject{rq.bucket, name.Key, name.VersionId})
			kept = append(kept, name)
		case errors.As(err, &denied) && denied.Code == s3err.AccessDenied:
			doc.Errors = append(doc.Errors, wirexml.DeleteError{Key: name.Key, VersionID: name.VersionId, Err: denied})
		default:
			return nil, err
		}
	}
	return kept, nil
}

// verifyDocument checks what the client claims of a document's bytes.
func verifyDocument(body, contentMD5 []byte, digest object.Digest) error {
	if contentMD5 != nil {
		if got := md5.Sum(body); !bytes.Equal(got[:], contentMD5) {
			return s3err.BadDigest.Err()
		}
	}
	if digest.Algorithm == "" {
		return nil
	}
	claimed, err := digest.Value()
	if err != nil {
		return err
	}
	h := checksum.New(digest.Algorithm)
	_, _ = h.Write(body)
	if !bytes.Equal(h.Sum(nil), claimed) {
		return s3err.BadDigest.Err()
	}
	return nil
}

// refuseLongKeys adds keys that are too long to exist to the errors of the answer and returns the
// others.
func refuseLongKeys(doc *wirexml.DeleteObjects, names []*metapb.ObjectName) []*metapb.ObjectName {
	kept := names[:0]
	for _, name := range names {
		if len(name.GetKey()) > MaxKeyBytes {
			doc.Errors = append(doc.Errors, wirexml.DeleteError{Key: name.GetKey(), VersionID: name.GetVersionId(), Err: s3err.KeyTooLong.Err()})
			continue
		}
		kept = append(kept, name)
	}
	return kept
}

// addDeleted records one result. What did not exist counts as deleted.
func addDeleted(doc *wirexml.DeleteObjects, name *metapb.ObjectName, result *metapb.DeleteResult, err *s3err.Error) {
	if err != nil {
		doc.Errors = append(doc.Errors, wirexml.DeleteError{Key: name.GetKey(), VersionID: name.GetVersionId(), Err: err})
		return
	}
	d := wirexml.Deleted{Key: name.GetKey(), VersionID: name.GetVersionId(), DeleteMarker: result.GetDeleteMarker()}
	if d.DeleteMarker {
		d.DeleteMarkerVersionID = cmp.Or(result.GetVersionId(), wirexml.NullVersion)
	}
	doc.Deleted = append(doc.Deleted, d)
}

// deleteError returns why an object was not deleted, or nil if it is gone. If a condition named a
// tag and there is no object, AWS answers with another code.
func (s *server) deleteError(ctx context.Context, rq *request, name *metapb.ObjectName, result *metapb.DeleteResult) *s3err.Error {
	failed := result.GetRefusal() == metapb.Refusal_REFUSAL_PRECONDITION_FAILED
	if failed && name.IfMatch != "" && rq.profile.ErrorProfile == profile.AWS && s.absent(ctx, rq, name) {
		return s3err.NoSuchKey.Say("", s3err.Field{Name: "Key", Value: name.Key})
	}
	return refusedDelete(result)
}

// absent reports whether there is no such object now.
func (s *server) absent(ctx context.Context, rq *request, name *metapb.ObjectName) bool {
	_, err := s.cfg.Objects.Get(ctx, &object.GetInput{Caller: object.Caller{Request: rq.asks()}, Bucket: rq.bucket,
		Key: name.Key, VersionID: name.VersionId, Head: true, Range: object.Range{Kind: metapb.RangeKind_RANGE_NONE}, AttributesOnly: true})
	return err != nil && s3err.FromError(err).Code == s3err.NoSuchKey
}

func refusedDelete(result *metapb.DeleteResult) *s3err.Error {
	switch result.GetRefusal() {
	case metapb.Refusal_REFUSAL_NONE, metapb.Refusal_REFUSAL_NO_SUCH_KEY, metapb.Refusal_REFUSAL_NO_SUCH_VERSION:
		return nil
	case metapb.Refusal_REFUSAL_PRECONDITION_FAILED:
		return s3err.PreconditionFailed.Err()
	case metapb.Refusal_REFUSAL_LOCKED:
		return s3err.AccessDenied.Say(object.MsgLocked)
	default:
		return s3err.InternalError.Err()
	}
}
