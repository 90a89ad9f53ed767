package accesslog

import (
	"strings"
	"time"

	"github.com/cairnstore/cairn/s3api/wirexml"
)

// Stream is lines that are delivered together: those of one bucket, while its logging was
// configured in one way, and of one day if keys have the day.
type Stream struct {
	Bucket   string `json:"bucket"`
	Owner    string `json:"owner"`    // Of the bucket: an account's id.
	Document string `json:"document"` // The bucket's logging document when the lines were logged.
	Target   string `json:"target"`   // The bucket that the document names.
	Day      string `json:"day,omitempty"`
}

// dayForm is the form of a day in keys and in Stream.Day.
const dayForm = "2006/01/02"

// NewStream returns the stream of the line of a request that came at a time.
func NewStream(bucket, owner string, logging *wirexml.Logging, document []byte, at time.Time) Stream {
	s := Stream{Bucket: bucket, Owner: owner, Document: string(document), Target: logging.TargetBucket}
	if logging.Keys == wirexml.LogKeysByEvent {
		s.Day = at.UTC().Format(dayForm)
	}
	return s
}

// Key returns the key of an object with lines of the stream, which is delivered at a time. No other
// object may have the same unique.
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
			at, _ = time.Parse(dayForm, day) // The object has events of the whole day: no hour.
		}
		for _, part := range []string{s.Owner, region, s.Bucket, day} {
			b.WriteString(part + "/")
		}
	}
	b.WriteString(at.Format("2006-01-02-15-04-05-") + unique)
	return b.String()
}
