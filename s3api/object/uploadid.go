package object

import (
	"encoding/hex"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// idBytes is the length of content ids, upload ids and pin ids.
const idBytes = 16

// FormatUploadID returns an upload id as clients see it: 32 hex digits, which are safe in URLs,
// file names and command lines.
func FormatUploadID(id []byte) string { return hex.EncodeToString(id) }

// ParseUploadID reads what FormatUploadID wrote. Anything else names no upload: NoSuchUpload.
func ParseUploadID(s string) ([]byte, error) {
	if len(s) != 2*idBytes {
		return nil, s3err.NoSuchUpload.Err()
	}
	id, err := hex.DecodeString(s)
	if err != nil {
		return nil, s3err.NoSuchUpload.Err()
	}
	return id, nil
}
