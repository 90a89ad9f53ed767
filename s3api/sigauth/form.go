package sigauth

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// maxPolicyBytes bounds the policy of a form.
const maxPolicyBytes = 20 << 10

// Form is what a POST form says of authentication. The policy is signed as it was sent.
type Form struct {
	Policy string

	Algorithm, Credential, Date, Signature string // V4.
	AccessKeyV2, AccessKeyOBS, MAC         string // V2 and OBS; MAC is the signature.
	Token                                  string
}

// VerifyForm authenticates a form. A form without any credential is Anonymous. It does not check
// until when the form is good: the policy says that, and the caller checks it. The Body of the
// Request is empty. Errors are *s3err.Error.
func (v *Verifier) VerifyForm(ctx context.Context, f *Form) (*Request, error) {
	req := &Request{Form: true, Body: http.NoBody}
	c, err := f.claim()
	if err != nil {
		return nil, err
	}
	if c == nil {
		req.Anonymous = true
		return req, nil
	}
	if c.version == V4 {
		if err := v.checkScope(c); err != nil {
			return nil, err
		}
	}
	credential, unknown := v.keys.Lookup(ctx, c.accessKey, f.Token)
	if unknown != nil {
		credential = Credential{Secret: v.noSecret}
	}
	match := v.matchForm(c, credential.Secret, f.Policy)
	switch {
	case errs.Is(unknown, errs.NotFound):
		return nil, s3err.InvalidAccessKeyID.Say("", s3err.Field{Name: "AWSAccessKeyId", Value: c.accessKey})
	case errs.Is(unknown, errs.Denied):
		return nil, s3err.InvalidToken.Because(unknown)
	case unknown != nil:
		return nil, s3err.FromError(unknown)
	case !match:
		return nil, s3err.SignatureDoesNotMatch.Say("", s3err.Field{Name: "AWSAccessKeyId", Value: c.accessKey})
	}
	req.Credential, req.Region, req.Version, req.Token, req.SignedAt = credential, c.region, c.version, f.Token != "", c.time
	return req, nil
}

// matchForm reports whether the claim's signature is that of the policy.
func (v *Verifier) matchForm(c *claim, secret, policy string) bool {
	if c.version != V4 {
		return c.matchV2(secret, []byte(policy)) == 1
	}
	key := deriveKey(scopeKey{secret: secret, date: c.date, region: c.region, service: c.service})
	want := sign(key[:], []byte(policy))
	return subtle.ConstantTimeCompare(want[:], c.signature[:]) == 1
}

// claim returns the signature of a form, which may have only one; nil if it has none.
func (f *Form) claim() (*claim, error) {
	v4 := f.Algorithm != "" || f.Credential != "" || f.Signature != ""
	v2 := f.AccessKeyV2 != "" || f.AccessKeyOBS != "" || f.MAC != ""
	switch {
	case len(f.Policy) > maxPolicyBytes:
		return nil, s3err.MaxPostPreDataLengthExceeded.Err()
	case v4 && v2 || f.AccessKeyV2 != "" && f.AccessKeyOBS != "":
		return nil, s3err.InvalidArgument.Say("Only one auth mechanism allowed: sign the form with Signature Version 4, with Version 2, or as OBS does.")
	case !v4 && !v2 && f.Policy != "":
		return nil, missingField("AWSAccessKeyId")
	case !v4 && !v2:
		return nil, nil
	case f.Policy == "":
		return nil, missingField("policy")
	case v2:
		return f.claimV2()
	}
	return f.claimV4()
}

func (f *Form) claimV2() (*claim, error) {
	c := &claim{version: V2, accessKey: f.AccessKeyV2, mac: f.MAC}
	if f.AccessKeyOBS != "" {
		c.version, c.accessKey = OBS, f.AccessKeyOBS
	}
	switch {
	case c.accessKey == "":
		return nil, missingField("AWSAccessKeyId")
	case c.mac == "":
		return nil, missingField("signature")
	}
	return c, nil
}

func (f *Form) claimV4() (*claim, error) {
	for _, field := range []struct{ name, value string }{
		{"x-amz-algorithm", f.Algorithm}, {"x-amz-credential", f.Credential}, {"x-amz-date", f.Date}, {"x-amz-signature", f.Signature}} {
		if field.value == "" {
			return nil, missingField(field.name)
		}
	}
	if f.Algorithm != algorithm {
		return nil, s3err.BadArgument("x-amz-algorithm", "", "x-amz-algorithm only supports \"AWS4-HMAC-SHA256\".")
	}
	c := &claim{version: V4, service: ServiceS3}
	if why := c.parseCredential(f.Credential); why != "" {
		return nil, s3err.BadArgument("x-amz-credential", "", "Error parsing the x-amz-credential field; "+why)
	}
	var err error
	if c.time, err = parseStamp(f.Date); err != nil || c.time.Before(time.Unix(0, 0)) {
		return nil, s3err.BadArgument("x-amz-date", "",
			"x-amz-date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\".")
	}
	c.stamp = f.Date
	if len(f.Signature) != hex.EncodedLen(len(c.signature)) || !isLowerHex(f.Signature) {
		return nil, s3err.SignatureDoesNotMatch.Say("", s3err.Field{Name: "AWSAccessKeyId", Value: c.accessKey})
	}
	_, _ = hex.Decode(c.signature[:], []byte(f.Signature)) // Checked above.
	return c, nil
}

func missingField(name string) error {
	return s3err.BadArgument(name, "",
		"Bucket POST must contain a field named '"+name+"'.  If it is specified, please check the order of the fields.")
}
