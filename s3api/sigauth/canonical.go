package sigauth

import (
	"bytes"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// scratch is the memory in which one request is verified. It is pooled.
type scratch struct {
	text   []byte // The canonical request, then the string to sign.
	coded  []byte // Parameters, encoded one after another.
	params []param
}

// param is a parameter of the query, as places in scratch.coded: where its name begins, where its
// '=' is, and where it ends.
type param struct{ from, equals, to int }

// canonicalRequest builds the canonical request of V4 in s.text; payload is what stands for the
// body in it.
func (s *scratch) canonicalRequest(r *http.Request, c *claim, payload string) error {
	s.text = append(s.text[:0], r.Method...)
	s.text = append(s.text, '\n')
	var err error
	if s.text, err = appendPath(s.text, rawPath(r)); err != nil {
		return err
	}
	s.text = append(s.text, '\n')
	if err := s.appendQuery(r.URL.RawQuery, c.presigned); err != nil {
		return err
	}
	s.text = append(s.text, '\n')
	for _, name := range c.signed {
		if err := s.appendHeader(r, name); err != nil {
			return err
		}
	}
	s.text = append(s.text, '\n')
	s.text = append(s.text, c.list...)
	s.text = append(s.text, '\n')
	s.text = append(s.text, payload...)
	return nil
}

// rawPath returns the path as it was sent, which is what was signed.
func rawPath(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		return path
	}
	return r.URL.EscapedPath()
}

const upperHex = "0123456789ABCDEF"

// unreserved reports whether a byte is not encoded in a canonical path or query.
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// appendCanonical appends one byte of a path or query, encoded unless it is unreserved.
func appendCanonical(dst []byte, c byte) []byte {
	if unreserved(c) {
		return append(dst, c)
	}
	return append(dst, '%', upperHex[c>>4], upperHex[c&15])
}

// appendPath appends a path, as it was sent, in canonical form: each byte is encoded once, and
// nothing is collapsed. An encoded slash stays encoded, because it was sent and signed like that.
func appendPath(dst []byte, path string) ([]byte, error) {
	if path == "" {
		path = "/"
	}
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '/':
			dst = append(dst, c)
			continue
		case c == '%':
			var ok bool
			if c, ok = unhex(path[i:]); !ok {
				return dst, s3err.InvalidURI.Err()
			}
			i += 2
		}
		dst = appendCanonical(dst, c)
	}
	return dst, nil
}

// unhex decodes the %XX with which s begins.
func unhex(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	high, low := hexDigit(s[1]), hexDigit(s[2])
	return high<<4 | low, high < 16 && low < 16
}

// hexDigit returns the value of a hex digit; 255 if c is none.
func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// appendQuery appends the canonical query: parameters encoded, and sorted by name and value. The
// signature of a presigned request is left out, because it does not sign itself.
func (s *scratch) appendQuery(raw string, presigned bool) error {
	s.coded, s.params = s.coded[:0], s.params[:0]
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		if len(s.params) == maxParameters {
			return s3err.InvalidURI.Say("The query has more than " + strconv.Itoa(maxParameters) + " parameters.")
		}
		name, value, _ := strings.Cut(pair, "=")
		p := param{from: len(s.coded)}
		if !s.encode(name) {
			return s3err.InvalidURI.Err()
		}
		p.equals = len(s.coded)
		s.coded = append(s.coded, '=')
		if presigned && string(s.coded[p.from:p.equals]) == paramSignature {
			s.coded = s.coded[:p.from]
			continue
		}
		if !s.encode(value) {
			return s3err.InvalidURI.Err()
		}
		p.to = len(s.coded)
		s.params = append(s.params, p)
	}
	slices.SortFunc(s.params, s.compare)
	for i, p := range s.params {
		if i > 0 {
			s.text = append(s.text, '&')
		}
		s.text = append(s.text, s.coded[p.from:p.to]...)
	}
	return nil
}

// encode appends a name or a value of the raw query to s.coded in canonical form. It returns false
// if raw is not well formed.
func (s *scratch) encode(raw string) bool {
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			var ok bool
			if c, ok = unhex(raw[i:]); !ok {
				return false
			}
			i += 2
		}
		s.coded = appendCanonical(s.coded, c)
	}
	return true
}

func (s *scratch) compare(a, b param) int {
	if d := bytes.Compare(s.coded[a.from:a.equals], s.coded[b.from:b.equals]); d != 0 {
		return d
	}
	return bytes.Compare(s.coded[a.equals:a.to], s.coded[b.equals:b.to])
}

// appendHeader appends the line of a signed header. net/http takes Content-Length and
// Transfer-Encoding out of the headers, so they are taken from r's fields.
func (s *scratch) appendHeader(r *http.Request, name string) error {
	s.text = append(s.text, name...)
	s.text = append(s.text, ':')
	values := r.Header[textproto.CanonicalMIMEHeaderKey(name)]
	switch {
	case name == "host":
		s.text = appendValue(s.text, r.Host)
	case len(values) > 0:
		for i, v := range values {
			if i > 0 {
				s.text = append(s.text, ',')
			}
			s.text = appendValue(s.text, v)
		}
	case name == "content-length" && r.ContentLength >= 0:
		s.text = strconv.AppendInt(s.text, r.ContentLength, 10)
	case name == "transfer-encoding" && len(r.TransferEncoding) > 0:
		s.text = append(s.text, strings.Join(r.TransferEncoding, ",")...)
	default:
		return s3err.SignatureDoesNotMatch.Say("The request lacks a header that it names as signed: "+name,
			s3err.Field{Name: "HeaderMissing", Value: name})
	}
	s.text = append(s.text, '\n')
	return nil
}

// appendValue appends a header's value without blanks around it, and with each run of blanks in it
// as one blank.
func appendValue(dst []byte, v string) []byte {
	v = strings.Trim(v, " \t")
	if !strings.Contains(v, "  ") {
		return append(dst, v...)
	}
	for i := range len(v) {
		if v[i] == ' ' && v[i-1] == ' ' {
			continue
		}
		dst = append(dst, v[i])
	}
	return dst
}
