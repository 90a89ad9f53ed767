package sigauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// scratches are pooled: without that, verifying a small request would mostly be allocation.
var scratches = sync.Pool{New: func() any { return new(scratch) }}

// maxPooledBytes bounds each buffer of a scratch that is pooled.
const maxPooledBytes = 64 << 10

// Verify authenticates r, a request to S3. It reads nothing of the body; the Request's Body
// verifies it. A request without any credential is Anonymous. Errors are *s3err.Error.
func (v *Verifier) Verify(r *http.Request) (*Request, error) { return v.VerifyService(r, ServiceS3) }

// VerifyService is Verify for the service that the scope of a V4 signature must name; V2 and OBS
// sign only for S3. If the service is another one and the request does not tell its body's hash, as
// is usual there, the body is read into memory, at most MaxServiceBodyBytes of it.
func (v *Verifier) VerifyService(r *http.Request, service string) (*Request, error) {
	query, err := scanQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	c, err := claimOf(r, &query, service)
	if err != nil {
		return nil, err
	}
	if service != ServiceS3 {
		copied := *r
		r = &copied // payloadOf may replace the body: not in the caller's request.
	}
	p, err := payloadOf(r, c, query.payload)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return newRequest(r, p, nil)
	}
	if err := v.check(r, c); err != nil {
		return nil, err
	}
	token, err := tokenOf(r.Header, c, &query)
	if err != nil {
		return nil, err
	}
	credential, key, err := v.authenticate(r, c, p, token)
	if err != nil {
		return nil, err
	}
	req, err := newRequest(r, p, &chain{key: key, stamp: c.stamp, scope: c.scope, previous: c.signature})
	if err != nil {
		return nil, err
	}
	req.Credential, req.Presigned, req.Region = credential, c.presigned, c.region
	req.Version, req.Token, req.SignedAt = c.version, token != "", c.time
	return req, nil
}

// authenticate finds the credential of a claim and compares the signature. It returns the signing
// key of V4. An unknown access key takes as long as a wrong signature, so that time does not tell
// which access keys exist.
func (v *Verifier) authenticate(r *http.Request, c *claim, p *payload, token string) (Credential, signingKey, error) {
	credential, unknown := v.keys.Lookup(r.Context(), c.accessKey, token)
	if unknown != nil {
		credential = Credential{Secret: v.noSecret}
	}
	var key signingKey
	var err error
	if c.version == V4 {
		key, err = v.checkSignature(r, c, credential.Secret, p.signedAs)
	} else {
		err = v.checkSignatureV2(r, c, credential.Secret)
	}
	switch {
	case errs.Is(unknown, errs.NotFound):
		err = s3err.InvalidAccessKeyID.Say("", s3err.Field{Name: "AWSAccessKeyId", Value: c.accessKey})
	case errs.Is(unknown, errs.Denied):
		err = s3err.InvalidToken.Because(unknown)
	case unknown != nil:
		err = s3err.FromError(unknown)
	}
	return credential, key, err
}

// claimOf returns the signature that a request says it has; nil if it has none. A request with
// several is refused.
func claimOf(r *http.Request, query *queryAuth, service string) (*claim, error) {
	headers := r.Header["Authorization"]
	forms := len(headers)
	for _, present := range []bool{query.present, query.presentV2} {
		if present {
			forms++
		}
	}
	switch {
	case forms == 0:
		return nil, nil
	case forms > 1:
		return nil, s3err.InvalidArgument.Say("Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, " +
			"Signature query string parameter or the Authorization header should be specified")
	case query.present:
		return parseQuery(query, service)
	case query.presentV2 && service == ServiceS3:
		return parseQueryV2(query)
	case query.presentV2:
		return nil, unsupported(service)
	}
	scheme, _, _ := strings.Cut(headers[0], " ")
	switch {
	case headers[0] == "":
		return nil, s3err.AccessDenied.Say("The Authorization header is empty.")
	case strings.HasPrefix(scheme, "AWS4-ECDSA-"):
		return nil, s3err.NotImplemented.Say("Signatures with asymmetric keys (Signature Version 4A) are not supported.")
	case service == ServiceS3 && (scheme == string(V2) || scheme == string(OBS)):
		return parseHeaderV2(headers[0], r.Header)
	case scheme != algorithm:
		return nil, unsupported(service)
	}
	c, err := parseHeader(headers[0], service)
	if err != nil {
		return nil, err
	}
	return c, c.takeDate(r.Header)
}

func unsupported(service string) error {
	use := "AWS4-HMAC-SHA256."
	if service == ServiceS3 {
		use = "AWS4-HMAC-SHA256, AWS or OBS."
	}
	return s3err.InvalidRequest.Say("The authorization mechanism you have provided is not supported. Please use " + use)
}

// check checks what needs no secret: when and for what a claim is good, and that it signs the
// headers that matter.
func (v *Verifier) check(r *http.Request, c *claim) error {
	if c.version == V4 {
		if err := v.checkScope(c); err != nil {
			return err
		}
	}
	if err := v.checkTime(c); err != nil {
		return err
	}
	return checkSignedHeaders(r, c)
}

// checkScope checks the scope of a V4 signature.
func (v *Verifier) checkScope(c *claim) error {
	if c.date != c.stamp[:len(c.date)] {
		return c.bad("the Credential's date is not the same as that of the request.")
	}
	if v.region != "" && c.region != v.region && c.region != wirexml.DefaultRegion {
		return c.bad("the region is wrong; expecting '"+v.region+"'", s3err.Field{Name: "Region", Value: v.region})
	}
	return nil
}

// checkTime checks that a claim is good at this time.
func (v *Verifier) checkTime(c *claim) error {
	now := time.Now()
	skew := now.Sub(c.time)
	switch {
	case c.presigned && !c.time.IsZero() && skew < -v.maxSkew:
		return s3err.AccessDenied.Say("Request is not yet valid", s3err.Field{Name: "ServerTime", Value: iso(now)})
	case c.presigned && now.After(c.deadline):
		return c.expired(now)
	case !c.presigned && (skew > v.maxSkew || skew < -v.maxSkew):
		return s3err.RequestTimeTooSkewed.Say("",
			s3err.Field{Name: "RequestTime", Value: c.stamp},
			s3err.Field{Name: "ServerTime", Value: iso(now)},
			s3err.Field{Name: "MaxAllowedSkewMilliseconds", Value: strconv.FormatInt(v.maxSkew.Milliseconds(), 10)})
	}
	return nil
}

// expired is the error of a presigned URL whose time is over.
func (c *claim) expired(now time.Time) error {
	e := s3err.AccessDenied.Say("Request has expired")
	if c.version == V4 {
		e.Extra = append(e.Extra, s3err.Field{Name: "X-Amz-Expires", Value: strconv.FormatInt(int64(c.expires/time.Second), 10)})
	}
	e.Extra = append(e.Extra, s3err.Field{Name: "Expires", Value: iso(c.deadline)}, s3err.Field{Name: "ServerTime", Value: iso(now)})
	return e
}

// bad is the error of a wrong scope, in the words of the request's form.
func (c *claim) bad(why string, extra ...s3err.Field) error {
	if c.presigned {
		return s3err.AuthorizationQueryParametersError.Say("Error parsing the X-Amz-Credential parameter; "+why, extra...)
	}
	return malformed(why, extra...)
}

func iso(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// checkSignedHeaders checks that the host and every x-amz-* and x-obs-* header are signed. V2 and
// OBS sign the headers of their own prefix, and no host.
func checkSignedHeaders(r *http.Request, c *claim) error {
	if c.version == V4 && !isSigned(c, "host") {
		return notSigned("host")
	}
	missing := ""
	for name := range r.Header {
		if !hasPrefixFold(name, prefixAMZ) && !hasPrefixFold(name, prefixOBS) {
			continue
		}
		// Name the first one in order, so that the answer does not depend on the map.
		if lower := strings.ToLower(name); !isSigned(c, lower) && (missing == "" || lower < missing) {
			missing = lower
		}
	}
	if missing != "" {
		return notSigned(missing)
	}
	return nil
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// isSigned reports whether a claim signs a header, whose name is in lower case.
func isSigned(c *claim, name string) bool {
	if c.version != V4 {
		return strings.HasPrefix(name, c.prefix())
	}
	_, found := slices.BinarySearch(c.signed, name)
	return found
}

func notSigned(name string) error {
	return s3err.AccessDenied.Say("There were headers present in the request which were not signed: "+name,
		s3err.Field{Name: "HeadersNotSigned", Value: name})
}

// release returns s to the pool, unless it is too large.
func (s *scratch) release() {
	if cap(s.text) <= maxPooledBytes && cap(s.coded) <= maxPooledBytes {
		scratches.Put(s)
	}
}

// checkSignature computes the signature of V4 and compares it with the claim's. It returns the
// signing key.
func (v *Verifier) checkSignature(r *http.Request, c *claim, secret, payload string) (signingKey, error) {
	s := scratches.Get().(*scratch)
	defer s.release()
	if err := s.canonicalRequest(r, c, payload); err != nil {
		return signingKey{}, err
	}
	digest := sha256.Sum256(s.text)
	s.text = append(s.text[:0], algorithm+"\n"...)
	s.text = append(s.text, c.stamp...)
	s.text = append(s.text, '\n')
	s.text = append(s.text, c.scope...)
	s.text = append(s.text, '\n')
	s.text = hex.AppendEncode(s.text, digest[:])

	scope := scopeKey{secret: secret, date: c.date, region: c.region, service: c.service}
	key, hit := v.signing.get(scope)
	want := sign(key[:], s.text)
	if subtle.ConstantTimeCompare(want[:], c.signature[:]) != 1 {
		return signingKey{}, s3err.SignatureDoesNotMatch.Say("", s3err.Field{Name: "AWSAccessKeyId", Value: c.accessKey})
	}
	if !hit {
		v.signing.put(scope, key)
	}
	return key, nil
}
