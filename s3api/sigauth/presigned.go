package sigauth

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// The parameters of a presigned URL of Signature Version 4.
const (
	paramAlgorithm     = "X-Amz-Algorithm"
	paramCredential    = "X-Amz-Credential"
	paramDate          = "X-Amz-Date"
	paramExpires       = "X-Amz-Expires"
	paramSignedHeaders = "X-Amz-SignedHeaders"
	paramSignature     = "X-Amz-Signature"
	paramToken         = "X-Amz-Security-Token"
	paramPayload       = "X-Amz-Content-Sha256"
)

// The parameters of a presigned URL of V2 and OBS.
const (
	paramAccessKeyV2  = "AWSAccessKeyId"
	paramAccessKeyOBS = "AccessKeyId"
	paramExpiresV2    = "Expires"
	paramSignatureV2  = "Signature"
	paramTokenV2      = "x-amz-security-token"
	paramTokenOBS     = "x-obs-security-token"
)

// queryAuth is what a query says of authentication.
type queryAuth struct {
	algorithm, credential, date, expires, signed, signature string
	token, payload                                          string

	// V2 and OBS.
	accessKeyV2, accessKeyOBS, expiresV2, signatureV2, tokenV2, tokenOBS string

	present   bool // A parameter is there that makes the request one of V4.
	presentV2 bool // A parameter is there that makes the request one of V2 or OBS.
	keyV2     bool // The access key of V2 is there, even if it is empty.
	keyOBS    bool // The access key of OBS is there, even if it is empty.
	duplicate bool // A parameter of authentication is there twice.
}

// scanQuery finds the parameters of authentication in a raw query.
func scanQuery(raw string) (q queryAuth, err error) {
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(pair, "=")
		if strings.IndexByte(name, '%') >= 0 {
			if name, err = url.QueryUnescape(name); err != nil {
				return q, s3err.InvalidURI.Err()
			}
		}
		at := q.field(name)
		if at == nil {
			continue
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return q, s3err.InvalidURI.Err()
		}
		q.duplicate = q.duplicate || *at != ""
		*at = value
	}
	return q, nil
}

// field returns where the value of a parameter is to be written; nil if the parameter has nothing
// to do with authentication. It notes which kind of presigned URL the parameter makes of the
// request.
func (q *queryAuth) field(name string) *string {
	switch name {
	case paramToken:
		return &q.token
	case paramPayload:
		return &q.payload
	case paramTokenV2:
		return &q.tokenV2
	case paramTokenOBS:
		return &q.tokenOBS
	case paramExpiresV2:
		return &q.expiresV2
	}
	if at := q.fieldV2(name); at != nil {
		q.presentV2 = true
		return at
	}
	at := q.fieldV4(name)
	q.present = q.present || at != nil
	return at
}

func (q *queryAuth) fieldV2(name string) *string {
	switch name {
	case paramAccessKeyV2:
		q.keyV2 = true
		return &q.accessKeyV2
	case paramAccessKeyOBS:
		q.keyOBS = true
		return &q.accessKeyOBS
	case paramSignatureV2:
		return &q.signatureV2
	}
	return nil
}

func (q *queryAuth) fieldV4(name string) *string {
	switch name {
	case paramAlgorithm:
		return &q.algorithm
	case paramCredential:
		return &q.credential
	case paramDate:
		return &q.date
	case paramExpires:
		return &q.expires
	case paramSignedHeaders:
		return &q.signed
	case paramSignature:
		return &q.signature
	}
	return nil
}

// parseQuery returns the claim of a presigned URL of V4.
func parseQuery(q *queryAuth, service string) (*claim, error) {
	switch {
	case q.duplicate:
		return nil, badQuery("A parameter of the signature may be given only once.")
	case strings.HasPrefix(q.algorithm, "AWS4-ECDSA-"):
		return nil, s3err.NotImplemented.Say("Signatures with asymmetric keys (Signature Version 4A) are not supported.")
	case q.algorithm != "" && q.algorithm != algorithm:
		return nil, badQuery("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\".")
	case q.algorithm == "" || q.credential == "" || q.date == "" || q.expires == "" || q.signed == "" || q.signature == "":
		return nil, badQuery("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, " +
			"X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
	}
	c := &claim{version: V4, service: service, presigned: true}
	if why := c.parse(q.credential, q.signed, q.signature); why != "" {
		return nil, badQuery("Error parsing the signature's parameters; " + why)
	}
	t, err := parseStamp(q.date)
	if err != nil {
		return nil, badQuery("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\".")
	}
	c.time, c.stamp = t, q.date
	seconds, err := strconv.ParseInt(q.expires, 10, 64)
	switch {
	case err != nil:
		return nil, badQuery("X-Amz-Expires should be a number.")
	case seconds < 1:
		return nil, badQuery("X-Amz-Expires must be positive.")
	case seconds > int64(MaxExpiry/time.Second):
		return nil, badQuery("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds.")
	}
	c.expires = time.Duration(seconds) * time.Second
	c.deadline = c.time.Add(c.expires)
	return c, nil
}

func badQuery(why string) error { return s3err.AuthorizationQueryParametersError.Say(why) }
