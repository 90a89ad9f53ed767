package s3api

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// Headers and texts of cross-origin requests.
const (
	headerOrigin         = "Origin"
	headerRequestMethod  = "Access-Control-Request-Method"
	headerRequestHeaders = "Access-Control-Request-Headers"

	// maxPreflightHeaders bounds what a preflight request may ask for: each name is compared with
	// each pattern of each rule.
	maxPreflightHeaders = 100

	corsVary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"

	msgNoCORS    = "CORSResponse: CORS is not enabled for this bucket."
	msgNoOrigin  = "Insufficient information. Origin request header needed."
	msgNoMethod  = "Invalid Access-Control-Request-Method: null"
	msgPreflight = "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / " +
		"Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."

	// preflightName is the name of preflight requests in metrics and logs.
	preflightName = "Preflight"
)

func (s *server) putBucketCORS(ctx context.Context, rq *request) (*response, error) {
	if _, err := s.admit(ctx, rq, "s3:PutBucketCORS"); err != nil {
		return nil, err
	}
	body, err := rq.readSummedDocument(wirexml.MaxConfigurationBytes)
	if err != nil {
		return nil, err
	}
	doc, err := wirexml.ParseCORS(body)
	if err != nil {
		return nil, err
	}
	return s.configure(ctx, rq, &metapb.ConfigPart{Name: bucket.PartCORS, Value: wirexml.Marshal(doc, "")})
}

func (s *server) getBucketCORS(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:GetBucketCORS")
	if err != nil {
		return nil, err
	}
	if len(b.CORS) == 0 {
		return nil, s3err.NoSuchCORSConfiguration.Say("", s3err.Field{Name: "BucketName", Value: rq.bucket})
	}
	return &response{document: &wirexml.CORS{Rules: b.CORS}}, nil
}

func (s *server) deleteBucketCORS(ctx context.Context, rq *request) (*response, error) {
	if _, err := s.admit(ctx, rq, "s3:PutBucketCORS"); err != nil {
		return nil, err
	}
	return s.unconfigure(ctx, rq, bucket.PartCORS)
}

// address returns the bucket and key that a request names. The request may be one to a website.
func (ex *exchange) address() (address, error) {
	if ex.website != "" {
		return address{bucket: ex.website, key: strings.TrimPrefix(ex.r.URL.Path, "/")}, nil
	}
	return ex.s.parseAddress(ex.r)
}

// preflight answers a browser that asks whether a page of another origin may send a request. It is
// never signed.
func (ex *exchange) preflight(ctx context.Context) (*response, error) {
	r := ex.r
	t, err := ex.address()
	if err != nil {
		return nil, err
	}
	origin, method := r.Header.Get(headerOrigin), r.Header.Get(headerRequestMethod)
	switch {
	case origin == "":
		return nil, s3err.BadRequest.Say(msgNoOrigin)
	case method == "":
		return nil, s3err.BadRequest.Say(msgNoMethod)
	case t.bucket == "":
		return nil, forbiddenOrigin(msgNoCORS, method, t)
	}
	b, err := ex.lookUp(ctx, t.bucket, false)
	if err != nil {
		return nil, err
	}
	if len(b.CORS) == 0 {
		return nil, forbiddenOrigin(msgNoCORS, method, t)
	}
	wanted := headerList(r.Header.Values(headerRequestHeaders))
	if len(wanted) > maxPreflightHeaders {
		return nil, forbiddenOrigin("CORSResponse: Access-Control-Request-Headers may name at most "+itoa(maxPreflightHeaders)+" headers.", method, t)
	}
	rule := b.CORSRule(origin, method, wanted)
	if rule == nil {
		return nil, forbiddenOrigin(msgPreflight, method, t)
	}
	resp := &response{}
	resp.tellOrigin(rule, origin)
	if len(wanted) > 0 {
		resp.set("Access-Control-Allow-Headers", strings.ToLower(strings.Join(wanted, ", ")))
	}
	return resp, nil
}

func forbiddenOrigin(message, method string, t address) error {
	return s3err.AccessForbidden.Say(message, s3err.Field{Name: "Method", Value: printable(method)},
		s3err.Field{Name: "ResourceType", Value: t.scope().String()})
}

// headerList splits the names in a header that lists some.
func headerList(values []string) (names []string) {
	for name := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// tellOrigin tells a browser what a rule allows it.
func (resp *response) tellOrigin(r *wirexml.CORSRule, origin string) {
	if r.AnyOrigin() {
		resp.set("Access-Control-Allow-Origin", "*")
	} else {
		resp.set("Access-Control-Allow-Origin", origin)
		resp.set("Access-Control-Allow-Credentials", "true")
	}
	resp.set("Access-Control-Allow-Methods", strings.Join(r.Methods, ", "))
	if len(r.Expose) > 0 {
		resp.set("Access-Control-Expose-Headers", strings.Join(r.Expose, ", "))
	}
	if r.HasMaxAge {
		resp.set("Access-Control-Max-Age", itoa(r.MaxAge))
	}
}

// tellCORS adds to an answer, which may be an error, what lets a page of another origin read it,
// and that other origins may get another answer. The bucket was looked up by the request, unless
// that was refused before.
func (ex *exchange) tellCORS(resp *response) {
	t, err := ex.address()
	if err != nil || t.bucket == "" || ex.done.Code == s3err.NoSuchBucket {
		return
	}
	b, looked := ex.buckets.known(t.bucket)
	origin := ex.r.Header.Get(headerOrigin)
	switch {
	case looked:
	case origin != "":
		b, _ = ex.lookUp(ex.r.Context(), t.bucket, false)
	default:
		b = ex.s.cfg.Access.Buckets.Known(t.bucket)
	}
	if b == nil || len(b.CORS) == 0 {
		return
	}
	resp.set("Vary", corsVary)
	if origin == "" || ex.r.Method == http.MethodOptions {
		return
	}
	// S3 goes by the method that a request names, as a preflight request does, if it names one.
	method := cmp.Or(ex.r.Header.Get(headerRequestMethod), ex.r.Method)
	if rule := b.CORSRule(origin, method, headerList(ex.r.Header.Values(headerRequestHeaders))); rule != nil {
		resp.tellOrigin(rule, origin)
	}
}
