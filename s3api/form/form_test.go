package form

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime/multipart"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/s3err"
)

func codeOf(t *testing.T, err error) s3err.Code {
	if err == nil {
		return ""
	}
	var e *s3err.Error
	require.True(t, errors.As(err, &e), "%v", err)
	return e.Code
}

// write writes a form of one field, a file, and trail bytes behind it.
func write(file []byte, trail int) (body []byte, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.WriteField("Key", "a/${filename}")
	f, _ := w.CreateFormFile("file", `c:\x\name`)
	_, _ = f.Write(file)
	if trail > 0 {
		_ = w.WriteField("x", strings.Repeat("y", trail))
	}
	_ = w.Close()
	return b.Bytes(), w.FormDataContentType()
}

// take reads a file as the object service does: piece by piece, each of the length that
// is certain.
func take(f *File, most int64) (pieces []int64, got []byte, err error) {
	for {
		n, last, err := f.Next()
		if err != nil || n == 0 {
			return pieces, got, err
		}
		n = min(n, most)
		piece := make([]byte, n)
		if _, err := io.ReadFull(f, piece); err != nil {
			return pieces, got, err
		}
		pieces, got = append(pieces, n), append(got, piece...)
		if last && n < most {
			_, err = io.Copy(io.Discard, f)
			return pieces, got, err
		}
	}
}

// TestLateLength: whatever is certain comes, and the pieces are the file.
func TestLateLength(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789\r\n--"), 100_000)
	for _, size := range []int{0, 1, 50 << 10, MaxTrailBytes - 200, MaxTrailBytes, MaxTrailBytes + 200, 100 << 10, 1_300_000} {
		for _, trail := range []int{0, 10, 40 << 10} {
			for _, slow := range []bool{false, true} {
				body, contentType := write(content[:size], trail)
				var r io.Reader = bytes.NewReader(body)
				if slow {
					r = iotest.HalfReader(r)
				}
				f, err := Read(r, int64(len(body)), contentType)
				require.NoError(t, err)
				f.Expand()
				require.Equal(t, "a/name", f.Get("key"))
				f.File.Limit(0, -1)
				require.GreaterOrEqual(t, f.File.MaxSize(), int64(size))
				_, got, err := take(f.File, 300_000)
				require.NoError(t, err)
				require.True(t, bytes.Equal(content[:size], got), "%d bytes, %d behind", size, trail)
			}
		}
	}
}

// TestTruncatedForm: a form that ends before its end is not accepted.
func TestTruncatedForm(t *testing.T) {
	body, contentType := write(bytes.Repeat([]byte("x"), 80<<10), 0)
	for _, cut := range []int{1, 3, 10, 100, 70 << 10, len(body) - 100} {
		f, err := Read(bytes.NewReader(body[:len(body)-cut]), int64(len(body)), contentType)
		if err == nil {
			f.File.Limit(0, -1)
			_, _, err = take(f.File, 1<<20)
		}
		require.Error(t, err, "%d bytes are missing", cut)
		require.NotEqual(t, s3err.InternalError, codeOf(t, err))
	}
}

// TestPolicies is the language of policies.
func TestPolicies(t *testing.T) {
	const soon = `"2999-01-01T00:00:00.000Z"`
	policy := func(conditions string) string { return `{"expiration":` + soon + `,"conditions":[` + conditions + `]}` }
	form := func(fields ...string) *Form {
		f := &Form{}
		for _, text := range fields {
			name, value, _ := strings.Cut(text, "=")
			f.fields = append(f.fields, Field{name, value})
		}
		return f
	}
	for _, c := range []struct {
		policy string
		form   *Form
		want   s3err.Code
	}{
		{policy(``), form(), ""},
		{policy(`{"key":"k"}`), form("key=k"), ""},
		{policy(`{"Key":"k"}`), form("key=k"), ""},
		{policy(`{"key":"k"}`), form("key=K"), s3err.AccessDenied},
		{policy(`{"key":"k"}`), form(), s3err.AccessDenied},
		{policy(`["EQ","$KEY","k"]`), form("key=k"), ""},
		{policy(`["starts-with","$key","a/"]`), form("key=a/b"), ""},
		{policy(`["starts-with","$key","a/"]`), form("key=b/a/"), s3err.AccessDenied},
		{policy(`["starts-with","$Content-Type","image/"]`), form("content-type=image/png, image/gif"), ""},
		{policy(`["starts-with","$Content-Type","image/"]`), form("content-type=image/png,text/html"), s3err.AccessDenied},
		{policy(`["eq","$bucket","bkt"]`), form(), ""},
		{policy(`["starts-with","$bucket","b"]`), form("bucket=bad"), s3err.AccessDenied},
		{policy(`{"bucket":"other"}`), form(), s3err.AccessDenied},
		{policy(``), form("a=b"), s3err.AccessDenied},
		{policy(``), form("x-ignore-a=b", "policy=p", "x-amz-signature=s", "signature=s", "awsaccesskeyid=a"), ""},
		{policy(`["content-length-range",1,"20"]`), form(), ""},
		{policy(`["content-length-range",2,1]`), form(), s3err.InvalidPolicyDocument},
		{policy(`["content-length-range",-1,1]`), form(), s3err.InvalidPolicyDocument},
		{policy(`["content-length-range",1]`), form(), s3err.InvalidPolicyDocument},
		{policy(`["eq","key","k"]`), form(), s3err.InvalidPolicyDocument},
		{policy(`["eq","$key",1]`), form(), s3err.InvalidPolicyDocument},
		{policy(`{"a":"b","c":"d"}`), form(), s3err.InvalidPolicyDocument},
		{policy(`"key"`), form(), s3err.InvalidPolicyDocument},
		{`{"conditions":[]}`, form(), s3err.InvalidPolicyDocument},
		{`{"expiration":"tomorrow","conditions":[]}`, form(), s3err.InvalidPolicyDocument},
		{`{"Expiration":` + soon + `,"conditions":[]}`, form(), s3err.InvalidPolicyDocument},
		{`{"expiration":` + soon + `,"CONDITIONS":[]}`, form(), s3err.InvalidPolicyDocument},
		{`{"expiration":` + soon + `,"conditions":{}}`, form(), s3err.InvalidPolicyDocument},
		{`{"expiration":1,"conditions":[]}`, form(), s3err.InvalidPolicyDocument},
		{`{"expiration":` + soon + `}`, form(), s3err.InvalidPolicyDocument},
		{`{"expiration":` + soon + `,"conditions":[],"more":1}`, form(), s3err.InvalidPolicyDocument},
		{policy(``) + "x", form(), s3err.InvalidPolicyDocument},
		{`{"expiration":"2001-01-01T00:00:00Z","conditions":[]}`, form(), s3err.AccessDenied},
	} {
		p, err := ParsePolicy(base64.StdEncoding.EncodeToString([]byte(c.policy)))
		if err == nil {
			err = p.Check(c.form, "bkt", time.Now())
		}
		require.Equal(t, c.want, codeOf(t, err), "%s of %v: %v", c.policy, c.form.fields, err)
	}
	_, err := ParsePolicy("not base64!")
	require.Equal(t, s3err.InvalidPolicyDocument, codeOf(t, err))
}

// FuzzPolicy: no policy panics, and each error is one of S3's.
func FuzzPolicy(f *testing.F) {
	f.Add(`{"expiration":"2999-01-01T00:00:00Z","conditions":[{"key":"k"},["eq","$a","b"],["content-length-range",1,2]]}`, "key", "k")
	f.Fuzz(func(t *testing.T, text, name, value string) {
		p, err := ParsePolicy(base64.StdEncoding.EncodeToString([]byte(text)))
		if err == nil {
			err = p.Check(&Form{fields: []Field{{strings.ToLower(name), value}}}, "bkt", time.Unix(0, 0))
		}
		codeOf(t, err)
	})
}

// FuzzForm: no body panics or is taken for more than it is, and a form that is well made
// gives back its file.
func FuzzForm(f *testing.F) {
	body, contentType := write([]byte("x"), 3)
	f.Add(body, contentType, []byte("y"))
	f.Fuzz(func(t *testing.T, body []byte, contentType string, file []byte) {
		form, err := Read(bytes.NewReader(body), int64(len(body)), contentType)
		if err == nil {
			form.File.Limit(0, -1)
			var got []byte
			_, got, err = take(form.File, 1<<20)
			if len(got) > len(body) {
				t.Fatalf("%d bytes of a body of %d", len(got), len(body))
			}
		}
		codeOf(t, err)
		made, kind := write(file, 5)
		form, err = Read(bytes.NewReader(made), int64(len(made)), kind)
		if err != nil {
			t.Fatal(err)
		}
		form.File.Limit(0, -1)
		if _, got, err := take(form.File, 1<<20); err != nil || !bytes.Equal(got, file) {
			t.Fatalf("%q, %v", got, err)
		}
	})
}
