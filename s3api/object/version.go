package object

import (
	"crypto/rand"
	"encoding/base64"

	"github.com/cairnstore/cairn/meta/metapb"
)

// MsgLocked is what is told of a version that object lock keeps.
const MsgLocked = "Access Denied because object protected by object lock."

// nullVersion is how clients name the null version.
const nullVersion = "null"

// versionIDBytes is the randomness of a version id.
const versionIDBytes = 24

// newVersionID returns an id for a version that may be made; a bucket without
// versions has no use for it.
func newVersionID() string {
	var b [versionIDBytes]byte
	_, _ = rand.Read(b[:]) // Never fails.
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// ShownVersionID returns a version's id as clients see it: "null" for the null
// version, nothing where the bucket never had versions.
func ShownVersionID(b *metapb.Bucket, v *metapb.Version) string {
	switch {
	case b.GetVersioning() == metapb.Versioning_VERSIONING_OFF:
		return ""
	case v.GetVersionId() == "":
		return nullVersion
	}
	return v.GetVersionId()
}

// MayBeVersionID reports whether a version can have the id: one that was made here, by
// this service or by the metadata, or the null version's.
func MayBeVersionID(id string) bool {
	if id == nullVersion {
		return true
	}
	raw, err := base64.RawURLEncoding.DecodeString(id)
	return err == nil && len(raw) == versionIDBytes
}
