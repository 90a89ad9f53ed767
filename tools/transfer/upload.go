package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"path"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/cairnstore/cairn/s3api/checksum"
)

// errChanged is of a source that is not what it was.
var errChanged = errors.New("it changed while it was read: try again")

// upload writes a file or a stream to an object.
func (r *run) upload(ctx context.Context, t Task) (Task, error) {
	if t.From.Kind == Stream {
		return t, errors.New("a stream is written with Put")
	}
	f, err := os.Open(t.From.Path)
	if err != nil {
		return t, plainPathError(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return t, plainPathError(err)
	}
	if !info.Mode().IsRegular() {
		return t, fmt.Errorf("%w: it is no regular file", errSkipped)
	}
	t.Size, t.Modified = info.Size(), info.ModTime()
	unchanged := func() error {
		now, err := f.Stat()
		if err != nil {
			return plainPathError(err)
		}
		if now.Size() != t.Size || !now.ModTime().Equal(t.Modified) {
			return errChanged
		}
		return nil
	}
	if t.Size <= min(putMax, r.o.PartSize) {
		return t, r.uploadSmall(ctx, t, f, unchanged)
	}
	return t, r.uploadParts(ctx, t, f, unchanged)
}

// uploadSmall reads a file whole and puts it, so that what is put is what the file was at one time.
func (r *run) uploadSmall(ctx context.Context, t Task, f io.Reader, unchanged func() error) error {
	if err := r.acquire(ctx); err != nil {
		return err
	}
	defer r.release()
	body := make([]byte, t.Size)
	if _, err := io.ReadFull(f, body); err != nil {
		return errors.Join(unchanged(), plainPathError(err))
	}
	if err := unchanged(); err != nil {
		return err
	}
	if err := r.put(ctx, t.To, contentType(t.From.Path), body); err != nil {
		return err
	}
	r.moved(t.Size)
	return nil
}

func (r *run) moved(n int64) {
	r.o.Progress.Moved(n)
	r.count(func(res *Result) { res.Bytes += n })
}

// contentType guesses what a file is from its name.
func contentType(name string) string {
	if t := mime.TypeByExtension(path.Ext(filepath.ToSlash(name))); t != "" {
		return t
	}
	return "application/octet-stream"
}

// put writes an object in one request.
func (e *Engine) put(ctx context.Context, to Location, kind string, body []byte) error {
	in := &s3.PutObjectInput{Bucket: &to.Bucket, Key: &to.Key, Body: bytes.NewReader(body),
		ContentLength: aws.Int64(int64(len(body))), ContentType: &kind}
	h := e.o.Headers
	if h.ContentType != "" {
		in.ContentType = &h.ContentType
	}
	in.CacheControl, in.Tagging = given(h.CacheControl), given(h.Tags)
	in.StorageClass, in.Metadata = types.StorageClass(h.Class), h.Metadata
	sum, _, err := crcOf(bytes.NewReader(body))
	if err != nil {
		return err
	}
	if !e.o.NoChecksum {
		in.ChecksumCRC64NVME = aws.String(checksum.Format(sum))
	}
	out, err := e.store.PutObject(ctx, in)
	if err != nil {
		return err
	}
	return e.compare(out.ChecksumCRC64NVME, sum)
}

// compare compares the checksum in an answer with what was sent.
func (e *Engine) compare(told *string, sum []byte) error {
	if want := checksum.Format(sum); told != nil && *told != want {
		return fmt.Errorf("the store says that it has other bytes: their %s is %s and not %s", uploadSum, *told, want)
	}
	return nil
}

func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// multipart is an upload in parts that is under way.
type multipart struct {
	*Engine
	to       Location
	id       string
	partSize int64
	parts    []types.CompletedPart
	sums     [][]byte // Of each part.
	sizes    []int64
}

// uploadParts uploads a file in parts, and takes up an upload of it that was interrupted.
func (r *run) uploadParts(ctx context.Context, t Task, f *os.File, unchanged func() error) (err error) {
	partSize, count := partsOf(t.Size, r.o.PartSize)
	from, err := filepath.Abs(t.From.Path)
	if err != nil {
		return err
	}
	want := uploadState{From: from, To: t.To.String(), Size: t.Size, Modified: t.Modified, PartSize: partSize}
	state, was, err := openState(r.o.StateDir, "upload", r.store.Name, from, t.To.Bucket, t.To.Key)
	if err != nil {
		return err
	}
	keep := false
	defer func() { state.close(keep) }()
	u := &multipart{Engine: r.Engine, to: t.To, partSize: partSize, parts: make([]types.CompletedPart, count),
		sums: make([][]byte, count), sizes: make([]int64, count)}
	there, err := r.takeUp(ctx, u, was, want)
	if err != nil {
		return err
	}
	if u.id == "" {
		if err := u.create(ctx, contentType(t.From.Path)); err != nil {
			return err
		}
	}
	want.Upload = u.id
	if err := state.write(want); err != nil {
		return errors.Join(err, u.abort(ctx))
	}
	defer func() { keep = r.afterParts(ctx, u, state, err) }()
	err = r.eachPart(ctx, count, func(ctx context.Context, i int) error {
		part := io.NewSectionReader(f, int64(i)*partSize, min(partSize, t.Size-int64(i)*partSize))
		return r.uploadPart(ctx, u, i, part, there[i])
	})
	if err != nil {
		return errors.Join(unchanged(), err)
	}
	if err := unchanged(); err != nil {
		return err
	}
	return u.complete(ctx)
}

// afterParts cleans up after an upload, and reports whether it can be taken up again: if it was interrupted,
// or the endpoint is in trouble.
func (r *run) afterParts(ctx context.Context, u *multipart, state *stateFile, err error) bool {
	switch {
	case err == nil:
		return false
	case state.f != nil && !errors.Is(err, errChanged) && (ctx.Err() != nil || Unreachable(err) || Status(err) >= 500):
		r.count(func(res *Result) { res.Kept++ })
		return true
	}
	_ = u.abort(ctx) // The failure is told; what is left is found by cairn upload list.
	return false
}

// takeUp looks for an upload that was interrupted, and returns the parts that it has.
func (r *run) takeUp(ctx context.Context, u *multipart, was, want uploadState) (map[int]types.Part, error) {
	there := map[int]types.Part{}
	if was.Upload == "" {
		return there, nil
	}
	u.id = was.Upload
	if !was.isOf(want) { // The source is another now.
		err := u.abort(ctx)
		u.id = ""
		return there, err
	}
	in := &s3.ListPartsInput{Bucket: &u.to.Bucket, Key: &u.to.Key, UploadId: &u.id}
	for {
		page, err := r.store.ListParts(ctx, in)
		if isMissing(err) { // Somebody aborted it, or it was completed.
			u.id = ""
			return map[int]types.Part{}, nil
		}
		if err != nil {
			return nil, err
		}
		for _, p := range page.Parts {
			there[int(aws.ToInt32(p.PartNumber))-1] = p
		}
		if !aws.ToBool(page.IsTruncated) || aws.ToString(page.NextPartNumberMarker) == "" {
			return there, nil
		}
		in.PartNumberMarker = page.NextPartNumberMarker
	}
}

func (u *multipart) create(ctx context.Context, kind string) error {
	in := &s3.CreateMultipartUploadInput{Bucket: &u.to.Bucket, Key: &u.to.Key, ContentType: &kind}
	h := u.o.Headers
	if h.ContentType != "" {
		in.ContentType = &h.ContentType
	}
	in.CacheControl, in.Tagging = given(h.CacheControl), given(h.Tags)
	in.StorageClass, in.Metadata = types.StorageClass(h.Class), h.Metadata
	if !u.o.NoChecksum {
		in.ChecksumAlgorithm, in.ChecksumType = types.ChecksumAlgorithmCrc64nvme, types.ChecksumTypeFullObject
	}
	out, err := u.store.CreateMultipartUpload(ctx, in)
	if err != nil {
		return err
	}
	u.id = aws.ToString(out.UploadId)
	return nil
}

// uploadPart uploads a part, if the store has not got the same one already.
func (r *run) uploadPart(ctx context.Context, u *multipart, i int, part io.ReadSeeker, there types.Part) error {
	sum, n, err := crcOf(part)
	if err != nil {
		return plainPathError(err)
	}
	u.sums[i], u.sizes[i] = sum, n
	u.parts[i] = types.CompletedPart{PartNumber: aws.Int32(int32(i + 1))}
	told := checksum.Format(sum)
	if !u.o.NoChecksum {
		u.parts[i].ChecksumCRC64NVME = &told
	}
	if aws.ToInt64(there.Size) == n && there.ETag != nil && aws.ToString(there.ChecksumCRC64NVME) == told {
		u.parts[i].ETag = there.ETag
		r.o.Progress.Moved(n)
		r.count(func(res *Result) { res.Resumed += n })
		return nil
	}
	if _, err := part.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := u.sendPart(ctx, &u.parts[i], sum, part, n); err != nil {
		return err
	}
	r.moved(n)
	return nil
}

// sendPart uploads a part, and notes its ETag.
func (u *multipart) sendPart(ctx context.Context, p *types.CompletedPart, sum []byte, body io.Reader, n int64) error {
	out, err := u.store.UploadPart(ctx, &s3.UploadPartInput{Bucket: &u.to.Bucket, Key: &u.to.Key, UploadId: &u.id,
		PartNumber: p.PartNumber, Body: body, ContentLength: &n, ChecksumCRC64NVME: p.ChecksumCRC64NVME})
	if err != nil {
		return err
	}
	p.ETag = out.ETag
	return u.compare(out.ChecksumCRC64NVME, sum)
}

// complete makes the object of its parts, and compares it with what was sent.
func (u *multipart) complete(ctx context.Context) error {
	in := &s3.CompleteMultipartUploadInput{Bucket: &u.to.Bucket, Key: &u.to.Key, UploadId: &u.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts}}
	whole, size := u.sums[0], u.sizes[0]
	for i, sum := range u.sums[1:] {
		whole = checksum.Combine(uploadSum, whole, sum, uint64(u.sizes[i+1]))
		size += u.sizes[i+1]
	}
	if !u.o.NoChecksum {
		in.ChecksumType, in.ChecksumCRC64NVME = types.ChecksumTypeFullObject, aws.String(checksum.Format(whole))
	}
	out, err := u.store.CompleteMultipartUpload(ctx, in)
	if code(err) == "NoSuchUpload" {
		// An attempt whose answer was lost may have completed it.
		return u.isThere(ctx, size, whole, err)
	}
	if err != nil {
		return err
	}
	return u.compare(out.ChecksumCRC64NVME, whole)
}

// isThere returns err unless the object is there as it was sent.
func (u *multipart) isThere(ctx context.Context, size int64, whole []byte, err error) error {
	h, herr := u.store.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &u.to.Bucket, Key: &u.to.Key,
		ChecksumMode: types.ChecksumModeEnabled})
	if herr == nil && aws.ToInt64(h.ContentLength) == size && whole != nil &&
		aws.ToString(h.ChecksumCRC64NVME) == checksum.Format(whole) {
		return nil
	}
	return err
}

// abort removes an upload and its parts, also if ctx has ended.
func (u *multipart) abort(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupWithin)
	defer cancel()
	_, err := u.store.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.to.Bucket, Key: &u.to.Key,
		UploadId: &u.id})
	if isMissing(err) {
		return nil
	}
	return err
}

// doubleAfter is after how many parts of a stream its parts get twice as large, so that 10,000 of them
// hold more than 5 TiB, however small the first ones are.
const doubleAfter = 1000

// Put writes what a reader has to an object, in parts if it is large. It returns how many bytes these
// were. If anything fails nothing of it stays.
func (e *Engine) Put(ctx context.Context, from io.Reader, to Location) (int64, error) {
	kind := contentType(to.Key)
	first, err := readPart(from, min(putMax, e.o.PartSize))
	if err != nil {
		return 0, fmt.Errorf("the input: %w", err)
	}
	if int64(len(first)) < min(putMax, e.o.PartSize) {
		err := e.put(ctx, to, kind, first)
		if err == nil {
			e.o.Progress.Moved(int64(len(first)))
		}
		return int64(len(first)), err
	}
	u := &multipart{Engine: e, to: to}
	if err := u.create(ctx, kind); err != nil {
		return 0, err
	}
	err = u.stream(ctx, first, from)
	if err == nil {
		err = u.complete(ctx)
	}
	if err != nil {
		return 0, errors.Join(err, u.abort(ctx))
	}
	var sum int64
	for _, n := range u.sizes {
		sum += n
	}
	return sum, nil
}

// readPart reads up to n bytes.
func readPart(from io.Reader, n int64) ([]byte, error) {
	var b bytes.Buffer
	_, err := io.Copy(&b, io.LimitReader(from, n))
	return b.Bytes(), err
}
