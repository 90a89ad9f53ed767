package form

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"unicode/utf8"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// Limits of a form.
const (
	MaxFieldsBytes = 20 << 10 // Of all before the file: names, values and what is around them.
	MaxFields      = 256
	MaxTrailBytes  = 64 << 10 // Of all behind the file.

	// readAheadBytes is what mime/multipart reads ahead of what it gives out.
	readAheadBytes = 8 << 10
	fileField      = "file"
)

// Form is a form up to its file.
type Form struct {
	fields   []Field
	FileName string // As the client told it, without folders; may be empty.
	File     *File
}

// Field is one field before the file.
type Field struct {
	Name  string // In lower case.
	Value string
}

// Read reads a form up to its file. size is the length of the whole body.
func Read(body io.Reader, size int64, contentType string) (*Form, error) {
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/form-data" {
		return nil, s3err.RequestIsNotMultiPartContent.Err()
	}
	boundary := parameters["boundary"]
	if boundary == "" {
		return nil, s3err.MalformedPOSTRequest.Err()
	}
	src := &counter{r: body, left: MaxFieldsBytes + readAheadBytes}
	r := multipart.NewReader(src, boundary)
	f := &Form{}
	for read := 0; ; {
		part, err := r.NextRawPart()
		if err != nil {
			return nil, f.broken(err)
		}
		name := strings.ToLower(part.FormName())
		if name == fileField {
			f.FileName = baseName(part)
			src.left = size + 1 // Bounded by what HTTP lets through.
			f.File = &File{part: part, form: r, src: src, size: size}
			return f, nil
		}
		if err := f.add(name, part, &read); err != nil {
			return nil, err
		}
	}
}

// add reads a field.
func (f *Form) add(name string, part *multipart.Part, read *int) error {
	if name == "" || !utf8.ValidString(name) {
		return s3err.MalformedPOSTRequest.Say("A field of the form has no name, or is not UTF-8.")
	}
	value, err := io.ReadAll(io.LimitReader(part, MaxFieldsBytes+1))
	if err != nil {
		return f.broken(err)
	}
	*read += len(name) + len(value)
	switch {
	case *read > MaxFieldsBytes || len(f.fields) == MaxFields:
		return s3err.MaxPostPreDataLengthExceeded.Err()
	case !utf8.Valid(value):
		return s3err.MalformedPOSTRequest.Say("A field of the form has no name, or is not UTF-8.")
	}
	if _, twice := f.Lookup(name); twice {
		return s3err.BadArgument(name, "", "A field of the form may be given only once.")
	}
	f.fields = append(f.fields, Field{name, string(value)})
	return nil
}

// broken returns the error of a form that ended, or could not be read, before its file.
func (f *Form) broken(err error) error {
	var told *s3err.Error
	switch {
	case errors.As(err, &told):
		return told
	case errors.Is(err, io.EOF) && len(f.fields) > 0:
		return s3err.IncorrectNumberOfFilesInPostRequest.Err()
	}
	return s3err.MalformedPOSTRequest.Because(err)
}

// Lookup returns the value of a field; name is in lower case.
func (f *Form) Lookup(name string) (value string, ok bool) {
	for _, field := range f.fields {
		if field.Name == name {
			return field.Value, true
		}
	}
	return "", false
}

// Get returns the value of a field, empty for none.
func (f *Form) Get(name string) string {
	value, _ := f.Lookup(name)
	return value
}

// Fields returns the fields in their order. They must not be changed.
func (f *Form) Fields() []Field { return f.fields }

// filenameVariable stands, in any field, for the name of the file.
const filenameVariable = "${filename}"

// Expand replaces filenameVariable by the name of the file in every field. It must be called before
// Policy.Check, because a policy speaks of the fields as they are stored.
func (f *Form) Expand() {
	for i := range f.fields {
		f.fields[i].Value = strings.ReplaceAll(f.fields[i].Value, filenameVariable, f.FileName)
	}
}

// baseName returns the name of a part's file without the folders that some browsers
// send.
func baseName(part *multipart.Part) string {
	_, parameters, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil {
		return ""
	}
	name := parameters["filename"]
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	return strings.ToValidUTF8(name, "")
}

// counter counts what is read, and returns an error once that is too much.
type counter struct {
	r    io.Reader
	n    int64
	left int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, s3err.MaxPostPreDataLengthExceeded.Err()
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.n += int64(n)
	c.left -= int64(n)
	return n, err
}
