package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// deleteMaxKeys is how many objects one request may delete: S3's limit.
const deleteMaxKeys = 1000

// deleteAll deletes objects of a bucket. Its error ends the run.
func (r *run) deleteAll(ctx context.Context, bucket string, tasks []Task) error {
	var plain []Task
	for _, t := range tasks {
		if fitsXML(t.To.Key) {
			plain = append(plain, t)
			continue
		}
		in := &s3.DeleteObjectInput{Bucket: &bucket, Key: &t.To.Key}
		if t.To.Version != "" {
			in.VersionId = &t.To.Version
		}
		if r.o.Bypass {
			in.BypassGovernanceRetention = aws.Bool(true)
		}
		_, err := r.store.DeleteObject(ctx, in)
		if err := r.end(t, err); err != nil {
			return err
		}
	}
	if len(plain) == 0 {
		return nil
	}
	in := &s3.DeleteObjectsInput{Bucket: &bucket, Delete: &types.Delete{Quiet: aws.Bool(true)}}
	if r.o.Bypass {
		in.BypassGovernanceRetention = aws.Bool(true)
	}
	for _, t := range plain {
		id := types.ObjectIdentifier{Key: aws.String(t.To.Key)}
		if t.To.Version != "" {
			id.VersionId = aws.String(t.To.Version)
		}
		in.Delete.Objects = append(in.Delete.Objects, id)
	}
	out, err := r.store.DeleteObjects(ctx, in)
	failed := map[Location]error{}
	if err == nil {
		for _, f := range out.Errors {
			at := Location{Object, "", bucket, aws.ToString(f.Key), aws.ToString(f.VersionId)}
			failed[at] = fmt.Errorf("%s: %s", aws.ToString(f.Code), aws.ToString(f.Message))
		}
		named := 0
		for _, t := range plain {
			if failed[t.To] != nil {
				named++
			}
		}
		if named < len(failed) { // Rather too many failures are told than too few.
			err = fmt.Errorf("some objects of this request were not deleted: %s", aws.ToString(out.Errors[0].Message))
		}
	}
	for _, t := range plain {
		why := err
		if why == nil {
			why = failed[t.To]
		}
		if err := r.end(t, why); err != nil {
			return err
		}
	}
	return nil
}

// fitsXML reports whether XML 1.0 can hold all characters of a key.
func fitsXML(key string) bool {
	for _, c := range key {
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c == 0xfffe || c == 0xffff || c == utf8.RuneError {
			return false
		}
	}
	return true
}

// deleteFile deletes a local file.
func (r *run) deleteFile(t Task) error {
	root, err := r.root(t.To.Path)
	if err != nil {
		return err
	}
	if err := checkRel(t.Rel); err != nil {
		return err
	}
	if err := root.Remove(t.Rel); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return plainPathError(err)
	}
	return nil
}

// deleteSource deletes what was moved, if it is still what was copied.
func (r *run) deleteSource(ctx context.Context, t Task) error {
	if t.From.Kind == Local {
		now, err := os.Stat(t.From.Path)
		if err != nil {
			return plainPathError(err)
		}
		if now.Size() != t.Size || !now.ModTime().Equal(t.Modified) {
			return errChanged
		}
		return plainPathError(os.Remove(t.From.Path))
	}
	in := &s3.DeleteObjectInput{Bucket: &t.From.Bucket, Key: &t.From.Key}
	if t.ETag != "" {
		in.IfMatch = aws.String(`"` + t.ETag + `"`)
	}
	_, err := r.store.DeleteObject(ctx, in)
	if in.IfMatch != nil && Status(err) == http.StatusNotImplemented { // The store knows no such condition.
		in.IfMatch = nil
		_, err = r.store.DeleteObject(ctx, in)
	}
	return err
}

// root returns a directory that is written to; nothing gets outside of it. It is made if it is not there.
func (e *Engine) root(dir string) (*os.Root, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.roots[dir]; r != nil {
		return r, nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	r, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	e.roots[dir] = r
	return r, nil
}

// parentOf returns the directory of a path with slashes.
func parentOf(rel string) string {
	if i := strings.LastIndexByte(rel, '/'); i >= 0 {
		return rel[:i]
	}
	return "."
}
