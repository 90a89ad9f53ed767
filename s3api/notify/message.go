package notify

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
)

// Versions of the message's structure: kinds of events that S3 has added later have the later one.
const (
	versionFirst = "2.1"
	versionLater = "2.3"
	timeLayout   = "2006-01-02T15:04:05.000Z"
)

// Message is an event in the form in which a target gets it.
type Message struct {
	ID   string // The same each time that the event is sent.
	Key  string // BUCKET/KEY of the object.
	Body []byte // JSON.
}

// document is S3's event message. EventName and Key are additions of MinIO's.
type document struct {
	EventName string
	Key       string
	Records   []record
}

type record struct {
	EventVersion      string            `json:"eventVersion"`
	EventSource       string            `json:"eventSource"`
	Region            string            `json:"awsRegion"`
	EventTime         string            `json:"eventTime"`
	EventName         string            `json:"eventName"`
	UserIdentity      identity          `json:"userIdentity"`
	RequestParameters map[string]string `json:"requestParameters"`
	ResponseElements  map[string]string `json:"responseElements"`
	S3                s3Entity          `json:"s3"`
}

type identity struct {
	PrincipalID string `json:"principalId"`
}

type s3Entity struct {
	SchemaVersion   string       `json:"s3SchemaVersion"`
	ConfigurationID string       `json:"configurationId"`
	Bucket          bucketEntity `json:"bucket"`
	Object          objectEntity `json:"object"`
}

type bucketEntity struct {
	Name          string   `json:"name"`
	OwnerIdentity identity `json:"ownerIdentity"`
	ARN           string   `json:"arn"`
}

type objectEntity struct {
	Key       string `json:"key"` // URL-encoded as in a form.
	Size      *int64 `json:"size,omitempty"`
	ETag      string `json:"eTag,omitempty"`
	VersionID string `json:"versionId,omitempty"`
	Sequencer string `json:"sequencer"`
}

// testDocument is the message that S3 sends when rules are set.
type testDocument struct {
	Service, Event, Time, Bucket, RequestId string //nolint:revive,stylecheck // S3's names.
}

// NewMessage returns the message of an event.
func NewMessage(e *metapb.Event) (Message, error) {
	var doc any = newDocument(e)
	if e.Kind == metapb.EventKind_EVENT_TEST {
		doc = testDocument{Service: "Amazon S3", Event: "s3:TestEvent", Time: eventTime(e), Bucket: e.Bucket, RequestId: e.Origin.GetRequestId()}
	}
	body, err := json.Marshal(doc)
	return Message{ID: sequencer(e), Key: e.Bucket + "/" + e.Key, Body: body}, err
}

func newDocument(e *metapb.Event) document {
	name := nameOf(e.Kind)
	r := record{EventVersion: versionFirst, EventSource: "aws:s3", Region: e.Region, EventTime: eventTime(e),
		EventName: strings.TrimPrefix(name, "s3:"), UserIdentity: identity{e.Origin.GetPrincipal()},
		RequestParameters: map[string]string{"sourceIPAddress": e.Origin.GetSourceIp()},
		ResponseElements:  map[string]string{"x-amz-request-id": e.Origin.GetRequestId()},
		S3: s3Entity{SchemaVersion: "1.0", ConfigurationID: e.Rule,
			Bucket: bucketEntity{e.Bucket, identity{e.BucketOwner}, "arn:aws:s3:::" + e.Bucket},
			Object: objectEntity{Key: url.QueryEscape(e.Key), ETag: e.Etag, Sequencer: sequencer(e)}}}
	if e.Kind >= metapb.EventKind_EVENT_EXPIRATION_DELETE {
		r.EventVersion = versionLater
	}
	if e.Etag != "" { // A deletion has neither ETag nor size.
		size := int64(e.Size)
		r.S3.Object.Size = &size
	}
	if r.S3.Object.VersionID = e.VersionId; e.Versioned && e.VersionId == "" {
		r.S3.Object.VersionID = "null"
	}
	return document{EventName: name, Key: e.Bucket + "/" + e.Key, Records: []record{r}}
}

func eventTime(e *metapb.Event) string { return time.UnixMilli(e.TimeMs).UTC().Format(timeLayout) }

// sequencer returns a text that orders the events of a key, by their places in the Raft log.
func sequencer(e *metapb.Event) string { return fmt.Sprintf("%016X%08X", e.Index, e.Number) }
