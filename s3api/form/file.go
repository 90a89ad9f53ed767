package form

import (
	"errors"
	"io"
	"mime/multipart"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// File is the file of a form, as it comes. Read returns io.EOF only after the whole form, with what
// lies behind the file, was read without error.
type File struct {
	part *multipart.Part
	form *multipart.Reader
	src  *counter
	size int64 // The length of the request's body.

	least, most int64 // The lengths that Limit allows; most < 0: any.
	read        int64
	tail        []byte // All that is left of the file, once readTail has read it ahead.
	ended       bool   // The form was read to its end without error.
	err         error
}

// Limit sets what length the file must have; most < 0: any.
func (f *File) Limit(least, most int64) { f.least, f.most = least, most }

// MaxSize returns an upper bound of the file's length.
func (f *File) MaxSize() int64 { return f.read + int64(len(f.tail)) + max(0, f.unread()) }

// unread returns how much of the file may still come, besides tail: what the body has left, and what
// mime/multipart may have read ahead of it.
func (f *File) unread() int64 {
	if f.ended {
		return 0
	}
	return f.size - f.src.n + readAheadBytes
}

// Next returns how many bytes of the file follow for certain; last says that no more follow after them.
// It may read ahead. Errors: EntityTooLarge and EntityTooSmall by Limit, and those of a form that is
// broken or has several files.
func (f *File) Next() (n int64, last bool, err error) {
	if f.err == nil && !f.ended {
		if certain := f.size - f.src.n - MaxTrailBytes; certain > 0 {
			return certain, false, f.tooLarge(f.read + certain)
		}
		f.readTail()
	}
	return int64(len(f.tail)), true, f.err
}

// readTail reads what is left of the file, and the rest of the form.
func (f *File) readTail() {
	f.tail, f.err = io.ReadAll(f.part) // At most MaxTrailBytes and what was read ahead are left.
	total := f.read + int64(len(f.tail))
	switch {
	case f.err != nil:
		f.err = brokenFile(f.err)
		return
	case total < f.least:
		f.err = s3err.EntityTooSmall.Say("Your proposed upload is smaller than the minimum allowed size", sizes(total, "MinSizeAllowed", f.least)...)
		return
	}
	if f.err = f.tooLarge(total); f.err == nil {
		f.err = f.finish()
	}
	f.ended = f.err == nil
}

// finish reads what lies behind the file: fields, which are ignored, and the end of the body.
func (f *File) finish() error {
	for {
		part, err := f.form.NextRawPart()
		switch {
		case err == io.EOF:
			_, err = io.Copy(io.Discard, f.src) // A signature of the body is checked at its end.
			return err
		case err != nil:
			return brokenFile(err)
		case part.FormName() == fileField:
			return s3err.IncorrectNumberOfFilesInPostRequest.Err()
		}
	}
}

func (f *File) tooLarge(n int64) error {
	if f.most >= 0 && n > f.most {
		return s3err.EntityTooLarge.Say("Your proposed upload exceeds the maximum allowed size", sizes(n, "MaxSizeAllowed", f.most)...)
	}
	return nil
}

// Read implements io.Reader.
func (f *File) Read(p []byte) (int, error) {
	if f.err == nil && !f.ended && f.size-f.src.n <= MaxTrailBytes {
		f.readTail()
	}
	switch {
	case f.err != nil:
		return 0, f.err
	case f.ended && len(f.tail) == 0:
		return 0, io.EOF
	case f.ended:
		n := copy(p, f.tail)
		f.tail = f.tail[n:]
		f.read += int64(n)
		return n, nil
	}
	n, err := f.part.Read(p)
	f.read += int64(n)
	switch {
	case err == io.EOF: // Much lies behind the file.
		f.err = s3err.MaxPostPreDataLengthExceeded.Say("The fields of the form behind the file are too large: put the file last.")
	case err != nil:
		f.err = brokenFile(err)
	default:
		f.err = f.tooLarge(f.read)
	}
	return n, f.err
}

// brokenFile returns the error of a form that cannot be read to its end.
func brokenFile(err error) error {
	var told *s3err.Error
	switch {
	case errors.As(err, &told):
		return told
	case errors.Is(err, io.ErrUnexpectedEOF):
		return s3err.IncompleteBody.Because(err)
	}
	return s3err.MalformedPOSTRequest.Because(err)
}
