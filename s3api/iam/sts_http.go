package iam

import (
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

const (
	stsVersion = "2011-06-15"

	actionAssumeRole        = "AssumeRole"
	actionGetSessionToken   = "GetSessionToken"
	actionGetCallerIdentity = "GetCallerIdentity"
	actionWebIdentity       = "AssumeRoleWithWebIdentity"

	formType = "application/x-www-form-urlencoded"
)

// STSConfig sets up the handler of STS.
type STSConfig struct {
	STS      *STS
	Verifier *sigauth.Verifier // It verifies by the Keys that know the sessions of STS.
	// Conditions returns the facts of a request for the conditions of policies: the
	// caller's address and the like. Nil: none.
	Conditions func(r *http.Request) func(key string) ([]string, bool)
	// Done is called after each request was answered. Nil: nothing is.
	Done func(STSDone)
}

// STSDone is a request to STS that was answered.
type STSDone struct {
	RequestID string
	Action    string    // Empty: none, or one that is not known.
	Identity  *Identity // Nil: not known.
	Role      string    // ARN of the role that was asked for.
	// Federated is the session that was made for somebody for whom an identity provider vouches; nil:
	// none was.
	Federated *FederatedSession
	Status    int
	Duration  time.Duration
	Request   *http.Request
	Err       error // The error that was answered; nil: the request succeeded.
}

// actions are those that there are. The value says whether a request needs no signature, because
// something else in it says who asks.
var actions = map[string]bool{actionAssumeRole: false, actionGetSessionToken: false, actionGetCallerIdentity: false,
	actionWebIdentity: true}

// NewSTSHandler returns the query API of STS. Parameters are a form in the body of a POST, or the query
// of a GET. Requests are signed with Signature Version 4 for the service sts, except those of
// AssumeRoleWithWebIdentity.
func NewSTSHandler(c STSConfig) http.Handler {
	if c.Done == nil {
		c.Done = func(STSDone) {}
	}
	if c.Conditions == nil {
		c.Conditions = func(*http.Request) func(string) ([]string, bool) { return nil }
	}
	return &stsHandler{c}
}

// IsSTS tells requests to STS from requests to S3 on an endpoint that both share. A request to STS
// is a POST of a form to the root, or a GET of the root with an action and the version of STS. No
// request to S3 looks like that.
func IsSTS(r *http.Request) bool {
	if r.URL.Path != "/" {
		return false
	}
	switch r.Method {
	case http.MethodPost:
		media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		return err == nil && media == formType
	case http.MethodGet:
		return strings.Contains(r.URL.RawQuery, "Version="+stsVersion) && strings.Contains(r.URL.RawQuery, "Action=")
	}
	return false
}

type stsHandler struct{ c STSConfig }

// ServeHTTP implements http.Handler.
func (h *stsHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	done := STSDone{RequestID: newID(), Status: http.StatusOK, Request: r}
	result, err := h.answer(r, &done)
	var document any
	if err == nil {
		result.XMLName.Local = done.Action + "Result"
		document = &stsAnswer{XMLName: xml.Name{Local: done.Action + "Response"}, Namespace: stsNamespace, Result: *result, RequestID: done.RequestID}
	} else {
		status, code, message := stsError(err)
		kind := "Sender"
		if status >= http.StatusInternalServerError {
			kind = "Receiver"
		}
		document = &stsErrorAnswer{Type: kind, Code: code, Message: message, RequestID: done.RequestID}
		done.Status, done.Err = status, err
	}
	body, err := xml.Marshal(document)
	if err != nil {
		panic("iam: " + err.Error()) // Only types that XML cannot express fail, and these are not.
	}
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Amzn-Requestid", done.RequestID)
	w.WriteHeader(done.Status)
	_, _ = w.Write(body)
	done.Duration = time.Since(start)
	h.c.Done(done)
}

// answer authenticates a request and does what it asks for. It fills in done as far as it gets.
func (h *stsHandler) answer(r *http.Request, done *STSDone) (*stsResult, error) {
	auth, err := h.c.Verifier.VerifyService(r, sigauth.ServiceSTS)
	if err != nil {
		return nil, err
	}
	if !auth.Anonymous {
		done.Identity = auth.Credential.Subject.(*Identity)
	}
	form, err := parameters(r, auth)
	if err != nil {
		return nil, err
	}
	action := form.Get("Action")
	unsigned, known := actions[action]
	switch {
	case auth.Anonymous && !unsigned:
		return nil, errs.New("iam.STS", errs.Denied, &stsFault{code: "MissingAuthenticationToken",
			message: "Request is missing Authentication Token"})
	case !known || form.Get("Version") != stsVersion:
		return nil, errs.New("iam.STS", errs.Invalid, &stsFault{code: "InvalidAction",
			message: "Could not find operation " + strconv.Quote(action) +
				" for version " + strconv.Quote(form.Get("Version")) + "; there are " +
				strings.Join(slices.Sorted(maps.Keys(actions)), ", ") + " of version " + stsVersion})
	}
	done.Action, done.Role = action, form.Get("RoleArn")
	caller := done.Identity
	if action == actionGetCallerIdentity {
		return &stsResult{ARN: caller.ARN(), UserID: caller.UniqueID(), Account: caller.Account}, nil
	}
	duration, err := durationOf(form)
	if err == nil {
		err = supported(form)
	}
	if err != nil {
		return nil, err
	}
	if action == actionWebIdentity {
		return h.webIdentity(r, form, duration, done)
	}
	if action == actionGetSessionToken {
		credentials, err := h.c.STS.SessionToken(r.Context(), caller, duration)
		if err != nil {
			return nil, err
		}
		return &stsResult{Credentials: credentialsElement(credentials)}, nil
	}
	return h.assumeRole(r, caller, form, duration)
}

func (h *stsHandler) assumeRole(r *http.Request, caller *Identity, form url.Values, duration time.Duration) (*stsResult, error) {
	in := AssumeRole{Role: form.Get("RoleArn"), SessionName: form.Get("RoleSessionName"), Duration: duration,
		Policy: form.Get("Policy"), Conditions: h.c.Conditions(r)}
	assumed, err := h.c.STS.AssumeRole(r.Context(), caller, in)
	if err != nil {
		return nil, err
	}
	return &stsResult{Credentials: credentialsElement(assumed.SessionCredentials),
		AssumedRoleUser: &assumedRoleUser{ARN: assumed.ARN, ID: assumed.ID}, PackedPolicy: assumed.PolicyPercent}, nil
}

func (h *stsHandler) webIdentity(r *http.Request, form url.Values, duration time.Duration, done *STSDone) (*stsResult,
	error) {
	in := WebIdentity{Token: form.Get("WebIdentityToken"), Provider: form.Get("ProviderId"), Role: form.Get("RoleArn"),
		SessionName: form.Get("RoleSessionName"), Duration: duration, Policy: form.Get("Policy"),
		Conditions: h.c.Conditions(r)}
	made, err := h.c.STS.AssumeRoleWithWebIdentity(r.Context(), in)
	if err != nil {
		return nil, err
	}
	done.Federated = made
	return &stsResult{Credentials: credentialsElement(made.SessionCredentials), Subject: made.Subject,
		Audience: made.Audience,
		Provider: made.Issuer, AssumedRoleUser: &assumedRoleUser{ARN: made.ARN, ID: made.ID},
		PackedPolicy: made.PolicyPercent}, nil
}

// parameters returns the parameters of a request, from its query or from the form in its body.
// Errors: Invalid, and the body's own if its signature does not hold.
func parameters(r *http.Request, auth *sigauth.Request) (url.Values, error) {
	const op = "iam.STS"
	raw := r.URL.RawQuery
	switch r.Method {
	case http.MethodGet:
	case http.MethodPost:
		body, err := io.ReadAll(io.LimitReader(auth.Body, sigauth.MaxServiceBodyBytes+1))
		var signature *s3err.Error
		switch {
		case errors.As(err, &signature):
			return nil, err
		case err != nil:
			return nil, errs.Newf(op, errs.Invalid, "The body of the request cannot be read")
		case len(body) > sigauth.MaxServiceBodyBytes:
			return nil, errs.Newf(op, errs.Invalid, "The body of the request has more than %d bytes", sigauth.MaxServiceBodyBytes)
		}
		raw = string(body)
	default:
		return nil, errs.Newf(op, errs.Invalid, "The method must be POST or GET")
	}
	form, err := url.ParseQuery(raw)
	if err != nil {
		return nil, errs.Newf(op, errs.Invalid, "The parameters of the request are not well formed")
	}
	for name, values := range form {
		if len(values) > 1 {
			return nil, errs.Newf(op, errs.Invalid, "The parameter %q is there %d times", name, len(values))
		}
	}
	return form, nil
}

// durationOf returns the DurationSeconds of a request; 0 if it has none.
func durationOf(form url.Values) (time.Duration, error) {
	if !form.Has("DurationSeconds") {
		return 0, nil
	}
	n, err := strconv.ParseUint(form.Get("DurationSeconds"), 10, 31)
	if err != nil || n == 0 {
		return 0, errs.Newf("iam.STS", errs.Invalid, "DurationSeconds must be a whole number of seconds, at least %d", seconds(MinSession))
	}
	return time.Duration(n) * time.Second, nil
}

// unsupported are parameters, or beginnings of their names, that would limit what a session may do
// or for whom it is made. It would be wrong to ignore them, so supported refuses them. ExternalId
// may be ignored, because no trust policy can ask for one.
var unsupported = []string{"PolicyArns.", "Tags.", "TransitiveTagKeys.", "ProvidedContexts.", "SerialNumber", "TokenCode", "SourceIdentity"}

// supported returns Invalid if a request has a parameter of unsupported.
func supported(form url.Values) error {
	for _, name := range unsupported {
		for have := range form {
			if strings.HasPrefix(have, name) {
				return errs.Newf("iam.STS", errs.Invalid, "%s is not supported: leave it out", strings.TrimSuffix(name, "."))
			}
		}
	}
	return nil
}
