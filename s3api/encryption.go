package s3api

import (
	"context"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/kms"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
)

const (
	headerContext = "X-Amz-Server-Side-Encryption-Context"

	encryptionS3 = bucket.EncryptionS3

	msgTwoEncryptions = "Server Side Encryption with Customer provided key is incompatible with the encryption method specified"
	msgKeyIDAlone     = "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms"
	msgReadMode       = "The encryption method of an object cannot be named when it is read."
)

// encrypt fills in the key that something new is encrypted under. That is the customer's key or the
// key service's that the request names, else the bucket's default, else the cluster's.
func (s *server) encrypt(ctx context.Context, rq *request, in *object.Description) error {
	var err error
	if in.CustomerKey, err = s.customerKey(rq, targetKeyHeaders); err != nil {
		return err
	}
	mode, keyID, kmsContext, err := namedEncryption(rq)
	switch {
	case err != nil:
		return err
	case in.CustomerKey != nil && mode != "":
		return s3err.BadArgument("x-amz-server-side-encryption", mode, msgTwoEncryptions)
	case in.CustomerKey != nil:
		return nil
	case mode == "":
		b, err := s.bucket(ctx, rq)
		if err != nil {
			return err
		}
		mode, keyID = b.DefaultEncryption(rq.profile)
	}
	in.ServiceKey, err = s.serviceKey(ctx, rq, mode, keyID, kmsContext)
	return err
}

// namedEncryption reads which mode of the key service a request names, if it names one.
func namedEncryption(rq *request) (mode, keyID string, kmsContext []byte, err error) {
	h := rq.r.Header
	mode, keyID = h.Get(headerEncryption), h.Get(headerKeyID)
	switch mode {
	case "", encryptionS3:
		if keyID != "" || h.Get(headerContext) != "" {
			return "", "", nil, s3err.BadArgument("x-amz-server-side-encryption", "", msgKeyIDAlone)
		}
	case encryptionKMS:
	case "aws:kms:dsse":
		return "", "", nil, s3err.NotImplemented.Say("Double encryption (aws:kms:dsse) is not implemented: use aws:kms.")
	default:
		return "", "", nil, s3err.InvalidEncryptionAlgorithmError.Say("",
			s3err.Field{Name: "ArgumentName", Value: "x-amz-server-side-encryption"}, s3err.Field{Name: "ArgumentValue", Value: printable(mode)})
	}
	if kmsContext, err = kms.ParseContext(h.Get(headerContext)); err != nil {
		return "", "", nil, s3err.BadArgument("x-amz-server-side-encryption-context", "",
			"The encryption context is not base64 of a JSON object of strings, or is too large.")
	}
	return mode, keyID, kmsContext, nil
}

// serviceKey returns the key of a mode, or nil for no encryption.
func (s *server) serviceKey(ctx context.Context, rq *request, mode, keyID string, kmsContext []byte) (sse.WrappingKey, error) {
	if mode != encryptionKMS {
		return s.cfg.keyOf(ctx, "", mode, keyID, kmsContext)
	}
	who, err := s.callerOf(ctx, rq)
	if err != nil {
		return nil, err
	}
	if who.Anonymous {
		return nil, s3err.AccessDenied.Say("Requests that use keys of the key service must be signed.")
	}
	b, err := s.bucket(ctx, rq)
	if err != nil {
		return nil, err
	}
	return s.cfg.keyOf(ctx, ownerOf(rq, b, who.Account), mode, keyID, kmsContext) // A key belongs to the object's owner.
}

// keyOf returns the key of a mode for objects of an account, or nil for no encryption.
func (c *Config) keyOf(ctx context.Context, owner, mode, keyID string, kmsContext []byte) (sse.WrappingKey, error) {
	switch {
	case mode == "":
		return nil, nil
	case c.Keys == nil:
		return nil, s3err.NotImplemented.Say("This cluster has no key service: only SSE-C is there.")
	case mode == encryptionS3:
		return &sse.S3Key{Service: c.Keys}, nil
	}
	id, err := c.Keys.Resolve(ctx, owner, keyID)
	if err != nil {
		return nil, err
	}
	return &sse.KMSKey{Service: c.Keys, KeyID: id, Context: kmsContext}, nil
}

// repeated reads the mode that the request of a part repeats; nil: it names none. A part cannot
// change what was fixed when its upload began.
func (s *server) repeated(ctx context.Context, rq *request) (*metapb.Encryption, error) {
	mode, keyID, kmsContext, err := namedEncryption(rq)
	if err != nil || mode == "" {
		return nil, err
	}
	k, err := s.serviceKey(ctx, rq, mode, keyID, kmsContext)
	if err != nil {
		return nil, err
	}
	return sse.Record(k), nil
}

// refuseModeOnRead refuses a GET or HEAD that names how the object is encrypted.
func refuseModeOnRead(rq *request) error {
	if rq.r.Header.Get(headerEncryption) != "" || rq.r.Header.Get(headerKeyID) != "" {
		return s3err.BadArgument("x-amz-server-side-encryption", "", msgReadMode)
	}
	return nil
}

// tellEncryption tells the client how something is encrypted. k is the customer's key that came
// with the request; nil: none did.
func (s *server) tellEncryption(resp *response, e *metapb.Encryption, k *sse.CustomerKey) {
	switch e.GetKind() {
	case metapb.EncryptionKind_ENCRYPTION_SSE_C:
		resp.echoCustomerKey(k)
	case metapb.EncryptionKind_ENCRYPTION_SSE_S3:
		resp.set("x-amz-server-side-encryption", encryptionS3)
	case metapb.EncryptionKind_ENCRYPTION_SSE_KMS:
		resp.set("x-amz-server-side-encryption", encryptionKMS)
		resp.set("x-amz-server-side-encryption-aws-kms-key-id", s.cfg.KeyName(e.GetKmsKeyId()))
	}
}

// KeyErrors returns a key service like s whose errors are those that clients are told.
func KeyErrors(s sse.KeyService) sse.KeyService { return &keyErrors{s} }

type keyErrors struct{ sse.KeyService }

// Resolve implements sse.KeyService.
func (k *keyErrors) Resolve(ctx context.Context, account, name string) (string, error) {
	id, err := k.KeyService.Resolve(ctx, account, name)
	if errs.Is(err, errs.Invalid) {
		return "", s3err.BadArgument("x-amz-server-side-encryption-aws-kms-key-id", "",
			"The key id is malformed: give an ARN, an id, or alias/NAME.")
	}
	return id, keyError(err)
}

// Wrap implements sse.KeyService.
func (k *keyErrors) Wrap(ctx context.Context, keyID string, d *sse.DataKey, aad []byte) (*metapb.Envelope, error) {
	e, err := k.KeyService.Wrap(ctx, keyID, d, aad)
	return e, keyError(err)
}

// Unwrap implements sse.KeyService.
func (k *keyErrors) Unwrap(ctx context.Context, e *metapb.Envelope, aad []byte) (*sse.DataKey, error) {
	d, err := k.KeyService.Unwrap(ctx, e, aad)
	return d, keyError(err)
}

func keyError(err error) error {
	switch errs.KindOf(err) {
	case errs.NotFound:
		return s3err.KMSNotFound.Because(err)
	case errs.Denied:
		return s3err.KMSDisabled.Because(err)
	}
	return err
}
