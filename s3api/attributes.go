package s3api

import (
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// defaultContentType is the Content-Type of an object whose writer named none.
const defaultContentType = "binary/octet-stream"

// keptHeaders has the headers of a PUT that come back with a GET, and the query parameters that
// override them.
var keptHeaders = []struct{ name, override string }{
	{"Cache-Control", "response-cache-control"},
	{"Content-Disposition", "response-content-disposition"},
	{"Content-Encoding", "response-content-encoding"},
	{"Content-Language", "response-content-language"},
	{"Expires", "response-expires"},
}

// parseAttributes reads what a writer says of an object.
func parseAttributes(h http.Header) (*metapb.Attributes, error) {
	a := &metapb.Attributes{ContentType: h.Get("Content-Type")}
	for _, kept := range keptHeaders {
		value := h.Get(kept.name)
		if kept.name == "Content-Encoding" {
			value = withoutAWSChunked(h.Values(kept.name))
		}
		if value != "" {
			a.Headers = append(a.Headers, &metapb.Pair{Name: kept.name, Value: value})
		}
	}
	if to := h.Get(headerRedirect); to != "" {
		a.Headers = append(a.Headers, &metapb.Pair{Name: object.RedirectHeader, Value: to})
	}
	return a, parseMetadata(a, h)
}

// parseMetadata reads the x-amz-meta- headers.
func parseMetadata(a *metapb.Attributes, h http.Header) error {
	size := 0
	for name, values := range h {
		if !strings.HasPrefix(name, metadataPrefix) || len(name) == len(metadataPrefix) {
			continue
		}
		pair := &metapb.Pair{Name: strings.ToLower(name[len(metadataPrefix):]), Value: strings.Join(values, ",")}
		size += len(pair.Name) + len(pair.Value)
		a.Metadata = append(a.Metadata, pair)
	}
	if size > MaxMetadataBytes {
		return s3err.MetadataTooLarge.Say("",
			s3err.Field{Name: "Size", Value: itoa(size)}, s3err.Field{Name: "MaxSizeAllowed", Value: itoa(MaxMetadataBytes)})
	}
	slices.SortFunc(a.Metadata, func(x, y *metapb.Pair) int { return strings.Compare(x.Name, y.Name) })
	return nil
}

// withoutAWSChunked returns a Content-Encoding without aws-chunked, which is the framing of the
// request. The rest is kept as it is spelled.
func withoutAWSChunked(values []string) string {
	whole := strings.Join(values, ",")
	var kept []string
	framed := false
	for coding := range strings.SplitSeq(whole, ",") {
		if strings.EqualFold(strings.TrimSpace(coding), "aws-chunked") {
			framed = true
			continue
		}
		kept = append(kept, coding)
	}
	if !framed {
		return whole
	}
	return strings.TrimSpace(strings.Join(kept, ","))
}

// setAttributes sets the headers that the writer gave an object, as far as the reader does not
// override them.
func (resp *response) setAttributes(a *metapb.Attributes, q query, p *profile.Profile) {
	contentType := q.get("response-content-type")
	if contentType == "" {
		contentType = a.GetContentType()
	}
	if contentType == "" {
		contentType = defaultContentType
	}
	resp.set("Content-Type", contentType)
	for _, pair := range a.GetHeaders() {
		if len(q) == 0 || !overrides(q, pair.GetName()) {
			resp.set(pair.GetName(), pair.GetValue())
		}
	}
	if len(q) > 0 {
		for _, kept := range keptHeaders {
			if value := q.get(kept.override); value != "" {
				resp.set(kept.name, value)
			}
		}
	}
	for _, pair := range a.GetMetadata() {
		value := pair.GetValue()
		if p.AnswerProfile == profile.AWS {
			value = mime.BEncoding.Encode("UTF-8", value) // It leaves ASCII as it is.
		}
		resp.set(metadataHeader+pair.GetName(), value)
	}
	if class := wirexml.ClassOfObject(a); class != wirexml.DefaultStorageClass {
		resp.set("x-amz-storage-class", class)
	}
}

func overrides(q query, name string) bool {
	for _, kept := range keptHeaders {
		if kept.name == name {
			return q.get(kept.override) != ""
		}
	}
	return false
}
