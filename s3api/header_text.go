package s3api

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// Headers are also made of parameters of a presigned URL, of fields of a form, of response-*
// overrides, and of what was stored before. If one of these held what no header can hold, no client
// could read the answer. So such text is refused where it comes in, and left out of answers.

const (
	metadataHeader = "x-amz-meta-"
	// headerMissingMetadata counts the entries of metadata that no header can hold.
	headerMissingMetadata = "x-amz-missing-meta"
)

// checkText refuses headers whose text no answer could repeat. What they say is recorded, and comes
// back in headers and documents.
func checkText(h http.Header) error {
	for name, values := range h {
		for _, v := range values {
			if err := checkHeaderText(name, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkHeaderText refuses a name or a value that no header can hold.
func checkHeaderText(name, value string) error {
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		return s3err.BadArgument(printable(name), "",
			"The name of a header or of an entry of metadata may hold letters, digits and !#$%&'*+-.^_`|~.")
	case !utf8.ValidString(value):
		return s3err.BadArgument(printable(name), "", "The value of a header is not UTF-8: encode it.")
	case !httpguts.ValidHeaderFieldValue(value):
		return s3err.BadArgument(printable(name), "",
			"The value of a header must not hold control characters: no answer could repeat it.")
	}
	return nil
}

// checkOverrides refuses overrides of an answer's headers that no header can hold.
func checkOverrides(q query) error {
	for _, name := range overrideParameters {
		if err := checkHeaderText(name, q.get(name)); err != nil {
			return err
		}
	}
	return nil
}

// sendable reports whether a header can be sent.
func sendable(f header) bool {
	return httpguts.ValidHeaderFieldName(f.name) && httpguts.ValidHeaderFieldValue(f.value)
}

// withoutUnsendable returns the headers of an answer that can be sent. It adds, as S3 does, how
// many entries of metadata cannot.
func withoutUnsendable(headers []header) []header {
	var kept []header
	missing := 0
	for i, f := range headers {
		if sendable(f) {
			if kept != nil {
				kept = append(kept, f)
			}
			continue
		}
		if kept == nil {
			kept = append(make([]header, 0, len(headers)), headers[:i]...)
		}
		if strings.HasPrefix(f.name, metadataHeader) {
			missing++
		}
	}
	switch {
	case kept == nil:
		return headers
	case missing > 0:
		kept = append(kept, header{headerMissingMetadata, itoa(missing)})
	}
	return kept
}
