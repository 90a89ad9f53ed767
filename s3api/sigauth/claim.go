package sigauth

import (
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cairnstore/cairn/s3api/s3err"
)

const algorithm = "AWS4-HMAC-SHA256"

// claim is what a request says of its own signature. Nothing in it is verified.
type claim struct {
	version   Version
	accessKey string
	presigned bool
	time      time.Time // When it was signed; zero if its form does not say that.
	stamp     string    // The same as it was sent; V4: as YYYYMMDDThhmmssZ.
	deadline  time.Time // Until when a presigned URL is good.

	// V4.
	date      string // Of the scope: YYYYMMDD.
	region    string
	service   string
	scope     string   // DATE/REGION/SERVICE/aws4_request.
	signed    []string // Signed headers in lower case, ascending.
	list      string   // The same, as sent.
	signature [32]byte
	expires   time.Duration // Presigned only.

	// V2 and OBS.
	mac      string // The signature in base64, as sent.
	dateLine string // What is signed as the date.
}

// parseHeader parses an Authorization header of Signature Version 4.
func parseHeader(value, service string) (*claim, error) {
	if len(value) > maxAuthorizationBytes {
		return nil, malformed("it is longer than " + strconv.Itoa(maxAuthorizationBytes) + " bytes.")
	}
	rest := strings.TrimLeft(strings.TrimPrefix(value, algorithm), " ")
	fields := [3]string{}
	names := [3]string{"Credential", "SignedHeaders", "Signature"}
	for rest != "" {
		var field string
		field, rest, _ = strings.Cut(rest, ",")
		name, value, ok := strings.Cut(strings.Trim(field, " "), "=")
		i := slices.Index(names[:], name)
		if !ok || i < 0 || fields[i] != "" || value == "" {
			return nil, malformed("it must hold Credential, SignedHeaders and Signature, once each.")
		}
		fields[i] = value
	}
	for i, f := range fields {
		if f == "" {
			return nil, malformed("the " + names[i] + " is missing.")
		}
	}
	c := &claim{version: V4, service: service}
	if why := c.parse(fields[0], fields[1], fields[2]); why != "" {
		return nil, malformed(why)
	}
	return c, nil
}

// malformed is the error of an Authorization header; why says what is wrong.
func malformed(why string, extra ...s3err.Field) error {
	return s3err.AuthorizationHeaderMalformed.Say("The authorization header is malformed; "+why, extra...)
}

// parse parses the three parts that header and query have in common. It returns in words what is
// wrong with them; empty if nothing is.
func (c *claim) parse(credential, signed, signature string) (why string) {
	if len(credential)+len(signed) > maxAuthorizationBytes {
		return "the Credential and SignedHeaders are longer than " + strconv.Itoa(maxAuthorizationBytes) + " bytes."
	}
	if why := c.parseCredential(credential); why != "" {
		return why
	}
	c.list = signed
	c.signed = strings.Split(signed, ";")
	if len(c.signed) > maxSignedHeaders {
		return "there are more than " + strconv.Itoa(maxSignedHeaders) + " signed headers."
	}
	for i, name := range c.signed {
		if !isHeaderName(name) || i > 0 && c.signed[i-1] >= name {
			return "SignedHeaders must be names of headers in lower case, in ascending order, separated by semicolons."
		}
	}
	if len(signature) != hex.EncodedLen(len(c.signature)) || !isLowerHex(signature) {
		return "the Signature must be 64 hexadecimal digits in lower case."
	}
	_, _ = hex.Decode(c.signature[:], []byte(signature)) // Checked above.
	return ""
}

// parseCredential parses ACCESSKEY/DATE/REGION/SERVICE/aws4_request. The access key may contain
// slashes.
func (c *claim) parseCredential(credential string) (why string) {
	form := `the Credential must be of the form "ACCESSKEY/YYYYMMDD/REGION/` + c.service + `/aws4_request".`
	rest, last, ok := cutLast(credential)
	if !ok || last != terminator {
		return form
	}
	rest, name, ok := cutLast(rest)
	if !ok {
		return form
	}
	if name != c.service {
		return "the Credential is for another service. This endpoint belongs to \"" + c.service + "\"."
	}
	rest, c.region, ok = cutLast(rest)
	if !ok || c.region == "" {
		return form
	}
	c.accessKey, c.date, ok = cutLast(rest)
	if !ok || c.accessKey == "" || len(c.date) != len("YYYYMMDD") || !isDigits(c.date) {
		return form
	}
	c.scope = credential[len(c.accessKey)+1:]
	return ""
}

// cutLast splits s at its last slash.
func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// isHeaderName reports whether name is a header's name in lower case.
func isHeaderName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte("-_.!#$%&'*+^`|~", c) < 0 {
			return false
		}
	}
	return name != ""
}

func isLowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

const stampLayout = "20060102T150405Z"

// takeDate sets the time from x-amz-date, or from Date if there is no x-amz-date.
func (c *claim) takeDate(h http.Header) error {
	text, err := single(h, "X-Amz-Date")
	if err != nil {
		return err
	}
	if text != "" {
		if c.time, err = parseStamp(text); err != nil {
			return noDate("x-amz-date")
		}
		c.stamp = text
		return nil
	}
	if text, err = single(h, "Date"); err != nil {
		return err
	}
	if c.time, err = http.ParseTime(text); err != nil {
		if c.time, err = parseStamp(text); err != nil {
			return noDate("x-amz-date")
		}
	}
	c.time = c.time.UTC()
	c.stamp = c.time.Format(stampLayout)
	return nil
}

// noDate is the error of a request that does not say when it was signed; header is the one that
// could say so besides Date.
func noDate(header string) error {
	return s3err.AccessDenied.Say("AWS authentication requires a valid Date or " + header + " header")
}

// parseStamp parses YYYYMMDDThhmmssZ and no other form.
func parseStamp(text string) (time.Time, error) {
	if len(text) != len(stampLayout) {
		return time.Time{}, strconv.ErrSyntax
	}
	return time.Parse(stampLayout, text)
}

// single returns the value of a header that may be sent only once; empty if it was not sent. A
// header that is sent twice is refused, because what was verified and what is used might differ.
func single(h http.Header, name string) (string, error) {
	switch values := h[name]; len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", s3err.BadArgument(strings.ToLower(name), "",
		"The header "+strings.ToLower(name)+" may be sent only once.")
}
