package iam

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
)

const (
	// MaxTokenBytes bounds session tokens, in the form in which clients send them.
	MaxTokenBytes = 6 << 10
	// MaxSessionPolicyBytes bounds the policy of a session, without white space. It is small
	// because the policy travels in the token.
	MaxSessionPolicyBytes = 2 << 10

	sessionKeyPrefix = "ASIA"
	accessKeyPrefix  = "AKIA"
)

// token is the record of a session: whose it is, how long it lasts, and what it ends with. It
// travels sealed under tokenLabel and the session's access key. Fields may be added, but what a
// field means never changes: nodes of several versions read tokens of each other.
type token struct {
	Secret  string `json:"s"`
	Issued  int64  `json:"i"` // Unix time.
	Expires int64  `json:"e"` // Unix time.

	// Parent is the long-lived access key that the session was made with, and ParentSum a keyed
	// digest of its secret. The session ends with the key, even if another key with the same id is
	// made later.
	Parent    string `json:"p"`
	ParentSum []byte `json:"ps"`

	Role *roleToken `json:"r,omitempty"` // Nil: the session stands for the holder of the parent.

	// Federated is who an identity provider says it is. Such a session has no parent, and older nodes
	// refuse it for that. Policy is what it is scoped down to if it has no role.
	Federated *federatedToken `json:"f,omitempty"`
	Policy    json.RawMessage `json:"d,omitempty"`
}

// roleToken is what the token of a role's session has in addition.
type roleToken struct {
	Account string          `json:"a"`
	Name    string          `json:"n"`
	Created int64           `json:"c"` // Unix time, ms: tells the role from a later one of the same name.
	Session string          `json:"s"`
	Policy  json.RawMessage `json:"p,omitempty"` // What the session is scoped down to.
}

// String keeps the secret out of every log line and error.
func (*token) String() string { return "iam.token(redacted)" }

// GoString is String, for %#v.
func (t *token) GoString() string { return t.String() }

func (t *token) expires() time.Time { return time.Unix(t.Expires, 0) }

// sealToken returns a token in the form in which clients have it. Errors: Invalid, if it would be
// longer than MaxTokenBytes.
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

// openToken returns the session of a token. Errors: Denied, if the token is not one of this cluster
// and this access key.
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
