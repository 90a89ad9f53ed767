package sigauth_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

// TestTokens sends good and bad tokens in every form of signature.
func TestTokens(t *testing.T) {
	const secret = "cairn/secret+key"
	end := fmt.Sprint(published.Unix() + 600)
	header4 := func(key, token string) *wire {
		names, headers := []string{"host", "x-amz-content-sha256", "x-amz-date"}, []header{{"x-amz-date", stamp}, {"x-amz-content-sha256", "UNSIGNED-PAYLOAD"}}
		if token != "" {
			names, headers = append(names, "x-amz-security-token"), append(headers, header{"x-amz-security-token", token})
		}
		return signV4(&wire{method: "GET", target: "/b/k", host: "h", headers: headers}, key, secret, "s3", names, "UNSIGNED-PAYLOAD")
	}
	headerV2 := func(scheme, prefix string) func(key, token string) *wire {
		return func(key, token string) *wire {
			w := &wire{method: "GET", target: "/b/k", host: "h", headers: []header{{"Date", dateV2}}}
			if token != "" {
				w.set(prefix+"security-token", token)
			}
			w.set("Authorization", scheme+" "+key+":"+macV2(secret, stringV2(w, prefix, "", dateV2)))
			return w
		}
	}
	queryV2 := func(parameter, prefix string) func(key, token string) *wire {
		return func(key, token string) *wire {
			w := &wire{method: "GET", target: "/b/k?", host: "h"}
			if token != "" {
				w.target += prefix + "security-token=" + url.QueryEscape(token) + "&"
			}
			signature := macV2(secret, stringV2(w, prefix, "", end))
			w.target += parameter + "=" + key + "&Expires=" + end + "&Signature=" + url.QueryEscape(signature)
			return w
		}
	}
	for form, make := range map[string]func(key, token string) *wire{
		"V4 header": header4, "V2 header": headerV2("AWS", "x-amz-"), "OBS header": headerV2("OBS", "x-obs-"),
		"V2 query": queryV2("AWSAccessKeyId", "x-amz-"), "OBS query": queryV2("AccessKeyId", "x-obs-"),
	} {
		for _, c := range []struct {
			key, token string
			code       s3err.Code
		}{
			{temporaryKey, sessionToken, ""}, {"AKIACAIRNEXAMPLE", "", ""},
			{temporaryKey, "", s3err.InvalidAccessKeyID}, {temporaryKey, "other", s3err.InvalidToken},
			{temporaryKey, endedToken, s3err.ExpiredToken}, {"AKIACAIRNEXAMPLE", sessionToken, s3err.InvalidToken},
			{"AKIANOBODY", sessionToken, s3err.InvalidAccessKeyID},
		} {
			at(t, published, func(t *testing.T) {
				req, err := verifierV2().Verify(make(c.key, c.token).parse(t))
				require.Equal(t, c.code, codeOf(t, err), "%s: %+v: %v", form, c, err)
				if err == nil {
					require.Equal(t, c.token != "", req.Token)
				}
			})
		}
		// A token in the header besides another one in the query, and two of them.
		at(t, published, func(t *testing.T) {
			w := make(temporaryKey, sessionToken)
			for _, prefix := range []string{"x-amz-", "x-obs-"} {
				bad := *w
				bad.headers = append(slices.Clone(w.headers), header{prefix + "security-token", "other"})
				_, err := verifierV2().Verify(bad.parse(t))
				require.Error(t, err, form)
				if form == "V2 query" && prefix == "x-amz-" || form == "OBS query" && prefix == "x-obs-" {
					require.Equal(t, s3err.InvalidArgument, codeOf(t, err), form)
				}
			}
		})
	}
}

// signV4 signs a request as the specification says, for any key and service.
func signV4(w *wire, key, secret, service string, names []string, payload string) *wire {
	slices.Sort(names)
	path, query, _ := strings.Cut(w.target, "?")
	lines := ""
	for _, name := range names {
		value := w.host
		for _, h := range w.headers {
			if strings.EqualFold(h.name, name) {
				value = h.value
			}
		}
		lines += name + ":" + value + "\n"
	}
	digest := sha256.Sum256([]byte(strings.Join([]string{w.method, path, query, lines, strings.Join(names, ";"), payload}, "\n")))
	scope := stamp[:8] + "/us-east-1/" + service + "/aws4_request"
	k := mac(mac(mac(mac([]byte("AWS4"+secret), stamp[:8]), "us-east-1"), service), "aws4_request")
	w.set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/"+scope+", SignedHeaders="+strings.Join(names, ";")+
		", Signature="+hex.EncodeToString(mac(k, "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+hex.EncodeToString(digest[:]))))
	return w
}

// TestServiceSTS verifies requests to STS, which sign the hash of a body without sending it.
func TestServiceSTS(t *testing.T) {
	const form = "Action=GetCallerIdentity&Version=2011-06-15"
	sum := func(body string) string {
		digest := sha256.Sum256([]byte(body))
		return hex.EncodeToString(digest[:])
	}
	request := func(service, body, payload string, more ...header) *wire {
		names := []string{"host", "x-amz-date"}
		for _, h := range more {
			names = append(names, h.name)
		}
		return signV4(&wire{method: "POST", target: "/", host: "h", headers: append([]header{{"x-amz-date", stamp}}, more...), body: []byte(body)},
			exampleKey, exampleSecret, service, names, payload)
	}
	altered := request("sts", form, sum(form))
	altered.body = []byte(strings.Replace(form, "Get", "Set", 1))
	long := strings.Repeat("a", sigauth.MaxServiceBodyBytes)
	chunked := request("sts", form, sum(form))
	chunked.chunked = true
	told := header{"x-amz-content-sha256", sum(form)}
	for name, c := range map[string]struct {
		w       *wire
		service string
		code    s3err.Code
	}{
		"good":             {request("sts", form, sum(form)), "sts", ""},
		"no body":          {request("sts", "", emptyDigest), "sts", ""},
		"long":             {request("sts", long, sum(long)), "sts", ""},
		"chunked":          {chunked, "sts", ""},
		"hash told":        {request("sts", form, sum(form), told), "sts", ""},
		"too long":         {request("sts", long+"a", sum(long+"a")), "sts", s3err.MaxMessageLengthExceeded},
		"altered":          {altered, "sts", s3err.SignatureDoesNotMatch},
		"other hash told":  {request("sts", "Action=X", sum(form), told), "sts", s3err.XAmzContentSHA256Mismatch},
		"unsigned":         {request("sts", form, "UNSIGNED-PAYLOAD", header{"x-amz-content-sha256", "UNSIGNED-PAYLOAD"}), "sts", s3err.InvalidRequest},
		"for S3":           {request("s3", form, sum(form), told), "sts", s3err.AuthorizationHeaderMalformed},
		"for STS at S3":    {request("sts", form, sum(form), told), "s3", s3err.AuthorizationHeaderMalformed},
		"hash not told S3": {request("s3", form, sum(form)), "s3", s3err.InvalidRequest},
		"V2":               {signedV2("AWS", "/"), "sts", s3err.InvalidRequest},
		"V2 query":         {presignedV2("AccessKeyId", "/", fmt.Sprint(published.Unix())), "sts", s3err.InvalidRequest},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, published, func(t *testing.T) {
				r := c.w.parse(t)
				sent := r.Body
				req, err := verifierV2().VerifyService(r, c.service)
				require.True(t, sent == r.Body, "the caller's request changed")
				var body []byte
				if err == nil {
					body, err = io.ReadAll(req.Body)
				}
				require.Equal(t, c.code, codeOf(t, err), "%v", err)
				if err == nil {
					require.Equal(t, string(c.w.body), string(body))
					require.EqualValues(t, len(body), max(req.Size, int64(len(body))))
				}
			})
		})
	}
}

// TestSignedAt: policies ask for the age of a signature.
func TestSignedAt(t *testing.T) {
	for name, w := range map[string]*wire{"V4": signed("UNSIGNED-PAYLOAD", ""), "V4 query": publishedExamples()["presigned"],
		"V2": signedV2("AWS", "/b/k"), "OBS": signedV2("OBS", "/b/k")} {
		at(t, published.Add(time.Minute), func(t *testing.T) {
			req, err := verifierV2().Verify(w.parse(t))
			require.NoError(t, err, name)
			require.Equal(t, time.Minute, time.Since(req.SignedAt), name)
			version := map[string]sigauth.Version{"V4": "AWS4-HMAC-SHA256", "V2": "AWS", "OBS": "OBS"}[strings.TrimSuffix(name, " query")]
			require.Equal(t, version, req.Version)
		})
	}
	req, err := verifierV2().Verify((&wire{method: http.MethodGet, target: "/b/k", host: "h"}).parse(t))
	require.NoError(t, err)
	require.True(t, req.Anonymous && req.Version == "" && req.SignedAt.IsZero())
}

// TestServiceSDK has the AWS SDK for Go sign requests to STS, in the header and the
// query.
func TestServiceSDK(t *testing.T) {
	const form = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3Aa%3Arole%2Fr"
	credentials := aws.Credentials{AccessKeyID: temporaryKey, SecretAccessKey: "cairn/secret+key", SessionToken: sessionToken}
	sum := sha256.Sum256([]byte(form))
	at(t, published, func(t *testing.T) {
		r, err := http.NewRequest("POST", "https://sts.example.com/", strings.NewReader(form))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), credentials, r, hex.EncodeToString(sum[:]), "sts", "us-east-1", time.Now()))
		req, err := verifierV2().VerifyService(fromClient(r, []byte(form)).parse(t), sigauth.ServiceSTS)
		require.NoError(t, err)
		require.True(t, req.Token)
		body, err := io.ReadAll(req.Body)
		require.NoError(t, err)
		require.Equal(t, form, string(body))

		r, err = http.NewRequest("GET", "https://sts.example.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Expires=60", nil)
		require.NoError(t, err)
		signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), credentials, r, emptyDigest, "sts", "us-east-1", time.Now())
		require.NoError(t, err)
		u := mustURL(t, signed)
		w := &wire{method: "GET", target: u.RequestURI(), host: u.Host}
		req, err = verifierV2().VerifyService(w.parse(t), sigauth.ServiceSTS)
		require.NoError(t, err)
		require.True(t, req.Presigned && req.Token)
		_, err = verifierV2().Verify(w.parse(t))
		require.Equal(t, s3err.AuthorizationQueryParametersError, codeOf(t, err))
	})
}
