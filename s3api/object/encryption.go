package object

import (
	"bytes"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
)

// Messages of S3 about customers' keys.
const (
	msgKeyNeeded       = "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object."
	msgKeyNotNeeded    = "The encryption parameters are not applicable to this object."
	msgKeyDiffers      = "The provided encryption parameters did not match the ones used originally."
	msgUploadKeyNeeded = "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters."
)

// wrapping returns the key to encrypt something new under, or nil if nothing is encrypted. It is
// never an interface that holds a nil pointer.
func (n *Description) wrapping() sse.WrappingKey {
	if n.CustomerKey != nil {
		return n.CustomerKey
	}
	return n.ServiceKey
}

// Encryption returns what to record of how something new is encrypted, or nil if it is not. A
// customer's key is recorded under another salt each time.
func (n *Description) Encryption() *metapb.Encryption { return sse.Record(n.wrapping()) }

func isSSEC(e *metapb.Encryption) bool {
	return e.GetKind() == metapb.EncryptionKind_ENCRYPTION_SSE_C
}

// unlock returns the key that opens an object's envelopes, or nil if it has none. It refuses a
// request that lacks a customer's key, has the wrong one, or has one that is not needed.
func (s *Service) unlock(e *metapb.Encryption, k *sse.CustomerKey) (sse.WrappingKey, error) {
	return s.keyFor(e, k, msgKeyNeeded, s3err.AccessDenied)
}

// uploadKey returns the key to encrypt a part of an upload under, or nil if it is not encrypted. It
// refuses the same requests as unlock.
func (s *Service) uploadKey(u *metapb.Upload, k *sse.CustomerKey) (sse.WrappingKey, error) {
	return s.keyFor(u.GetEncryption(), k, msgUploadKeyNeeded, s3err.InvalidRequest)
}

// checkRepeated refuses a part whose request names another encryption than its upload has.
func checkRepeated(u *metapb.Upload, said *metapb.Encryption) error {
	have := u.GetEncryption()
	if said == nil || said.GetKind() == have.GetKind() && said.GetKmsKeyId() == have.GetKmsKeyId() &&
		bytes.Equal(said.GetKmsContext(), have.GetKmsContext()) {
		return nil
	}
	return s3err.BadArgument("x-amz-server-side-encryption", "", msgKeyDiffers)
}

// keyFor returns the key for what is encrypted as e says. A request without the customer's key is
// refused with the message needed. One with another customer's key is refused with the code wrong,
// or InvalidArgument where errors are not told as AWS tells them.
func (s *Service) keyFor(e *metapb.Encryption, k *sse.CustomerKey, needed string, wrong s3err.Code) (sse.WrappingKey, error) {
	switch {
	case !isSSEC(e) && k != nil:
		return nil, s3err.InvalidRequest.Say(msgKeyNotNeeded)
	case e.GetKind() == metapb.EncryptionKind_ENCRYPTION_NONE:
		return nil, nil
	case !isSSEC(e):
		return sse.Stored(s.keys, e), nil
	case k == nil:
		return nil, s3err.InvalidRequest.Say(needed)
	case sse.Matches(e, k):
		return k, nil
	case s.knobs().WrongKeyAsAWS:
		return nil, wrong.Say(msgKeyDiffers)
	}
	return nil, s3err.InvalidArgument.Say(msgKeyDiffers)
}
