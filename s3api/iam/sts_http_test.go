package iam

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/policy"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

// stsServer is an endpoint of STS, and what it reported of the requests.
type stsServer struct {
	*world
	*httptest.Server
	done chan STSDone
}

func newSTSServer(t *testing.T) *stsServer {
	t.Helper()
	s := &stsServer{world: newWorld(t), done: make(chan STSDone, 100)}
	h := NewSTSHandler(STSConfig{STS: s.sts, Verifier: sigauth.New(sigauth.Config{Keys: s.keys, Region: "eu-de"}),
		Conditions: func(r *http.Request) func(string) ([]string, bool) {
			return func(key string) ([]string, bool) { return []string{r.UserAgent()}, key == policy.KeyUserAgent }
		},
		Done: func(d STSDone) { s.done <- d }})
	s.Server = httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// send signs and sends a request: a form in the body of a POST, or the query of a GET.
func (s *stsServer) send(method, form string, key *NewKey, edit func(*http.Request)) (status int, body string, h http.Header) {
	t := s.world.t
	t.Helper()
	target, payload := s.URL+"/", form
	if method != http.MethodPost {
		target, payload = target+"?"+form, ""
	}
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(payload))
	require.NoError(t, err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", formType+"; charset=utf-8")
	}
	if key != nil {
		sum := sha256.Sum256([]byte(payload))
		require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}, r,
			hex.EncodeToString(sum[:]), "sts", "eu-de", time.Now()))
	}
	if edit != nil {
		edit(r)
	}
	resp, err := s.Client().Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(b), resp.Header
}

// TestSTSAnswers pins the documents of the answers.
func TestSTSAnswers(t *testing.T) {
	s := newSTSServer(t)
	acme, key := s.account("acme")
	s.role("acme", "reader", strings.Replace(trustOf(acme.Id), `"Action"`, `"Condition":{"StringLike":{"aws:UserAgent":"Go-http-client/*"}},"Action"`, 1), 0)

	status, body, h := s.send("POST", "Action=GetCallerIdentity&Version=2011-06-15", key, nil)
	d := <-s.done
	require.Equal(t, 200, status, body)
	require.Equal(t, "text/xml", h.Get("Content-Type"))
	require.Equal(t, "no-store", h.Get("Cache-Control"))
	require.Equal(t, d.RequestID, h.Get("X-Amzn-Requestid"))
	require.Equal(t, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>`+
		`<Arn>arn:aws:iam::`+acme.Id+`:root</Arn><UserId>`+acme.Id+`</UserId><Account>`+acme.Id+`</Account></GetCallerIdentityResult>`+
		`<ResponseMetadata><RequestId>`+d.RequestID+`</RequestId></ResponseMetadata></GetCallerIdentityResponse>`, body)
	require.Equal(t, key.ID, d.Identity.AccessKey)
	require.Equal(t, "GetCallerIdentity", d.Action)
	require.NoError(t, d.Err)

	form := url.Values{"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {"arn:aws:iam::" + acme.Id + ":role/reader"},
		"RoleSessionName": {"s+1"}, "Policy": {mayAssume}}
	for _, method := range []string{"POST", "GET"} {
		status, body, _ = s.send(method, form.Encode(), key, nil)
		require.Equal(t, 200, status, body)
		<-s.done
		var got struct {
			XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ AssumeRoleResponse"`
			Result  struct {
				Credentials struct{ AccessKeyId, SecretAccessKey, SessionToken, Expiration string }
				Role        struct{ Arn, AssumedRoleId string } `xml:"AssumedRoleUser"`
				Packed      int                                 `xml:"PackedPolicySize"`
			} `xml:"https://sts.amazonaws.com/doc/2011-06-15/ AssumeRoleResult"`
		}
		require.NoError(t, xml.Unmarshal([]byte(body), &got))
		c := got.Result.Credentials
		id := s.identity(c.AccessKeyId, c.SessionToken)
		require.Equal(t, got.Result.Role.Arn, id.ARN())
		require.Equal(t, "reader:s+1", got.Result.Role.AssumedRoleId)
		require.Equal(t, id.Expires.UTC().Format("2006-01-02T15:04:05Z"), c.Expiration)
		require.Positive(t, got.Result.Packed)
		require.NotNil(t, id.SessionPolicy)
	}
}

// TestSTSErrors is the table of what STS refuses, in its own words.
func TestSTSErrors(t *testing.T) {
	s := newSTSServer(t)
	acme, key := s.account("acme")
	s.role("acme", "reader", trustOf(acme.Id), 0)
	role := "Action=AssumeRole&Version=2011-06-15&RoleSessionName=s1&RoleArn=reader"
	for _, c := range []struct {
		name, form string
		key        *NewKey
		edit       func(*http.Request)
		status     int
		code       string
	}{
		{"not signed", "Action=GetCallerIdentity&Version=2011-06-15", nil, nil, 403, "MissingAuthenticationToken"},
		{"unknown key", role, &NewKey{AccessKey: AccessKey{ID: "AKIANOBODY"}, Secret: "x"}, nil, 403, "InvalidClientTokenId"},
		{"wrong secret", role, &NewKey{AccessKey: key.AccessKey, Secret: "x"}, nil, 403, "SignatureDoesNotMatch"},
		{"body changed", role, key, func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(strings.ToUpper(role)))
		}, 403, "SignatureDoesNotMatch"},
		{"malformed signature", role, key, func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential") }, 400, "IncompleteSignature"},
		{"no action", "Version=2011-06-15", key, nil, 400, "InvalidAction"},
		{"other action", "Action=DecodeAuthorizationMessage&Version=2011-06-15", key, nil, 400, "InvalidAction"},
		{"no version", "Action=GetCallerIdentity", key, nil, 400, "InvalidAction"},
		{"twice", role + "&RoleArn=reader", key, nil, 400, "ValidationError"},
		{"not a form", role + "&%zz", key, nil, 400, "ValidationError"},
		{"duration", role + "&DurationSeconds=long", key, nil, 400, "ValidationError"},
		{"zero duration", role + "&DurationSeconds=0", key, nil, 400, "ValidationError"},
		{"huge duration", role + "&DurationSeconds=99999999999", key, nil, 400, "ValidationError"},
		{"short duration", role + "&DurationSeconds=60", key, nil, 400, "ValidationError"},
		{"no session name", "Action=AssumeRole&Version=2011-06-15&RoleArn=reader", key, nil, 400, "ValidationError"},
		{"second factor", role + "&SerialNumber=123456789&TokenCode=123456", key, nil, 400, "ValidationError"},
		{"policy ARNs", role + "&PolicyArns.member.1.arn=arn:aws:iam::aws:policy/x", key, nil, 400, "ValidationError"},
		{"policy", role + "&Policy=" + url.QueryEscape(`{"Version":"2012-10-17","Statement":[]}`), key, nil, 400, "MalformedPolicyDocument"},
		{"large policy", role + "&Policy=" + url.QueryEscape(sized(3000)), key, nil, 400, "MalformedPolicyDocument"}, // One value is too long.
		{"no role", strings.Replace(role, "=reader", "=writer", 1), key, nil, 403, "AccessDenied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body, _ := s.send("POST", c.form, c.key, c.edit)
			d := <-s.done
			require.Equal(t, c.status, status, body)
			require.Error(t, d.Err)
			require.Equal(t, status, d.Status)
			var got struct {
				XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
				Error     struct{ Type, Code, Message string }
				RequestId string
			}
			require.NoError(t, xml.Unmarshal([]byte(body), &got))
			require.Equal(t, c.code, got.Error.Code, body)
			require.Equal(t, "Sender", got.Error.Type)
			require.NotEmpty(t, got.Error.Message)
			require.NotContains(t, got.Error.Message, "iam.", "the client is told no names of functions")
			require.Equal(t, d.RequestID, got.RequestId)
		})
	}
	status, body, _ := s.send("PUT", role, key, nil)
	<-s.done
	require.Equal(t, 400, status, body)

	other := newNode(t, s.meta, [SecretKeyBytes]byte{9}, rootPassword)
	r := httptest.NewRequest("GET", "/?"+role, nil)
	require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}, r,
		hex.EncodeToString(sha256.New().Sum(nil)), "sts", "eu-de", time.Now()))
	w := httptest.NewRecorder()
	NewSTSHandler(STSConfig{STS: other.sts, Verifier: sigauth.New(sigauth.Config{Keys: other.keys, Region: "eu-de"})}).ServeHTTP(w, r)
	require.Equal(t, 503, w.Code)
	require.Contains(t, w.Body.String(), "<Type>Receiver</Type><Code>ServiceUnavailable</Code>")
}

// TestIsSTS tells requests to STS from those to S3.
func TestIsSTS(t *testing.T) {
	for _, c := range []struct {
		method, target, media string
		want                  bool
	}{
		{"POST", "/", "application/x-www-form-urlencoded", true},
		{"POST", "/", "application/x-www-form-urlencoded; charset=utf-8", true},
		{"POST", "/", "multipart/form-data; boundary=x", false},
		{"POST", "/", "", false},
		{"POST", "/bucket", "application/x-www-form-urlencoded", false},
		{"GET", "/?Action=GetCallerIdentity&Version=2011-06-15", "", true},
		{"GET", "/", "", false},
		{"GET", "/?prefix=a", "", false},
		{"PUT", "/?Action=GetCallerIdentity&Version=2011-06-15", "", false},
	} {
		r := httptest.NewRequest(c.method, c.target, nil)
		r.Header.Set("Content-Type", c.media)
		require.Equal(t, c.want, IsSTS(r), "%+v", c)
	}
}

// TestSTSWithBoto3 walks STS with the SDK for Python.
func TestSTSWithBoto3(t *testing.T) {
	if exec.CommandContext(t.Context(), "python3", "-c", "import boto3").Run() != nil {
		t.Skip("python3 with boto3 is not installed")
	}
	s := newSTSServer(t)
	acme, _ := s.account("acme")
	bob, key := s.user("acme", "bob", "admin")
	s.role("acme", "reader", trustOf("arn:aws:iam::"+acme.Id+":user/bob"), 0)
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "python3", "testdata/sts.py", s.URL, key.ID, key.Secret, acme.Id)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	type failure struct {
		Code, Type, Message string
		Status, ID          int
	}
	var got struct {
		Own struct{ UserID, Account, Arn string } `json:"own"`

		Session  string                              `json:"session"`
		Prefix   string                              `json:"session key"`
		Assumed  string                              `json:"assumed"`
		User     struct{ AssumedRoleId, Arn string } `json:"assumed user"`
		Seconds  int                                 `json:"seconds"`
		Packed   int                                 `json:"packed"`
		Failures map[string]failure                  `json:"errors"`
	}
	require.NoError(t, json.Unmarshal(out, &got))
	arn := "arn:aws:iam::" + acme.Id + ":user/bob"
	require.Equal(t, arn, got.Own.Arn)
	require.Equal(t, bob.Id, got.Own.UserID)
	require.Equal(t, acme.Id, got.Own.Account)
	require.Equal(t, arn, got.Session)
	require.Equal(t, "ASIA", got.Prefix)
	require.Equal(t, "arn:aws:sts::"+acme.Id+":assumed-role/reader/first", got.Assumed)
	require.Equal(t, got.Assumed, got.User.Arn)
	require.Equal(t, "reader:first", got.User.AssumedRoleId)
	require.InDelta(t, 900, got.Seconds, 60)
	require.Positive(t, got.Packed)
	for name, want := range map[string]failure{
		"session in a session": {Code: "AccessDenied", Status: 403},
		"wrong secret":         {Code: "SignatureDoesNotMatch", Status: 403},
		"unknown key":          {Code: "InvalidClientTokenId", Status: 403},
		"no token":             {Code: "InvalidClientTokenId", Status: 403},
		"wrong token":          {Code: "InvalidClientTokenId", Status: 403},
		"too long":             {Code: "ValidationError", Status: 400},
		"no such role":         {Code: "AccessDenied", Status: 403},
		"policy":               {Code: "MalformedPolicyDocument", Status: 400},
		"large policy":         {Code: "PackedPolicyTooLarge", Status: 400},
		"tags":                 {Code: "ValidationError", Status: 400},
		"other action":         {Code: "InvalidAction", Status: 400},
	} {
		f := got.Failures[name]
		require.Equal(t, want.Code, f.Code, "%s: %+v", name, f)
		require.Equal(t, want.Status, f.Status, name)
		require.Equal(t, "Sender", f.Type, name)
		require.Equal(t, 32, f.ID, name)
	}
	require.Len(t, got.Failures, 11)
}
