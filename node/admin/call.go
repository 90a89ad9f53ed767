package admin

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/iam"
	lang "github.com/cairnstore/cairn/s3api/policy"
)

// Call describes a call of the admin API that was answered, or a stream that has begun.
type Call struct {
	ID       string        // The answer tells it as x-amz-request-id.
	Who      *iam.Identity // Nil where it is not known.
	Claimed  string        // The access key that the request names, if its signature does not hold.
	Remote   string        // The IP address of the client; empty where it is not known.
	Method   string
	Changes  bool              // The call changes something, or lets somebody watch.
	Subject  map[string]string // What it was about: names, never secrets.
	Status   int               // The HTTP status.
	Code     string            // What went wrong, in a word or two; empty if nothing did.
	Duration time.Duration
}

// done logs a call if it changes something, and tells Config.Done of every call.
func (c *Config) done(asked *question, call *Call, err error) {
	call.ID, call.Who, call.Status = asked.id, asked.caller, http.StatusOK
	if asked.facts != nil {
		if v, ok := asked.facts(lang.KeySourceIP); ok {
			call.Remote = v[0]
		}
	}
	outcome := "done"
	if err != nil {
		kind := errs.KindOf(err)
		outcome = kind.String()
		call.Status, call.Code = statusOf(kind), outcome
	}
	if call.Changes {
		c.log(call, outcome)
	}
	c.Done(call)
}

func (c *Config) log(call *Call, outcome string) {
	attrs := []slog.Attr{slog.String("who", "nobody"), slog.String("call", call.Method)}
	if call.Who != nil {
		attrs[0] = slog.String("who", call.Who.String())
	}
	for _, name := range subjectFields {
		if v := call.Subject[string(name)]; v != "" {
			attrs = append(attrs, slog.String(string(name), v))
		}
	}
	c.Log.LogAttrs(context.Background(), slog.LevelInfo, "admin", append(attrs, slog.String("outcome", outcome))...)
}

// statusOf returns the HTTP status with which Connect answers an error.
func statusOf(kind errs.Kind) int {
	switch kind {
	case errs.Invalid, errs.Precondition:
		return http.StatusBadRequest
	case errs.Denied, errs.Expired:
		return http.StatusForbidden
	case errs.NotFound:
		return http.StatusNotFound
	case errs.Exists:
		return http.StatusConflict
	case errs.Overloaded, errs.NoSpace:
		return http.StatusTooManyRequests
	case errs.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// subjectFields are the fields of requests that say what a request is about. They are logged, so none
// of them holds a secret or a document.
var subjectFields = []protoreflect.Name{"account", "name", "user", "group", "role", "id", "alias", "node", "drive",
	"bucket", "level", "force", "disabled", "attached", "member", "admin", "replace"}

// subject returns what a request is about: the subject fields that have a text, or are true.
func subject(req any) map[string]string {
	m, ok := req.(proto.Message)
	if !ok {
		return nil
	}
	out := map[string]string{}
	r := m.ProtoReflect()
	for _, name := range subjectFields {
		f := r.Descriptor().Fields().ByName(name)
		if f == nil || f.IsList() {
			continue
		}
		switch f.Kind() {
		case protoreflect.StringKind:
			if v := r.Get(f).String(); v != "" {
				out[string(name)] = v
			}
		case protoreflect.Uint32Kind:
			out[string(name)] = strconv.FormatUint(r.Get(f).Uint(), 10)
		case protoreflect.BoolKind:
			if r.Get(f).Bool() {
				out[string(name)] = "true"
			}
		}
	}
	return out
}
