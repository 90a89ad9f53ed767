package iam

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/cairnstore/cairn/cluster/errs"
)

// Limits of names and keys.
const (
	MaxNameBytes        = 64  // Of names of accounts, users, roles and sessions.
	MaxLongNameBytes    = 128 // Of names of groups and policies.
	MinAccessKeyBytes   = 3
	MaxAccessKeyBytes   = 128
	MinSecretBytes      = 8
	MaxSecretBytes      = 128
	MaxDescriptionBytes = 256

	maxAccountIDBytes = 64
)

const (
	nameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + namePunctuation
	// namePunctuation is what AWS allows in names besides letters and digits.
	namePunctuation      = "_+=,.@-"
	accessKeyCharacters  = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-+@"
	accountIDCharacters  = "abcdefghijklmnopqrstuvwxyz0123456789-"
	minSessionNameBytes  = 2
	generatedSecretBytes = 30 // 40 characters of base64.
)

// checkName checks the name of something; thing says what, as in "user". Errors: Invalid.
func checkName(thing, name string, limit int) error {
	switch {
	case name == "":
		return errs.Newf("iam.checkName", errs.Invalid, "the name of the %s is empty", thing)
	case len(name) > limit:
		return errs.Newf("iam.checkName", errs.Invalid, "the name of the %s has %d characters; at most %d are allowed", thing, len(name), limit)
	case strings.Trim(name, nameCharacters) != "":
		return errs.Newf("iam.checkName", errs.Invalid, "%q cannot name a %s: use letters, digits and any of %s", name, thing, namePunctuation)
	}
	return nil
}

func checkAccountID(id string) error {
	if id == "" || len(id) > maxAccountIDBytes || strings.Trim(id, accountIDCharacters) != "" {
		return errs.Newf("iam.checkAccountID", errs.Invalid,
			"%q cannot be the id of an account: use 1 to %d lower-case letters, digits and hyphens, or none for a generated one", id, maxAccountIDBytes)
	}
	return nil
}

// checkAccessKey checks the id of an access key. Ids like those of sessions are refused, because
// Keys.Lookup would ask for a token with them. Errors: Invalid.
func checkAccessKey(id string) error {
	switch {
	case len(id) < MinAccessKeyBytes || len(id) > MaxAccessKeyBytes || strings.Trim(id, accessKeyCharacters) != "":
		return errs.Newf("iam.checkAccessKey", errs.Invalid,
			"an access key has %d to %d letters, digits and any of _.-+@; leave it out for a generated one", MinAccessKeyBytes, MaxAccessKeyBytes)
	case strings.HasPrefix(id, sessionKeyPrefix):
		return errs.Newf("iam.checkAccessKey", errs.Invalid, "access keys that begin with %s are those of sessions: choose another", sessionKeyPrefix)
	}
	return nil
}

// checkSecret checks a secret. Its error does not show the secret. Errors: Invalid.
func checkSecret(secret string) error {
	for i := range len(secret) {
		if secret[i] <= ' ' || secret[i] > '~' {
			return errs.Newf("iam.checkSecret", errs.Invalid, "a secret key has printable ASCII characters only, and no blanks")
		}
	}
	if len(secret) < MinSecretBytes || len(secret) > MaxSecretBytes {
		return errs.Newf("iam.checkSecret", errs.Invalid, "a secret key has %d to %d characters; leave it out for a generated one", MinSecretBytes, MaxSecretBytes)
	}
	return nil
}

// newID returns an id for an account or a user: 32 hex digits, as OBS has them.
func newID() string { return hex.EncodeToString(randomBytes(16)) }

// newAccessKey returns prefix and 16 random characters of base32.
func newAccessKey(prefix string) string {
	return prefix + base32.StdEncoding.EncodeToString(randomBytes(10))
}

func newSecret() string { return base64.StdEncoding.EncodeToString(randomBytes(generatedSecretBytes)) }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // Never fails.
	return b
}
