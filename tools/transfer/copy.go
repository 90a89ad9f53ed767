package transfer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// errItself is of a copy of an object onto itself.
var errItself = errors.New("it is source and destination at once")

// copyObject copies an object inside the store.
func (r *run) copyObject(ctx context.Context, t Task) (Task, error) {
	if t.From.Bucket == t.To.Bucket && t.From.Key == t.To.Key && (t.From.Version == "" || t.Op == Move) &&
		(t.Op == Move || !r.o.Headers.any()) {
		return t, errItself
	}
	head, err := r.store.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &t.From.Bucket, Key: &t.From.Key,
		VersionId: given(t.From.Version)})
	if err != nil {
		return t, err
	}
	t.Size, t.ETag = aws.ToInt64(head.ContentLength), unquoted(head.ETag)
	if t.Size > r.o.CopyMax {
		return t, r.copyParts(ctx, t, head)
	}
	if err := r.acquire(ctx); err != nil {
		return t, err
	}
	defer r.release()
	in := &s3.CopyObjectInput{Bucket: &t.To.Bucket, Key: &t.To.Key, CopySource: aws.String(copySource(t.From)),
		CopySourceIfMatch: head.ETag, StorageClass: types.StorageClass(r.o.Headers.Class)}
	if h := r.o.Headers; h.ContentType != "" || h.CacheControl != "" || len(h.Metadata) > 0 {
		h = h.over(head)
		in.MetadataDirective, in.Metadata = types.MetadataDirectiveReplace, h.Metadata
		in.ContentType, in.CacheControl = given(h.ContentType), given(h.CacheControl)
		in.ContentDisposition, in.ContentEncoding = head.ContentDisposition, head.ContentEncoding
		in.ContentLanguage = head.ContentLanguage
	}
	if r.o.Headers.Tags != "" {
		in.TaggingDirective, in.Tagging = types.TaggingDirectiveReplace, &r.o.Headers.Tags
	}
	if _, err := r.store.CopyObject(ctx, in); err != nil {
		return t, err
	}
	r.moved(t.Size)
	return t, nil
}

// any reports whether there is something that objects get.
func (h Headers) any() bool {
	return h.ContentType != "" || h.CacheControl != "" || h.Class != "" || len(h.Metadata) > 0 || h.Tags != ""
}

// over returns headers with those of an object where there are none.
func (h Headers) over(o *s3.HeadObjectOutput) Headers {
	if h.ContentType == "" {
		h.ContentType = aws.ToString(o.ContentType)
	}
	if h.CacheControl == "" {
		h.CacheControl = aws.ToString(o.CacheControl)
	}
	all := maps.Clone(o.Metadata)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, h.Metadata)
	h.Metadata = all
	return h
}

// copySource is how a request names the source of a copy.
func copySource(from Location) string {
	var path strings.Builder
	path.WriteString(from.Bucket)
	for part := range strings.SplitSeq(from.Key, "/") {
		path.WriteString("/" + url.PathEscape(part))
	}
	source := strings.ReplaceAll(path.String(), "+", "%2B")
	if from.Version != "" {
		source += versionParameter + url.QueryEscape(from.Version)
	}
	return source
}

// copyParts copies an object that is too large for one request, and goes on with what an earlier run has
// copied.
func (r *run) copyParts(ctx context.Context, t Task, head *s3.HeadObjectOutput) (err error) {
	partSize, count := partsOf(t.Size, r.o.CopyPart)
	want := uploadState{From: t.From.String(), To: t.To.String(), Size: t.Size, ETag: t.ETag, PartSize: partSize}
	state, was, err := openState(r.o.StateDir, "copy", r.store.Name, t.From.Bucket, t.From.Key, t.From.Version,
		t.To.Bucket, t.To.Key)
	if err != nil {
		return err
	}
	keep := false
	defer func() { state.close(keep) }()
	u := &multipart{Engine: r.Engine, to: t.To, partSize: partSize, parts: make([]types.CompletedPart, count)}
	there, err := r.takeUp(ctx, u, was, want)
	if err != nil {
		return err
	}
	if u.id == "" {
		if err := u.createCopy(ctx, t.From, head); err != nil {
			return err
		}
	}
	want.Upload = u.id
	if err := state.write(want); err != nil {
		return errors.Join(err, u.abort(ctx))
	}
	defer func() { keep = r.afterParts(ctx, u, state, err) }()
	err = r.eachPart(ctx, count, func(ctx context.Context, i int) error {
		off := int64(i) * partSize
		n := min(partSize, t.Size-off)
		u.parts[i] = types.CompletedPart{PartNumber: aws.Int32(int32(i + 1))}
		if p := there[i]; aws.ToInt64(p.Size) == n && p.ETag != nil {
			u.parts[i].ETag = p.ETag
			r.o.Progress.Moved(n)
			r.count(func(res *Result) { res.Resumed += n })
			return nil
		}
		out, err := r.store.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: &t.To.Bucket, Key: &t.To.Key,
			UploadId: &u.id, PartNumber: u.parts[i].PartNumber, CopySource: aws.String(copySource(t.From)),
			CopySourceIfMatch: head.ETag, CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", off, off+n-1))})
		if err != nil {
			return err
		}
		if out.CopyPartResult == nil {
			return errors.New("the store answers a copy of a part with nothing")
		}
		u.parts[i].ETag = out.CopyPartResult.ETag
		r.moved(n)
		return nil
	})
	if err != nil {
		return err
	}
	_, err = r.store.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &t.To.Bucket, Key: &t.To.Key,
		UploadId: &u.id, MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts}})
	return err
}

// createCopy begins an upload of an object that has the headers and tags of another.
func (u *multipart) createCopy(ctx context.Context, from Location, head *s3.HeadObjectOutput) error {
	h := u.o.Headers.over(head)
	in := &s3.CreateMultipartUploadInput{Bucket: &u.to.Bucket, Key: &u.to.Key, ContentType: given(h.ContentType),
		CacheControl: given(h.CacheControl), ContentDisposition: head.ContentDisposition,
		ContentEncoding: head.ContentEncoding, ContentLanguage: head.ContentLanguage, Metadata: h.Metadata,
		StorageClass: types.StorageClass(h.Class), Tagging: given(h.Tags)}
	if h.Tags == "" && aws.ToInt32(head.TagCount) > 0 {
		tags, err := u.store.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &from.Bucket, Key: &from.Key,
			VersionId: given(from.Version)})
		if err != nil {
			return fmt.Errorf("its tags: %w", err)
		}
		query := url.Values{}
		for _, t := range tags.TagSet {
			query.Set(aws.ToString(t.Key), aws.ToString(t.Value))
		}
		in.Tagging = aws.String(query.Encode())
	}
	out, err := u.store.CreateMultipartUpload(ctx, in)
	if err != nil {
		return err
	}
	u.id = aws.ToString(out.UploadId)
	return nil
}
