package s3api

import (
	"context"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/cairnstore/cairn/s3api/wirexml"
)

// response is what a handler wants answered. At most one of document, raw, content and later is
// set.
type response struct {
	status  int // 0: 200.
	headers []header

	document wirexml.Document
	raw      []byte // It is sent as it is. Its Content-Type is among the headers.
	content  *content
	// later does the rest of the work and returns the final response. The connection is kept alive
	// meanwhile. Headers and status of that response count only if it comes before the early 200.
	// later is called exactly once.
	later func(context.Context) (*response, error)
}

// header is a header of a response. Names are sent as they stand: S3's in lower case, HTTP's in
// canonical form.
type header struct{ name, value string }

// content is the bytes of an object that are sent.
type content struct {
	length  int64
	writeTo func(context.Context, io.Writer) (int64, error)
}

func (resp *response) set(name, value string) {
	resp.headers = append(resp.headers, header{name, value})
}

func (resp *response) has(name string) bool {
	return slices.ContainsFunc(resp.headers, func(h header) bool { return h.name == name })
}

// setETag sets the ETag header; etag comes without quotes.
func (resp *response) setETag(etag string) { resp.set("ETag", `"`+etag+`"`) }

// setVersion names a version. A bucket that never had versions has none to name.
func (resp *response) setVersion(name, id string) {
	if id != "" {
		resp.set(name, id)
	}
}

// httpTime writes a time as HTTP headers do.
func httpTime(unixMilli int64) string {
	return time.UnixMilli(unixMilli).UTC().Format(http.TimeFormat)
}
