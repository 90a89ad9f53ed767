package object

import (
	"crypto/rand"
	"encoding/base64"

	"github.com/cairnstore/cairn/meta/metapb"
)

// MsgLocked is the message for a version that object lock keeps.
const MsgLocked = "Access Denied because object protected by object lock."

// nullVersion is how clients name the null version.
const nullVersion = "null"

// versionIDBytes is how many random bytes a version id has.
const versionIDBytes = 24

// newVersionID returns an id for a version that a command may make. A bucket without versions has
// no use for it.
func newVersionID() string {
	var b [versionIDBytes]byte
	_, _ = rand.Read(b[:]) // It never fails.
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// ShownVersionID returns a version's id as clients see it: "null" for the null version, and nothing
// if the bucket never had versions.
func ShownVersionID(b *metapb.Bucket, v *metapb.Version) string {
	switch {
	case b.GetVersioning() == metapb.Versioning_VERSIONING_OFF:
		return ""
	case v.GetVersionId() == "":
		return nullVersion
	}
	return v.GetVersionId()
}

// MayBeVersionID reports whether a version can have the id: it has the form of those that are made
// here, or it is the null version's.
func MayBeVersionID(id string) bool {
	if id == nullVersion {
		return true
	}
	raw, err := base64.RawURLEncoding.DecodeString(id)
	return err == nil && len(raw) == versionIDBytes
}
