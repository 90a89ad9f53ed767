package accesslog

import (
	"strings"
	"time"

	"github.com/cairnstore/cairn/s3api/wirexml"
)

// Stream is lines that go the same way: of one bucket, while its logging was configured
// in one way.
type Stream struct {
	Bucket   string `json:"bucket"`
	Owner    string `json:"owner"`    // Of the bucket: an account's id.
	Document string `json:"document"` // The bucket's logging, as it was when the lines were written.
	Target   string `json:"target"`   // The bucket that it names.
	Day      string `json:"day,omitempty"`
}

// Day's form in keys: of the requests, where keys go by it.
const dayForm = "2006/01/02"

// NewStream returns the stream of a request's line.
func NewStream(bucket, owner string, logging *wirexml.Logging, document []byte, at time.Time) Stream {
	s := Stream{Bucket: bucket, Owner: owner, Document: string(document), Target: logging.TargetBucket}
	if logging.Keys == wirexml.LogKeysByEvent {
		s.Day = at.UTC().Format(dayForm)
	}
	return s
}

// Key returns the key of an object of a stream's lines that is delivered at a time;
// unique is in no other.
func (s Stream) Key(logging *wirexml.Logging, region string, at time.Time, unique string) string {
	at = at.UTC()
	var b strings.Builder
	b.WriteString(logging.Prefix)
	switch logging.Keys {
	case wirexml.LogKeysUnsaid, wirexml.LogKeysSimple:
	case wirexml.LogKeysByEvent, wirexml.LogKeysByDelivery:
		day := at.Format(dayForm)
		if s.Day != "" {
			day = s.Day
			at, _ = time.Parse(dayForm, day) // The hour is not of one event: zero.
		}
		for _, part := range []string{s.Owner, region, s.Bucket, day} {
			b.WriteString(part + "/")
		}
	}
	b.WriteString(at.Format("2006-01-02-15-04-05-") + unique)
	return b.String()
}
