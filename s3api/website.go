package s3api

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"strings"

	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sigauth"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// websiteName is the name of what visitors of websites do, in metrics and logs.
const websiteName = "Website"

// site is one request to a website, which is a bucket served to people. Visitors are not
// authenticated, so they get what anonymous callers may read.
type site struct {
	s       *server
	ex      *exchange
	bucket  string
	key     string // As it is in the path.
	website *wirexml.Website
}

// websiteBucket returns the bucket whose website a Host header names; empty: none.
func (s *server) websiteBucket(host string) string { return bucketUnder(host, s.cfg.WebsiteDomains) }

// visit serves a request to a website.
func (ex *exchange) visit(ctx context.Context) (*response, error) {
	ex.done.Operation = websiteName
	ex.done.Bucket, ex.done.Key = ex.website, strings.TrimPrefix(ex.r.URL.Path, "/")
	w := &site{s: ex.s, ex: ex, bucket: ex.website, key: strings.TrimPrefix(ex.r.URL.Path, "/")}
	if ex.r.Method != http.MethodGet && ex.r.Method != http.MethodHead {
		return nil, s3err.MethodNotAllowed.Say("", s3err.Field{Name: "Method", Value: printable(ex.r.Method)},
			s3err.Field{Name: "ResourceType", Value: "OBJECT"})
	}
	b, err := ex.lookUp(ctx, w.bucket, false)
	if err != nil {
		return nil, err
	}
	if resp, err := ex.chargeVisit(ctx, b.GetOwner()); err != nil {
		return resp, err
	}
	if w.website = b.Website; w.website == nil {
		return nil, s3err.NoSuchWebsiteConfiguration.Say("", s3err.Field{Name: "BucketName", Value: w.bucket})
	}
	if to := w.website.RedirectAll; to != nil {
		return w.redirect(to, ""), nil
	}
	if rule := w.rule(0); rule != nil {
		return w.redirect(&rule.Redirect, rule.KeyPrefix), nil
	}
	resp, err := w.get(ctx, w.indexed(w.key), ex.r.Header)
	if err == nil {
		return w.follow(resp), nil
	}
	return w.failed(ctx, err)
}

// indexed returns the key of the document that a path names. A folder stands for its index.
func (w *site) indexed(key string) string {
	if key == "" || strings.HasSuffix(key, "/") {
		return key + w.website.Index
	}
	return key
}

// get reads an object as a stranger would.
func (w *site) get(ctx context.Context, key string, h http.Header) (*response, error) {
	if len(key) > MaxKeyBytes {
		return nil, s3err.KeyTooLong.Err()
	}
	r := *w.ex.r
	r.Header = http.Header{}
	for _, name := range visitorHeaders {
		if values := h[name]; values != nil {
			r.Header[name] = values
		}
	}
	rq := &request{ex: w.ex, address: address{bucket: w.bucket, key: key}, r: &r, auth: &sigauth.Request{Anonymous: true, Body: http.NoBody},
		style: w.ex.style, profile: w.ex.profile, done: &w.ex.done, virtual: true, byACL: &w.ex.byACL,
		forwarded: w.s.cfg.Forwarded(w.ex.r)}
	if r.Method == http.MethodHead {
		return w.s.headObject(ctx, rq)
	}
	return w.s.getObject(ctx, rq)
}

// visitorHeaders are the headers of a visitor that count: conditions, ranges, and those that
// policies ask for.
var visitorHeaders = []string{"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
	"User-Agent", "Referer", "X-Forwarded-For", "X-Forwarded-Proto"}

// follow returns the answer for an object: the redirect that it has, or the object itself.
func (w *site) follow(resp *response) *response {
	for _, h := range resp.headers {
		if h.name == object.RedirectHeader {
			moved := &response{status: http.StatusMovedPermanently}
			moved.set("Location", h.value)
			return moved
		}
	}
	return resp
}

// failed answers a request whose document cannot be read: by a rule, by the index of a folder that
// was named without its slash, or with the website's error document.
func (w *site) failed(ctx context.Context, err error) (*response, error) {
	e := s3err.FromError(err)
	status := e.Status()
	if status < http.StatusBadRequest {
		return nil, err
	}
	if (e.Code == s3err.NoSuchKey || e.Code == s3err.AccessDenied) && w.key != "" && !strings.HasSuffix(w.key, "/") {
		head := *w
		if _, e := head.get(ctx, w.key+"/"+w.website.Index, nil); e == nil {
			resp := &response{status: http.StatusFound}
			resp.set("Location", escapedPath(w.key+"/"))
			return resp, nil
		}
	}
	if rule := w.rule(status); rule != nil {
		return w.redirect(&rule.Redirect, rule.KeyPrefix), nil
	}
	if w.website.Error == "" {
		return nil, err
	}
	resp, inner := w.get(ctx, w.website.Error, nil)
	if inner != nil {
		return nil, err
	}
	w.ex.done.Code, w.ex.done.Cause = e.Code, err
	resp.status = status
	resp.tellError(e, w.ex.style)
	return resp, nil
}

// rule returns the first rule for a request (status 0) or an error; nil: there is none.
func (w *site) rule(status int) *wirexml.RoutingRule {
	for i := range w.website.Rules {
		if r := &w.website.Rules[i]; r.ErrorCode == status && strings.HasPrefix(w.key, r.KeyPrefix) {
			return r
		}
	}
	return nil
}

// redirect sends a visitor elsewhere. prefix is the beginning of the key that the rule names.
func (w *site) redirect(to *wirexml.Redirect, prefix string) *response {
	scheme, host, key := to.Protocol, to.Host, w.key
	if scheme == "" {
		rq := &request{r: w.ex.r, forwarded: w.s.cfg.Forwarded(w.ex.r)}
		scheme = rq.scheme()
	}
	if host == "" {
		host = w.ex.r.Host
	}
	switch {
	case to.ReplaceKey != "":
		key = to.ReplaceKey
	case to.HasPrefix:
		key = to.ReplacePrefix + strings.TrimPrefix(key, prefix)
	}
	location := scheme + "://" + host + escapedPath(key)
	if to.ReplaceKey == "" && w.ex.r.URL.RawQuery != "" {
		location += "?" + w.ex.r.URL.RawQuery
	}
	resp := &response{status: to.Code}
	if to.Code == 0 {
		resp.status = http.StatusMovedPermanently
	}
	resp.set("Location", location)
	return resp
}

// escapedPath returns the path of a key as a URL has it.
func escapedPath(key string) string {
	u := url.URL{Path: "/" + key}
	path := u.EscapedPath()
	if strings.HasPrefix(path, "//") {
		path = "/%2F" + path[2:] // Otherwise the browser would take the key for a host.
	}
	return path
}

// tellError tells of an error in headers, as websites do.
func (resp *response) tellError(e *s3err.Error, style wirexml.Style) {
	told := style.Tell(e)
	resp.set("x-amz-error-code", string(told.Code))
	resp.set("x-amz-error-message", headerText(e.Text()))
}

// page is the document of an error for people.
func page(e *s3err.Error, status int, key, requestID, hostID string) []byte {
	title := itoa(status) + " " + http.StatusText(status)
	var b strings.Builder
	b.WriteString("<html>\n<head><title>" + title + "</title></head>\n<body>\n<h1>" + title + "</h1>\n<ul>\n")
	row := func(name, value string) {
		b.WriteString("<li>" + html.EscapeString(name) + ": " + html.EscapeString(value) + "</li>\n")
	}
	row("Code", string(e.Code))
	row("Message", e.Text())
	for _, f := range e.Extra {
		row(f.Name, f.Value)
	}
	if e.Code == s3err.NoSuchKey {
		row("Key", key)
	}
	row("RequestId", requestID)
	row("HostId", hostID)
	b.WriteString("</ul>\n<hr/>\n</body>\n</html>\n")
	return []byte(b.String())
}

// failPage sends an error to a visitor of a website.
func (ex *exchange) failPage(err error) {
	e := s3err.FromError(err)
	ex.done.Code, ex.done.Cause = e.Code, err
	resp := &response{status: ex.style.Tell(e).Status}
	if resp.status == http.StatusNotModified || resp.status == http.StatusPreconditionFailed {
		ex.send(resp, nil, false)
		return
	}
	resp.raw = page(e, resp.status, strings.TrimPrefix(ex.r.URL.Path, "/"), ex.done.ID, ex.s.cfg.HostID)
	resp.set("Content-Type", "text/html; charset=utf-8")
	resp.tellError(e, ex.style)
	if e.Code == s3err.MethodNotAllowed {
		resp.set("Allow", "GET, HEAD")
	}
	ex.sendRaw(resp)
}
