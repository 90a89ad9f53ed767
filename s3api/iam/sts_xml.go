package iam

import (
	"encoding/xml"
	"errors"
	"net/http"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/policy"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// stsNamespace is the namespace of STS's documents.
const stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

type stsCredentials struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

type assumedRoleUser struct {
	ARN string `xml:"Arn"`
	ID  string `xml:"AssumedRoleId"`
}

// stsResult is the result in an answer. Which fields are set depends on the action.
type stsResult struct {
	XMLName         xml.Name
	Credentials     *stsCredentials  `xml:",omitempty"`
	Subject         string           `xml:"SubjectFromWebIdentityToken,omitempty"`
	AssumedRoleUser *assumedRoleUser `xml:",omitempty"`
	Provider        string           `xml:",omitempty"`
	Audience        string           `xml:",omitempty"`
	PackedPolicy    int              `xml:"PackedPolicySize,omitempty"`
	ARN             string           `xml:"Arn,omitempty"`
	UserID          string           `xml:"UserId,omitempty"`
	Account         string           `xml:",omitempty"`
}

type stsAnswer struct {
	XMLName   xml.Name
	Namespace string `xml:"xmlns,attr"`
	Result    stsResult
	RequestID string `xml:"ResponseMetadata>RequestId"`
}

type stsErrorAnswer struct {
	XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
	Type      string   `xml:"Error>Type"` // Sender or Receiver.
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

func credentialsElement(c SessionCredentials) *stsCredentials {
	return &stsCredentials{c.AccessKey, c.Secret, c.Token, c.Expiration.UTC().Format(time.RFC3339)}
}

// stsStatuses are the statuses of STS's codes; all other codes have 400.
var stsStatuses = map[string]int{
	"AccessDenied":               http.StatusForbidden,
	"ExpiredToken":               http.StatusForbidden,
	codeRejectedClaim:            http.StatusForbidden,
	"InvalidClientTokenId":       http.StatusForbidden,
	"MissingAuthenticationToken": http.StatusForbidden,
	"SignatureDoesNotMatch":      http.StatusForbidden,
	"InternalFailure":            http.StatusInternalServerError,
	"ServiceUnavailable":         http.StatusServiceUnavailable,
}

// stsError returns the status, code and message by which STS answers an error.
func stsError(err error) (status int, code, message string) {
	var fault *stsFault
	var signature *s3err.Error
	switch {
	case errors.As(err, &fault):
		code, message = fault.code, fault.message
	case errors.As(err, &signature):
		code, message = signatureError(signature)
	default:
		code, message = kindError(err)
	}
	if status = stsStatuses[code]; status == 0 {
		status = http.StatusBadRequest
	}
	return status, code, message
}

// signatureError returns the code and message of STS for an error of a request's signature.
func signatureError(e *s3err.Error) (code, message string) {
	if message = e.Message; message == "" {
		message = s3err.Table[e.Code].Message
	}
	switch e.Code {
	case s3err.SignatureDoesNotMatch, s3err.RequestTimeTooSkewed:
		return "SignatureDoesNotMatch", message
	case s3err.InvalidAccessKeyID, s3err.InvalidToken:
		return "InvalidClientTokenId", "The security token included in the request is invalid."
	case s3err.ExpiredToken:
		return "ExpiredToken", "The security token included in the request is expired."
	case s3err.AccessDenied:
		return "AccessDenied", message
	case s3err.ServiceUnavailable, s3err.SlowDown:
		return "ServiceUnavailable", message
	case s3err.InternalError:
		return "InternalFailure", message
	}
	return "IncompleteSignature", message
}

func kindError(err error) (code, message string) {
	switch errs.KindOf(err) {
	case errs.Invalid:
		return "ValidationError", reason(err)
	case errs.Denied:
		return "AccessDenied", reason(err)
	case errs.Unavailable, errs.Overloaded, errs.Canceled:
		return "ServiceUnavailable", "The request cannot be answered now, please try again."
	}
	return "InternalFailure", "The request has failed because of an internal error, please try again."
}

// reason returns the message of an error without the operations in front of it.
func reason(err error) string {
	var bad *policy.Error
	if errors.As(err, &bad) {
		return bad.Error()
	}
	for {
		e, ok := err.(*errs.Error) //nolint:errorlint // Text around an errs.Error is part of the message and stays.
		if !ok || e.Cause == nil {
			return err.Error()
		}
		err = e.Cause
	}
}
