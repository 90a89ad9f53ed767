package transfer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// Failure is a task, or a thing of a list, that failed. The others go on.
type Failure struct {
	At  Location
	Err error
}

func (f *Failure) Error() string { return fmt.Sprintf("%s: %s", f.At, Sentence(f.Err)) }

// Unwrap returns the reason.
func (f *Failure) Unwrap() error { return f.Err }

// Status returns the HTTP status of an answer that is an error; 0: there was no answer.
func Status(err error) int {
	var answered *awshttp.ResponseError
	if errors.As(err, &answered) {
		return answered.HTTPStatusCode()
	}
	return 0
}

// code returns S3's code of an error, or nothing.
func code(err error) string {
	var told smithy.APIError
	if errors.As(err, &told) {
		return told.ErrorCode()
	}
	return ""
}

// isMissing reports whether an error says that something is not there.
func isMissing(err error) bool { return Status(err) == http.StatusNotFound }

// Unreachable reports whether an error is that of an endpoint which does not answer.
func Unreachable(err error) bool {
	var sent *smithy.OperationError
	return errors.As(err, &sent) && Status(err) == 0 && !errors.Is(err, context.Canceled)
}

// hints say what to do about some of S3's codes.
var hints = map[string]string{
	"NoSuchBucket":       "make it with cairn mb",
	"InvalidObjectState": "it is cold: bring it back with cairn restore",
	"PreconditionFailed": "it changed meanwhile: begin again",
	"BucketNotEmpty":     "cairn rb --force empties it first",
}

// sayings stand for answers without a text, as those to HEAD are.
var sayings = map[string]string{
	"NotFound":  "there is no such object or bucket",
	"Forbidden": "these keys may not do that",
}

// Sentence is what of an error a person needs, without the layers of the SDK.
func Sentence(err error) string {
	var told smithy.APIError
	switch {
	case errors.As(err, &told):
		text := told.ErrorMessage()
		if s := sayings[told.ErrorCode()]; s != "" {
			text = s
		}
		if h := hints[told.ErrorCode()]; h != "" {
			text += " (" + h + ")"
		}
		return told.ErrorCode() + ": " + text
	case Unreachable(err):
		var asked *url.Error
		if errors.As(err, &asked) {
			err = asked.Err
		}
		return "no answer: " + err.Error()
	}
	var answered *awshttp.ResponseError
	if errors.As(err, &answered) && answered.Err != nil {
		return fmt.Sprintf("the answer (HTTP status %d) cannot be read: %s", answered.HTTPStatusCode(), answered.Err)
	}
	return err.Error()
}
