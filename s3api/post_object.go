package s3api

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/form"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sigauth"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// postObject stores the file of a form, as browsers send them. What a PUT says in
// headers a form says in fields.
func (s *server) postObject(ctx context.Context, rq *request) (*response, error) {
	if rq.auth.Size < 0 {
		return nil, s3err.MissingContentLength.Err()
	}
	if err := rq.ex.hold(ctx, formBytes); err != nil {
		return nil, err
	}
	f, err := form.Read(rq.auth.Body, rq.auth.Size, rq.r.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	posted, err := s.authenticateForm(ctx, rq, f)
	if err != nil {
		return nil, err
	}
	if resp, err := rq.ex.charge(ctx, posted); err != nil {
		return resp, err
	}
	ctx = rq.ex.tenant(ctx) // Now it is known who it is.
	in, err := s.parsePut(ctx, posted)
	if err != nil {
		return nil, err
	}
	in.Event = metapb.EventKind_EVENT_POST
	v, err := s.cfg.Objects.Put(ctx, in)
	if err != nil {
		return nil, err
	}
	rq.charged, rq.done.ObjectSize = posted.charged, int64(v.GetSize())
	resp := posted.answerForm(f, v.GetEtag())
	resp.setETag(v.GetEtag())
	s.tellWritten(ctx, resp, rq, v)
	resp.setChecksums(v.GetChecksums(), v.GetParts())
	s.tellEncryption(resp, in.Encryption(), in.CustomerKey)
	return resp, nil
}

// authenticateForm finds out who posts a form and holds its policy against it. It
// returns the PutObject that the form stands for.
func (s *server) authenticateForm(ctx context.Context, rq *request, f *form.Form) (*request, error) {
	claim := formClaim(f)
	auth, err := s.cfg.Verifier.VerifyForm(ctx, claim)
	if err != nil {
		rq.done.Claimed = claim.Claimed()
		return nil, err
	}
	posted := *rq
	switch {
	case !auth.Anonymous && !rq.auth.Anonymous:
		return nil, s3err.InvalidArgument.Say("Only one auth mechanism allowed: sign either the form or the request.")
	case !auth.Anonymous:
		posted.caller, posted.identity = s.cfg.Caller(auth.Credential)
		rq.done.Account, rq.done.Who, rq.done.signature = posted.caller.Account, posted.identity, auth.Version
	case !rq.auth.Anonymous:
		signed := *rq.auth
		auth = &signed // The request is signed, not the form.
	}
	f.Expand()
	least, most, err := checkForm(f, rq.bucket)
	if err != nil {
		return nil, err
	}
	f.File.Limit(least, most)
	if posted.key, err = formKey(f); err != nil {
		return nil, err
	}
	rq.done.Key = posted.key
	header, err := formHeader(f, rq.r.Header)
	if err != nil {
		return nil, err
	}
	r := *rq.r
	r.Header = header
	posted.r, posted.auth = &r, auth
	auth.Body, auth.Size = f.File, min(f.File.MaxSize(), s.cfg.Limits.MaxPutBytes)
	return &posted, checkHeaders(rq.op, header)
}

// checkForm checks a form against its policy and returns what length its file may have.
func checkForm(f *form.Form, bucket string) (least, most int64, err error) {
	text := f.Get("policy")
	if text == "" {
		return 0, -1, nil
	}
	p, err := form.ParsePolicy(text)
	if err == nil {
		err = p.Check(f, bucket, time.Now())
	}
	if err != nil {
		return 0, 0, err
	}
	least, most = p.Range()
	return least, most, nil
}

// formClaim picks out of a form what authenticates it.
func formClaim(f *form.Form) *sigauth.Form {
	token := f.Get("x-amz-security-token")
	if token == "" {
		token = f.Get("x-obs-security-token")
	}
	return &sigauth.Form{Policy: f.Get("policy"),
		Algorithm: f.Get("x-amz-algorithm"), Credential: f.Get("x-amz-credential"), Date: f.Get("x-amz-date"), Signature: f.Get("x-amz-signature"),
		AccessKeyV2: f.Get("awsaccesskeyid"), AccessKeyOBS: f.Get("accesskeyid"), MAC: f.Get("signature"), Token: token}
}

// formKey returns the key that a form names.
func formKey(f *form.Form) (string, error) {
	key := f.Get("key")
	switch {
	case key == "":
		return "", s3err.UserKeyMustBeSpecified.Say("Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.",
			s3err.Field{Name: "ArgumentName", Value: "key"})
	case len(key) > MaxKeyBytes:
		return "", s3err.KeyTooLong.Err()
	case strings.IndexByte(key, 0) >= 0:
		return "", s3err.BadArgument("key", "", "The key has a byte that keys cannot have.")
	}
	return key, nil
}

// formHeaders are the fields that stand for headers of another name or without a
// common prefix.
var formHeaders = map[string]string{
	"acl": "X-Amz-Acl", "content-type": "Content-Type", "content-md5": "Content-Md5", "cache-control": "Cache-Control",
	"content-disposition": "Content-Disposition", "content-encoding": "Content-Encoding", "content-language": "Content-Language", "expires": "Expires",
}

// formCredentials are fields that authenticate and say nothing else.
var formCredentials = newSet("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature", "x-amz-security-token", "x-obs-security-token")

// requestHeaders are headers of the request itself that policies ask for.
var requestHeaders = []string{"User-Agent", "Referer", "Origin", "X-Forwarded-For", "X-Forwarded-Proto", "X-Amz-Expected-Bucket-Owner"}

// formHeader returns the headers that a PUT with the meaning of the form would have.
func formHeader(f *form.Form, of http.Header) (http.Header, error) {
	h := http.Header{}
	for _, name := range requestHeaders {
		if values := of[name]; values != nil {
			h[name] = values
		}
	}
	for _, field := range f.Fields() {
		name, ok := formHeaders[field.Name]
		switch {
		case formCredentials[field.Name], field.Value == "" && !ok:
			continue
		case ok:
		case field.Name == "tagging":
			tags, err := wirexml.ParseTagging([]byte(field.Value), wirexml.MaxObjectTags)
			if err != nil {
				return nil, err
			}
			name, field.Value = "X-Amz-Tagging", tagQuery(tags)
		case hasPrefixFold(field.Name, prefixOBS):
			name = requestName(field.Name)
			field.Value = requestValues(http.CanonicalHeaderKey(name), []string{field.Value})[0]
		case hasPrefixFold(field.Name, prefixAMZ):
			name = field.Name
		default:
			continue // The field is not for us: it is a button, or the page's own.
		}
		if strings.ContainsAny(field.Value, "\r\n") {
			return nil, s3err.BadArgument(printable(field.Name), "", "The value of a field must be one line.")
		}
		h.Set(name, strings.TrimSpace(field.Value))
	}
	return h, nil
}

// answerForm returns the answer that a form asks for.
func (rq *request) answerForm(f *form.Form, etag string) *response {
	at := rq.objectURL()
	resp := &response{status: http.StatusNoContent}
	redirect := f.Get("success_action_redirect")
	if redirect == "" {
		redirect = f.Get("redirect")
	}
	if u, err := url.Parse(redirect); err == nil && redirect != "" && (u.Scheme == "http" || u.Scheme == "https") {
		q := "bucket=" + url.QueryEscape(rq.bucket) + "&key=" + url.QueryEscape(rq.key) + "&etag=" + url.QueryEscape(`"`+etag+`"`)
		if u.RawQuery != "" {
			q = u.RawQuery + "&" + q
		}
		u.RawQuery = q
		resp.status = http.StatusSeeOther
		resp.set("Location", u.String())
		return resp
	}
	resp.set("Location", at)
	switch f.Get("success_action_status") {
	case "200":
		resp.status = http.StatusOK
	case "201":
		resp.status = http.StatusCreated
		resp.document = &wirexml.PostResponse{Location: at, Bucket: rq.bucket, Key: rq.key, ETag: etag}
	}
	return resp
}

// objectURL returns the URL of the object of a request, addressed as the request is.
func (rq *request) objectURL() string {
	u := url.URL{Scheme: rq.scheme(), Host: rq.r.Host, Path: "/" + rq.key}
	if !rq.virtual {
		u.Path = "/" + rq.bucket + u.Path
	}
	return u.String()
}

var _ object.LateBody = (*form.File)(nil)
