package audit

import (
	"encoding/json"
	"time"
)

// Kinds of requests.
const (
	KindS3    = "s3"
	KindSTS   = "sts"
	KindAdmin = "admin"
)

// Record is one request. The names of its fields in JSON are a promise: none is renamed, but new
// ones may be added. Optional fields without a value are left out.
type Record struct {
	Time       time.Time `json:"time"` // When it was finished, in UTC.
	Node       string    `json:"node"` // The node that answered.
	Kind       string    `json:"kind"`
	RequestID  string    `json:"request_id,omitempty"`
	Who        Who       `json:"who"`
	Remote     string    `json:"remote,omitempty"` // Address of the client; behind a trusted proxy, of the proxy's client.
	Operation  string    `json:"operation,omitempty"`
	Bucket     string    `json:"bucket,omitempty"`
	Key        string    `json:"key,omitempty"`
	VersionID  string    `json:"version_id,omitempty"`
	CopySource string    `json:"copy_source,omitempty"` // /bucket/key of the object that was copied.
	// Objects are the objects of a request that names several.
	Objects []Object `json:"objects,omitempty"`
	// Subject is what an admin call was about: names of accounts, nodes and the like.
	Subject    map[string]string `json:"subject,omitempty"`
	Status     int               `json:"status"` // 0: the connection was cut without an answer.
	Code       string            `json:"code,omitempty"`
	Aborted    bool              `json:"aborted,omitempty"` // The answer was cut short.
	BytesIn    int64             `json:"bytes_in"`
	BytesOut   int64             `json:"bytes_out"`
	DurationMS float64           `json:"duration_ms"`
}

// Who is who made a request. Everything is empty for anonymous requests, and for requests whose
// signature does not prove who it was.
type Who struct {
	Account     string `json:"account,omitempty"` // Id.
	AccountName string `json:"account_name,omitempty"`
	User        string `json:"user,omitempty"`
	Role        string `json:"role,omitempty"`
	Session     string `json:"session,omitempty"` // Of the role.
	AccessKey   string `json:"access_key,omitempty"`
	// Provider is the identity provider that vouches for a session, and Subject who it is there.
	Provider string `json:"provider,omitempty"`
	Subject  string `json:"subject,omitempty"`
}

// Object is an object that a request names among several.
type Object struct {
	Key       string `json:"key"`
	VersionID string `json:"version_id,omitempty"`
	Code      string `json:"code,omitempty"` // Why nothing was done to it.
}

// line returns the record as one line of JSON.
func (r *Record) line() []byte {
	text, err := json.Marshal(r)
	if err != nil {
		panic("audit: " + err.Error()) // Only types that JSON cannot express fail, and these are not.
	}
	return append(text, '\n')
}
