package s3api

import (
	"crypto/md5"
	"crypto/subtle"
	"encoding/base64"

	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
)

// Messages of S3 about customer keys.
const (
	msgKeyInsecure    = "Requests specifying Server Side Encryption with Customer provided keys must be made over a secure connection."
	msgKeyNoAlgorithm = "Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption algorithm."
	msgKeyMissing     = "Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret key."
	msgKeyMD5Missing  = "Requests specifying Server Side Encryption with Customer provided keys must provide the client calculated MD5 of the secret key."
	msgKeyInvalid     = "The secret key was invalid for the specified algorithm."
	msgKeyMD5Mismatch = "The calculated MD5 hash of the key did not match the hash that was provided."
)

// Sizes of a customer's key: 256 and 512 bits.
const (
	shortKeyBytes = 32
	longKeyBytes  = 64
)

// keyHeaders are the names of three headers that go together: they carry one customer key.
type keyHeaders struct{ algorithm, key, md5 string }

var (
	targetKeyHeaders = keyHeaders{
		"X-Amz-Server-Side-Encryption-Customer-Algorithm",
		"X-Amz-Server-Side-Encryption-Customer-Key",
		"X-Amz-Server-Side-Encryption-Customer-Key-Md5",
	}
	sourceKeyHeaders = keyHeaders{
		"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Algorithm",
		"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key",
		"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key-Md5",
	}
)

// customerKey reads and checks the three headers of a key; nil: the request has none of them.
func (s *server) customerKey(rq *request, names keyHeaders) (*sse.CustomerKey, error) {
	h := rq.r.Header
	algorithm, key, sum := h.Get(names.algorithm), h.Get(names.key), h.Get(names.md5)
	if algorithm == "" && key == "" && sum == "" {
		return nil, nil
	}
	switch {
	case !s.cfg.SSECAllowed(rq.r):
		return nil, s3err.InvalidRequest.Say(msgKeyInsecure)
	case algorithm == "":
		return nil, s3err.InvalidArgument.Say(msgKeyNoAlgorithm)
	case algorithm != "AES256":
		return nil, s3err.InvalidEncryptionAlgorithmError.Err()
	case key == "":
		return nil, s3err.InvalidArgument.Say(msgKeyMissing)
	case sum == "":
		return nil, s3err.InvalidArgument.Say(msgKeyMD5Missing)
	}
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil || (len(raw) != shortKeyBytes && len(raw) != longKeyBytes) {
		return nil, s3err.InvalidArgument.Say(msgKeyInvalid)
	}
	claimed, err := base64.StdEncoding.DecodeString(sum)
	k := &sse.CustomerKey{Key: raw, MD5: md5.Sum(raw)}
	if err != nil || subtle.ConstantTimeCompare(claimed, k.MD5[:]) != 1 {
		return nil, s3err.InvalidArgument.Say(msgKeyMD5Mismatch)
	}
	return k, nil
}

// echoCustomerKey tells the client which of its keys was used.
func (resp *response) echoCustomerKey(k *sse.CustomerKey) {
	if k == nil {
		return
	}
	resp.set("x-amz-server-side-encryption-customer-algorithm", "AES256")
	resp.set("x-amz-server-side-encryption-customer-key-MD5", base64.StdEncoding.EncodeToString(k.MD5[:]))
}
