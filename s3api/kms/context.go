package kms

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/cairnstore/cairn/cluster/errs"
)

// ContextMaxBytes bounds an encryption context, in the form in which the client sends it and in
// that in which it is stored.
const ContextMaxBytes = 8 << 10

// ParseContext reads the header x-amz-server-side-encryption-context, which is base64 of a JSON
// object with string values. It returns it as canonical JSON: names in the order of their bytes, no
// white space. For an empty header or object it returns nil, which means no context. Errors:
// Invalid.
func ParseContext(header string) ([]byte, error) {
	const op = "kms.ParseContext"
	if len(header) > ContextMaxBytes {
		return nil, errs.Newf(op, errs.Invalid, "the encryption context is longer than %d bytes", ContextMaxBytes)
	}
	if header == "" {
		return nil, nil
	}
	text, err := base64.StdEncoding.Strict().DecodeString(header)
	if err != nil {
		return nil, errs.Newf(op, errs.Invalid, "the encryption context is not base64")
	}
	pairs, err := contextPairs(text)
	if err != nil {
		return nil, errs.Newf(op, errs.Invalid, "the encryption context %w", err)
	}
	if len(pairs) == 0 {
		return nil, nil
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(pairs); err != nil { // It sorts the names.
		return nil, errs.New(op, errs.Internal, err)
	}
	canonical := bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	if len(canonical) > ContextMaxBytes { // Escapes can make it longer than what was sent.
		return nil, errs.Newf(op, errs.Invalid, "the encryption context is longer than %d bytes", ContextMaxBytes)
	}
	return canonical, nil
}

var errNotAnObject = errors.New("is not a JSON object with string values")

// contextPairs reads a flat JSON object. It refuses a repeated name, which encoding/json would
// accept: what is authenticated would then depend on who reads it.
func contextPairs(text []byte) (map[string]string, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errNotAnObject
	}
	pairs := make(map[string]string)
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, errNotAnObject
		}
		value, err := dec.Token()
		if err != nil {
			return nil, errNotAnObject
		}
		n, nameOK := name.(string)
		v, valueOK := value.(string)
		if !nameOK || !valueOK {
			return nil, errNotAnObject
		}
		if _, twice := pairs[n]; twice {
			return nil, errors.New("has a name twice")
		}
		pairs[n] = v
	}
	if _, err := dec.Token(); err != nil {
		return nil, errNotAnObject
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("goes on behind its JSON object")
	}
	return pairs, nil
}
