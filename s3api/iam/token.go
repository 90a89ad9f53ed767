package iam

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
)

const (
	// MaxTokenBytes bounds session tokens as clients send them.
	MaxTokenBytes = 6 << 10
	// MaxSessionPolicyBytes bounds the policy of a session, without white space: it
	// travels in the token.
	MaxSessionPolicyBytes = 2 << 10

	sessionKeyPrefix = "ASIA"
	accessKeyPrefix  = "AKIA"
)

// token is a session: who, how long, and what it hangs on. It travels sealed under
// the token label and the session's access key. Fields may be added; what a field
// means never changes.
type token struct {
	Secret  string `json:"s"`
	Issued  int64  `json:"i"` // Unix time.
	Expires int64  `json:"e"` // Unix time.

	// Parent is the long-lived access key that the session was made with, and
	// ParentSum a keyed digest of its secret: the session ends with the key, also
	// where another of the same id follows it.
	Parent    string `json:"p"`
	ParentSum []byte `json:"ps"`

	Role *roleToken `json:"r,omitempty"` // Nil: the session is the parent's holder.
}

// roleToken is what the token of a role's session has besides.
type roleToken struct {
	Account string          `json:"a"`
	Name    string          `json:"n"`
	Created int64           `json:"c"` // Unix time, ms: tells the role from a later one of its name.
	Session string          `json:"s"`
	Policy  json.RawMessage `json:"p,omitempty"` // What the session is scoped down to.
}

// String keeps the secret out of every log line and error.
func (*token) String() string { return "iam.token(redacted)" }

// GoString is String, for %#v.
func (t *token) GoString() string { return t.String() }

func (t *token) expires() time.Time { return time.Unix(t.Expires, 0) }

// sealToken returns a token as clients keep it.
func (k *secretKey) sealToken(accessKey string, t *token) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // It would make a policy longer.
	if err := e.Encode(t); err != nil {
		return "", errs.New("iam.sealToken", errs.Internal, err)
	}
	text := base64.RawURLEncoding.EncodeToString(k.seal(tokenLabel, accessKey, b.Bytes()))
	if len(text) > MaxTokenBytes {
		return "", errs.Newf("iam.sealToken", errs.Invalid, "the session's token would have %d bytes, more than %d: shorten its policy", len(text), MaxTokenBytes)
	}
	return text, nil
}

// openToken returns the session of a token. It is Denied where the token is not
// one of this cluster and access key.
func (k *secretKey) openToken(accessKey, text string) (*token, error) {
	const op = "iam.openToken"
	if len(text) > MaxTokenBytes {
		return nil, errs.Newf(op, errs.Denied, "the session token is longer than %d bytes", MaxTokenBytes)
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errs.Newf(op, errs.Denied, "the session token is not base64")
	}
	b, err := k.open(tokenLabel, accessKey, sealed)
	if err != nil {
		return nil, errs.Newf(op, errs.Denied, "the session token of %s: %w", accessKey, err)
	}
	defer clear(b)
	t := new(token)
	if err := json.Unmarshal(b, t); err != nil {
		return nil, errs.Newf(op, errs.Denied, "the session token of %s cannot be read by this version: %w", accessKey, err)
	}
	return t, nil
}
