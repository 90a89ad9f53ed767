package object

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
)

// source is the version that a copy reads, and the range of it. It stays that version whatever
// happens to its key meanwhile.
type source struct {
	in     *CopySource
	key    string // The key that exists: that of in, or its alternate one.
	answer *metapb.ObjectAnswer
	wrap   sse.WrappingKey // Opens its envelopes; nil: not encrypted.
}

func (r *source) version() *metapb.Version { return r.answer.Version }
func (r *source) length() uint64           { return r.answer.Length }

// whole reports whether the range is the whole version.
func (r *source) whole() bool { return r.answer.First == 0 && r.answer.Length == r.answer.Version.Size }

// lookUp finds a source and the content of its range in one query. It checks that the caller may
// read it, and nothing else.
func (s *Service) lookUp(ctx context.Context, of Request, in *CopySource) (*source, error) {
	q := &metapb.GetObject{Bucket: in.Bucket, Key: in.Key, AlternateKey: in.AlternateKey,
		VersionId: in.VersionID, MaxRefs: maxRefs, Restored: true}
	if in.Range != nil {
		q.Range, q.First, q.Last = metapb.RangeKind_RANGE_FIRST_LAST, in.Range.First, in.Range.Last
	}
	a, err := s.query(ctx, of, &metapb.Query{Op: &metapb.Query_Object{Object: q}})
	if err != nil {
		return nil, hideMissing(in.Access, err)
	}
	r := &source{in: in, key: in.Key, answer: a.Object}
	if a.Object.Alternate {
		r.key = in.AlternateKey
	}
	if err := permit(in.Access, r.key, r.version()); err != nil {
		return nil, err
	}
	return r, nil
}

// unlockSource checks that the source is an object that can be read now, and with the key that the
// request carries for it.
func (s *Service) unlockSource(r *source) (err error) {
	if v := r.version(); v.DeleteMarker {
		if r.in.VersionID == "" {
			return s3err.NoSuchKey.Err()
		}
		return s3err.InvalidRequest.Say("The source of a copy request may not specifically refer to a delete marker by version id.")
	}
	if err := warm(r.version(), ""); err != nil {
		return err
	}
	r.wrap, err = s.unlock(r.version().Encryption, r.in.CustomerKey)
	return err
}

// checkRange checks the conditions, the range and the size of the source, in this order.
func (s *Service) checkRange(r *source) error {
	v := r.version()
	if failed := failedCondition(&r.in.Conditions, v); failed != "" {
		return s3err.PreconditionFailed.Say("", s3err.Field{Name: "Condition", Value: failed})
	}
	if want := r.in.Range; want != nil {
		pastEnd := s.knobs().CopyRangePastEnd
		requested := fmt.Sprintf("bytes=%d-%d", want.First, want.Last)
		switch {
		case r.answer.Unsatisfiable || want.First >= v.Size:
			return s3err.InvalidRange.Say("", s3err.Field{Name: "ActualObjectSize", Value: strconv.FormatUint(v.Size, 10)},
				s3err.Field{Name: "RangeRequested", Value: requested})
		case want.Last < v.Size || pastEnd == profile.PastEndClamp:
		case pastEnd == profile.PastEndInvalidRange:
			return s3err.InvalidRange.Say("", s3err.Field{Name: "ActualObjectSize", Value: strconv.FormatUint(v.Size, 10)},
				s3err.Field{Name: "RangeRequested", Value: requested})
		default:
			return s3err.BadArgument("x-amz-copy-source-range", requested,
				"Range specified is not valid for source object of size: "+strconv.FormatUint(v.Size, 10))
		}
	}
	if r.length() > uint64(s.cfg.MaxPartBytes) {
		return s3err.EntityTooLarge.Err()
	}
	return nil
}

// failedCondition returns the name of the header whose condition does not hold; empty: all hold. A
// condition on the tag makes the one on the date of its kind void. A date in the future is no
// condition.
func failedCondition(c *ReadConditions, v *metapb.Version) string {
	modified := time.UnixMilli(v.ModifiedMs).Truncate(time.Second)
	set := func(t time.Time) bool { return !t.IsZero() && !t.After(time.Now()) }
	switch {
	case c.IfMatch != "":
		if !namesETag(c.IfMatch, v.Etag) {
			return "x-amz-copy-source-If-Match"
		}
	case set(c.IfUnmodifiedSince) && modified.After(c.IfUnmodifiedSince):
		return "x-amz-copy-source-If-Unmodified-Since"
	}
	switch {
	case c.IfNoneMatch != "":
		if namesETag(c.IfNoneMatch, v.Etag) {
			return "x-amz-copy-source-If-None-Match"
		}
	case set(c.IfModifiedSince) && !modified.After(c.IfModifiedSince):
		return "x-amz-copy-source-If-Modified-Since"
	}
	return ""
}

// namesETag reports whether a list of entity tags, quoted or bare, names etag. The tag * names any.
func namesETag(list, etag string) bool {
	for tag := range strings.SplitSeq(list, ",") {
		tag = strings.Trim(strings.TrimPrefix(strings.TrimSpace(tag), "W/"), `"`)
		if tag == "*" || tag == etag {
			return true
		}
	}
	return false
}

// sourceContent returns the source's range as content that was not read yet.
func (s *Service) sourceContent(r *source) *content {
	return s.newContent(r.version(), r.answer, r.wrap)
}

// stream returns the plaintext of c as a reader. Another goroutine fetches, verifies and decrypts
// it meanwhile. The caller calls stop, which ends that goroutine.
func (s *Service) stream(ctx context.Context, c *content) (r io.Reader, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	pr, pw := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		n, err := c.sendAll(ctx, pw)
		if err == nil && uint64(n) != c.length {
			err = errs.Newf("object.stream", errs.Internal, "content %x ended after %d of %d bytes", c.id, n, c.length)
		}
		pw.CloseWithError(err) // Nil stands for io.EOF.
	}()
	return pr, func() {
		cancel()
		pr.Close()
		<-done
	}
}
