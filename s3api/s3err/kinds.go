package s3err

import (
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/cairnstore/cairn/cluster/errs"
)

// OfKind returns how a kind of errors is told, with a cause for the log.
func OfKind(k errs.Kind, cause error) *Error {
	code, message := codeOfKind(k)
	return &Error{Code: code, Message: message, Cause: cause}
}

// codeOfKind returns the code of a kind, and its message if that is not the table's. NotFound and
// Corrupt are InternalError. The object service has already named what S3 calls not found, so here a
// piece of an object that should exist is missing, and no client may take that for the absence of the
// object.
func codeOfKind(k errs.Kind) (Code, string) {
	switch k {
	case errs.Invalid:
		return InvalidRequest, ""
	case errs.Denied:
		return AccessDenied, ""
	case errs.Exists:
		return OperationAborted, ""
	case errs.Precondition:
		return PreconditionFailed, ""
	case errs.Unavailable:
		return ServiceUnavailable, ""
	case errs.Overloaded:
		return SlowDown, ""
	case errs.NoSpace:
		return InsufficientStorage, ""
	case errs.Canceled:
		return RequestTimeout, ""
	case errs.Unknown:
		return ServiceUnavailable, "The outcome of this request is not known: it may or may not have taken effect. Try again."
	case errs.Expired:
		return ExpiredToken, ""
	case errs.Internal, errs.NotFound, errs.Corrupt:
	}
	return InternalError, ""
}

// FromError returns err as S3 tells it: itself if it holds an *Error, else by its
// kind, with err as the cause for the log. It returns nil for nil.
func FromError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var kinded *errs.Error
	if !errors.As(err, &kinded) {
		if e := fromTransport(err); e != nil {
			return e
		}
	}
	return OfKind(errs.KindOf(err), err)
}

// fromTransport names the failures of reading a request from its connection.
func fromTransport(err error) *Error {
	var timeout net.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return IncompleteBody.Because(err)
	case errors.As(err, &tooLarge):
		return MaxMessageLengthExceeded.Because(err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return RequestTimeout.Because(err)
	}
	return nil
}

// Status returns the HTTP status of the error: 500 for a code that the table does
// not have.
func (e *Error) Status() int {
	if row, ok := Table[e.Code]; ok {
		return row.Status
	}
	return http.StatusInternalServerError
}
