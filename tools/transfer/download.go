package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// opened is an object that is read.
type opened struct {
	at   Location
	head *s3.HeadObjectOutput
	etag string
	size int64
	want sums
	body io.ReadCloser // Of the whole, from its beginning; nil: it is asked for.
}

func (o *opened) close() {
	if o.body != nil {
		_ = o.body.Close()
		o.body = nil
	}
}

// open asks for an object: for its bytes too if it is small.
func (e *Engine) open(ctx context.Context, t Task) (*opened, error) {
	o := &opened{at: t.From}
	version := given(t.From.Version)
	if t.Size >= 0 && t.Size <= e.o.PartSize {
		got, err := e.store.GetObject(ctx, &s3.GetObjectInput{Bucket: &t.From.Bucket, Key: &t.From.Key, VersionId: version,
			ChecksumMode: types.ChecksumModeEnabled})
		if err != nil {
			return nil, err
		}
		o.body = got.Body
		o.head = &s3.HeadObjectOutput{ContentLength: got.ContentLength, ETag: got.ETag, LastModified: got.LastModified,
			ChecksumCRC64NVME: got.ChecksumCRC64NVME, ChecksumCRC32C: got.ChecksumCRC32C, ChecksumCRC32: got.ChecksumCRC32,
			ChecksumSHA256: got.ChecksumSHA256, ChecksumSHA1: got.ChecksumSHA1, ChecksumType: got.ChecksumType,
			SSECustomerAlgorithm: got.SSECustomerAlgorithm, ServerSideEncryption: got.ServerSideEncryption}
	} else {
		var err error
		o.head, err = e.store.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &t.From.Bucket, Key: &t.From.Key,
			VersionId: version, ChecksumMode: types.ChecksumModeEnabled})
		if err != nil {
			return nil, err
		}
	}
	o.etag, o.size = unquoted(o.head.ETag), aws.ToInt64(o.head.ContentLength)
	o.want = e.store.sumsOf(ctx, t.From, o.head)
	return o, nil
}

// How often a range is asked for that does not come whole.
const (
	fetchAttempts = 8
	fetchPause    = 100 * time.Millisecond // Before it is asked again; doubled each time.
)

// fetch writes a range of an object to a writer. Where the connection ends too early it asks for the
// rest, of the same bytes only.
func (e *Engine) fetch(ctx context.Context, o *opened, off, size int64, to io.Writer) error {
	var got int64
	for attempt := 1; got < size; attempt++ {
		n, err := e.fetchOnce(ctx, o, off+got, size-got, to)
		got += n
		var failed *writeError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.Canceled): // Not by the caller, but by the guard of a body that hangs.
			err = fmt.Errorf("%w for %s", errStalled, e.store.stall)
		}
		switch {
		case errors.As(err, &failed):
			return failed.error
		case err != nil && (Status(err) != 0 && Status(err) < 500 || attempt == fetchAttempts):
			return err
		case err != nil:
			if n > 0 {
				attempt = 1 // It goes on, if only slowly.
			}
			if err := sleep(ctx, rand.N(min(fetchPause<<attempt, e.store.pause))); err != nil {
				return err
			}
		}
	}
	return nil
}

// errStalled is of a body that hangs.
var errStalled = errors.New("the store sent nothing")

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// writeError is of the writer, not of the store.
type writeError struct{ error }

// fetchOnce makes one request, and returns how many bytes it brought.
func (e *Engine) fetchOnce(ctx context.Context, o *opened, off, size int64, to io.Writer) (int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body := o.body
	o.body = nil
	if body == nil {
		in := &s3.GetObjectInput{Bucket: &o.at.Bucket, Key: &o.at.Key, VersionId: given(o.at.Version),
			Range: aws.String(fmt.Sprintf("bytes=%d-%d", off, off+size-1))}
		if o.etag != "" {
			in.IfMatch = aws.String(`"` + o.etag + `"`)
		}
		got, err := e.store.GetObject(ctx, in)
		if err != nil {
			return 0, err
		}
		body = got.Body
		if want := fmt.Sprintf("bytes %d-%d/", off, off+size-1); !strings.HasPrefix(aws.ToString(got.ContentRange), want) {
			_ = body.Close()
			return 0, fmt.Errorf("the store answers another range than %s: %q", want, aws.ToString(got.ContentRange))
		}
	}
	defer func() { _ = body.Close() }()
	// Closing the body ends a read that hangs.
	guard := time.AfterFunc(e.store.stall, func() { cancel(); _ = body.Close() })
	defer guard.Stop()
	var n int64
	buf := make([]byte, 256<<10)
	for n < size {
		k, err := body.Read(buf[:min(int64(len(buf)), size-n)])
		guard.Reset(e.store.stall)
		if k > 0 {
			if _, werr := to.Write(buf[:k]); werr != nil {
				return n, &writeError{werr}
			}
			guard.Reset(e.store.stall)
			n += int64(k)
			e.o.Progress.Moved(int64(k))
		}
		switch {
		case n == size:
		case errors.Is(err, io.EOF):
			return n, io.ErrUnexpectedEOF
		case err != nil:
			return n, err
		}
	}
	return n, nil
}

// download writes an object to a file, under another name until it is whole.
func (r *run) download(ctx context.Context, t Task) (Task, error) {
	if t.Into {
		return t, r.into(ctx, t)
	}
	if err := checkRel(t.Rel); err != nil {
		return t, err
	}
	root, err := r.root(t.To.Path)
	if err != nil {
		return t, err
	}
	if strings.HasSuffix(t.Rel, "/") {
		return t, r.makeDir(ctx, root, t)
	}
	if err := free(root, t.Rel); err != nil {
		return t, err
	}
	if dir := parentOf(t.Rel); dir != "." {
		if err := root.MkdirAll(dir, 0o777); err != nil {
			return t, fmt.Errorf("the directory %s: %w", dir, plainPathError(err))
		}
	}
	small := t.Size >= 0 && t.Size <= r.o.PartSize
	if small {
		if err := r.acquire(ctx); err != nil {
			return t, err
		}
		defer r.release()
	}
	o, err := r.open(ctx, t)
	if err != nil {
		return t, err
	}
	defer o.close()
	d, err := r.newDownload(root, t, o)
	if err != nil {
		return t, err
	}
	if o.size <= r.o.PartSize {
		err = d.whole(ctx, r, small)
	} else {
		if small { // It has grown since it was listed.
			return t, errors.Join(errChanged, d.end(false))
		}
		err = d.inParts(ctx, r)
	}
	if err != nil {
		keep := o.size > r.o.PartSize && !errors.Is(err, errMismatch) && Status(err) != http.StatusPreconditionFailed
		if keep {
			r.count(func(res *Result) { res.Kept++ })
		}
		return t, errors.Join(err, d.end(keep))
	}
	if err := d.finish(); err != nil {
		return t, errors.Join(err, d.end(false))
	}
	t.Size, t.ETag = o.size, o.etag
	r.count(func(res *Result) {
		res.Bytes += o.size
		if !o.want.known() {
			res.Unverified++
		}
	})
	return t, nil
}

// makeDir makes the directory that an empty object with a slash at its end stands for.
func (r *run) makeDir(ctx context.Context, root *os.Root, t Task) error {
	head, err := r.store.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &t.From.Bucket, Key: &t.From.Key})
	if err != nil {
		return err
	}
	if aws.ToInt64(head.ContentLength) > 0 {
		return errors.New("a name with a slash at its end is a directory's, and the object has bytes")
	}
	return plainPathError(root.MkdirAll(strings.TrimSuffix(t.Rel, "/"), 0o777))
}

// free says why a file cannot get a name: something else has it that must not be replaced.
func free(root *os.Root, rel string) error {
	info, err := root.Stat(rel)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && info.Mode().IsRegular():
		return nil
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a directory here", rel)
	case err == nil:
		return fmt.Errorf("%s is no regular file here", rel)
	}
	if link, lerr := root.Lstat(rel); lerr == nil && link.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("%s is a symbolic link here, and leads out of the directory", rel)
	}
	return nil // Making it tells what is wrong.
}

// into writes an object into something that is no regular file, such as a named pipe.
func (r *run) into(ctx context.Context, t Task) error {
	f, err := os.OpenFile(t.To.Path, os.O_WRONLY, 0)
	if err != nil {
		return plainPathError(err)
	}
	n, err := r.Get(ctx, t.From, f)
	r.count(func(res *Result) { res.Bytes += n })
	return errors.Join(err, f.Close())
}

// downloading is a file that is not whole yet.
type downloading struct {
	root *os.Root
	o    *opened
	to   string // Its name when it is whole.
	part string // Its name until then.
	f    *os.File

	listed time.Time // When the object was written, as a list told.

	mu    sync.Mutex
	saved time.Time
	state downloadState
}

// downloadState is what is remembered of a download, beside its file.
type downloadState struct {
	From     string `json:"from"`
	ETag     string `json:"etag"`
	Size     int64  `json:"size"`
	PartSize int64  `json:"part_size"`
	Done     bitmap `json:"done"`
}

// newDownload opens the file that an object is written to.
func (r *run) newDownload(root *os.Root, t Task, o *opened) (*downloading, error) {
	name := ownPrefix + sumOf(r.store.Name, t.From.Bucket, t.From.Key, t.From.Version, t.Rel)
	if dir := parentOf(t.Rel); dir != "." {
		name = dir + "/" + name
	}
	d := &downloading{root: root, o: o, to: t.Rel, part: name + ownPart, listed: t.Modified,
		state: downloadState{From: t.From.String(), ETag: o.etag, Size: o.size, PartSize: r.o.PartSize}}
	for {
		if info, err := root.Lstat(d.part); err == nil && !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is in the way: it is no regular file", d.part)
		}
		f, err := root.OpenFile(d.part, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, plainPathError(err)
		}
		if err := lock(f); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if isAt(f, func() (os.FileInfo, error) { return root.Lstat(d.part) }) {
			d.f = f
			return d, nil
		}
		if err := f.Close(); err != nil { // Another process has just finished it.
			return nil, err
		}
	}
}

func (d *downloading) progressName() string { return strings.TrimSuffix(d.part, ownPart) + ownProgress }

// whole writes an object that comes in one request.
func (d *downloading) whole(ctx context.Context, r *run, slot bool) error {
	if !slot {
		if err := r.acquire(ctx); err != nil {
			return err
		}
		defer r.release()
	}
	if err := d.f.Truncate(0); err != nil {
		return plainPathError(err)
	}
	sum := d.o.want.summer()
	if err := r.fetch(ctx, d.o, 0, d.o.size, io.MultiWriter(sum, d.f)); err != nil {
		return err
	}
	return sum.check(d.o.size)
}

// inParts writes an object that comes in several requests at once, and goes on with what is there.
func (d *downloading) inParts(ctx context.Context, r *run) error {
	count := int((d.o.size + r.o.PartSize - 1) / r.o.PartSize)
	if err := d.takeUp(count); err != nil {
		return err
	}
	err := r.eachPart(ctx, count, func(ctx context.Context, i int) error {
		off := int64(i) * r.o.PartSize
		n := min(r.o.PartSize, d.o.size-off)
		if d.has(i) {
			r.o.Progress.Moved(n)
			r.count(func(res *Result) { res.Resumed += n; res.Bytes -= n })
			return nil
		}
		part := &opened{at: d.o.at, etag: d.o.etag}
		if err := r.fetch(ctx, part, off, n, io.NewOffsetWriter(d.f, off)); err != nil {
			return err
		}
		return d.did(i)
	})
	if err != nil {
		return errors.Join(err, d.save())
	}
	sum := d.o.want.summer()
	if _, err := io.Copy(sum, io.NewSectionReader(d.f, 0, d.o.size)); err != nil {
		return err
	}
	return sum.check(d.o.size)
}

// takeUp reads what an earlier run has left, if it is of the same bytes.
func (d *downloading) takeUp(count int) error {
	text, err := d.root.ReadFile(d.progressName())
	var was downloadState
	info, serr := d.f.Stat()
	if err == nil && serr == nil && json.Unmarshal(text, &was) == nil && was.ETag == d.state.ETag && was.ETag != "" &&
		was.Size == d.state.Size && was.PartSize == d.state.PartSize && len(was.Done) == len(newBitmap(count)) &&
		info.Size() == d.o.size {
		d.state.Done = was.Done
		return nil
	}
	d.state.Done = newBitmap(count)
	if err := d.f.Truncate(0); err != nil {
		return plainPathError(err)
	}
	return plainPathError(d.f.Truncate(d.o.size))
}

func (d *downloading) has(i int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state.Done.has(i)
}

// saveEvery is how often the progress of a download is written.
const saveEvery = time.Second

// did notes that a part is there.
func (d *downloading) did(i int) error {
	d.mu.Lock()
	d.state.Done.set(i)
	late := time.Since(d.saved) >= saveEvery
	d.mu.Unlock()
	if !late {
		return nil
	}
	return d.save()
}

func (d *downloading) save() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.saved = time.Now()
	text, err := json.Marshal(d.state)
	if err != nil {
		return err
	}
	return plainPathError(d.root.WriteFile(d.progressName(), text, 0o666))
}

// modified is when the object was written. Lists tell it more exactly than the headers of an object.
func (d *downloading) modified() *time.Time {
	at := d.o.head.LastModified
	if at != nil && d.listed.Truncate(time.Second).Equal(at.Truncate(time.Second)) {
		return &d.listed
	}
	return at
}

// finish gives the file its name.
func (d *downloading) finish() error {
	if old, err := d.root.Stat(d.to); err == nil && old.Mode().IsRegular() {
		if err := d.f.Chmod(old.Mode().Perm()); err != nil {
			return plainPathError(err)
		}
	}
	if err := d.f.Sync(); err != nil {
		return plainPathError(err)
	}
	if at := d.modified(); at != nil {
		if err := d.root.Chtimes(d.part, *at, *at); err != nil {
			return plainPathError(err)
		}
	}
	if err := d.root.Rename(d.part, d.to); err != nil {
		var le *os.LinkError
		if errors.As(err, &le) {
			err = le.Err
		}
		return fmt.Errorf("naming it %s: %w", d.to, err)
	}
	return errors.Join(d.removed(d.progressName()), d.f.Close())
}

// end closes a file that did not get whole, and removes it if nothing can go on with it.
func (d *downloading) end(keep bool) error {
	var err error
	if !keep {
		err = errors.Join(d.removed(d.part), d.removed(d.progressName()))
	}
	_ = d.f.Close()
	return err
}

func (d *downloading) removed(name string) error {
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return plainPathError(err)
	}
	return nil
}
