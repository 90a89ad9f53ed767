package sigauth_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

const dateV2 = "Fri, 24 May 2013 00:00:00 GMT"

// stringV2 returns the string to sign of V2 and OBS as the specification says, independently of the
// package. dateLine is the line of the date.
func stringV2(w *wire, prefix, bucket, dateLine string) string {
	headers := map[string][]string{}
	for _, h := range w.headers {
		headers[strings.ToLower(h.name)] = append(headers[strings.ToLower(h.name)], h.value)
	}
	one := func(name string) string { return strings.Join(headers[name], ",") }
	if len(headers[prefix+"date"]) > 0 {
		dateLine = ""
	}
	text := w.method + "\n" + one("content-md5") + "\n" + one("content-type") + "\n" + dateLine + "\n"
	var names []string
	for name := range headers {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		text += name + ":" + one(name) + "\n"
	}
	path, query, _ := strings.Cut(w.target, "?")
	if bucket != "" {
		text += "/" + bucket
	}
	text += path
	var params []string
	for _, p := range strings.Split(query, "&") {
		name, value, _ := strings.Cut(p, "=")
		if value, _ = url.QueryUnescape(value); value != "" {
			value = "=" + value
		}
		switch {
		case strings.HasPrefix(name, prefix):
		case slices.Contains([]string{"acl", "delete", "partNumber", "policy", "response-content-type", "uploadId", "uploads", "versionId", "versions"}, name):
		default:
			continue
		}
		params = append(params, name+value)
	}
	sort.SliceStable(params, func(i, j int) bool {
		a, _, _ := strings.Cut(params[i], "=")
		b, _, _ := strings.Cut(params[j], "=")
		return a < b
	})
	if len(params) > 0 {
		text += "?" + strings.Join(params, "&")
	}
	return text
}

func macV2(secret, text string) string {
	h := hmac.New(sha1.New, []byte(secret))
	h.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// signedV2 returns a PUT signed in the header with scheme AWS or OBS.
func signedV2(scheme, target string, more ...header) *wire {
	w := &wire{method: "PUT", target: target, host: "h", headers: append([]header{{"Date", dateV2}}, more...)}
	prefix := map[string]string{"AWS": "x-amz-", "OBS": "x-obs-"}[scheme]
	w.set("Authorization", scheme+" "+exampleKey+":"+macV2(exampleSecret, stringV2(w, prefix, "", dateV2)))
	return w
}

// presignedV2 returns a GET signed in the query, whose access key parameter is key.
func presignedV2(key, target, expires string, more ...header) *wire {
	w := &wire{method: "GET", target: target, host: "h", headers: more}
	prefix := map[string]string{"AWSAccessKeyId": "x-amz-", "AccessKeyId": "x-obs-"}[key]
	signature := macV2(exampleSecret, stringV2(w, prefix, "", expires))
	w.target += "?"
	if strings.IndexByte(target, '?') >= 0 {
		w.target = target + "&"
	}
	w.target += key + "=" + exampleKey + "&Expires=" + expires + "&Signature=" + url.QueryEscape(signature)
	return w
}

func TestRefusalsV2(t *testing.T) {
	edit := func(w *wire, f func(w *wire)) *wire {
		f(w)
		return w
	}
	authorized := func(value string) *wire {
		return edit(signedV2("AWS", "/b/k"), func(w *wire) { w.set("Authorization", value) })
	}
	dated := func(scheme, name, value string) *wire {
		w := &wire{method: "GET", target: "/b/k", host: "h", headers: []header{{name, value}}}
		line := value
		if name != "Date" {
			line = ""
		}
		text := stringV2(w, "x-"+strings.ToLower(strings.Replace(scheme, "AWS", "AMZ", 1))+"-", "", line)
		w.set("Authorization", scheme+" "+exampleKey+":"+macV2(exampleSecret, text))
		return w
	}
	end := fmt.Sprint(published.Unix() + 600)
	replaced := func(w *wire, old, new string) *wire {
		return edit(w, func(w *wire) {
			require.Contains(t, w.target, old)
			w.target = strings.Replace(w.target, old, new, 1)
		})
	}
	base64Sum := sha256.Sum256([]byte("hello"))
	for name, c := range map[string]struct {
		w     *wire
		code  s3err.Code
		about string
	}{
		"good":                      {signedV2("AWS", "/b/k", header{"x-amz-meta-a", "1"}), "", ""},
		"good OBS":                  {signedV2("OBS", "/b/k?versionId=v", header{"x-obs-meta-a", "1"}), "", ""},
		"good presigned":            {presignedV2("AWSAccessKeyId", "/b/k?versionId=v", end), "", ""},
		"good presigned OBS":        {presignedV2("AccessKeyId", "/b/k?versionId=v", end, header{"x-obs-acl", "private"}), "", ""},
		"two values":                {signedV2("AWS", "/b/k", header{"x-amz-meta-a", "1"}, header{"X-Amz-Meta-A", "2"}), "", ""},
		"parameter twice":           {signedV2("AWS", "/b/k?versionId=v&versionId=w"), "", ""},
		"plus not encoded":          {plusInURL(t, end), "", ""},
		"header over parameter":     {replaced(presignedV2("AWSAccessKeyId", "/b/k", end, header{"x-amz-acl", "private"}), "Expires", "x-amz-acl=public-read&Expires"), "", ""},
		"bucket without slash":      {signedV2("AWS", "/b?acl"), "", ""},
		"body, hash in hex":         {withBody(signedV2("AWS", "/b/k", header{"x-amz-content-sha256", hex.EncodeToString(base64Sum[:])}), "hello"), "", ""},
		"body, hash in base64":      {withBody(signedV2("OBS", "/b/k", header{"x-obs-content-sha256", base64.StdEncoding.EncodeToString(base64Sum[:])}), "hello"), "", ""},
		"body, wrong hash":          {withBody(signedV2("AWS", "/b/k", header{"x-amz-content-sha256", hex.EncodeToString(base64Sum[:])}), "hallo"), s3err.XAmzContentSHA256Mismatch, ""},
		"body, wrong hash OBS":      {withBody(signedV2("OBS", "/b/k", header{"x-obs-content-sha256", emptyDigest}), "hello"), s3err.XAmzContentSHA256Mismatch, ""},
		"signed chunks":             {signedV2("AWS", "/b/k", header{"x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}), s3err.InvalidRequest, "Version 4"},
		"odd hash":                  {signedV2("AWS", "/b/k", header{"x-amz-content-sha256", "AAAA"}), s3err.InvalidArgument, "x-amz-content-sha256"},
		"unsigned chunks":           {withBody(unsignedChunks("AWS", "x-amz-"), "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"), "", ""},
		"unsigned chunks OBS":       {withBody(unsignedChunks("OBS", "x-obs-"), "5\r\nhello\r\n0\r\n\r\n"), s3err.InvalidRequest, "Version 4"},
		"no colon":                  {authorized("AWS HAHAHA"), s3err.InvalidArgument, "AwsAccessKeyId:signature"},
		"no key":                    {authorized("AWS :abc"), s3err.InvalidArgument, "Authorization"},
		"no fields":                 {authorized("OBS"), s3err.InvalidArgument, "Authorization"},
		"long":                      {authorized("AWS " + strings.Repeat("a", 5000) + ":b"), s3err.InvalidArgument, ""},
		"unknown key":               {authorized("AWS AKIANOBODY:" + macV2("x", "y")), s3err.InvalidAccessKeyID, "AKIANOBODY"},
		"unknown key OBS":           {authorized("OBS AKIANOBODY:x"), s3err.InvalidAccessKeyID, "AKIANOBODY"},
		"key with a colon":          {authorized("AWS a:b:c"), s3err.InvalidAccessKeyID, "a:b<"},
		"other signature":           {authorized("AWS " + exampleKey + ":" + macV2("x", "y")), s3err.SignatureDoesNotMatch, exampleKey},
		"empty signature":           {authorized("AWS " + exampleKey + ":"), s3err.SignatureDoesNotMatch, ""},
		"scheme AWS for OBS":        {edit(signedV2("OBS", "/b/k"), func(w *wire) { w.headers[1].value = "AWS" + w.headers[1].value[3:] }), "", ""}, // The strings are the same.
		"lower case scheme":         {authorized("aws " + exampleKey + ":x"), s3err.InvalidRequest, "AWS or OBS"},
		"x-obs header under AWS":    {edit(signedV2("AWS", "/b/k"), func(w *wire) { w.set("x-obs-acl", "public-read") }), s3err.AccessDenied, "x-obs-acl"},
		"x-amz header under OBS":    {edit(signedV2("OBS", "/b/k"), func(w *wire) { w.set("X-AMZ-ACL", "public-read") }), s3err.AccessDenied, "x-amz-acl"},
		"x-obs header under V4":     {edit(signed("UNSIGNED-PAYLOAD", ""), func(w *wire) { w.set("x-obs-acl", "public-read") }), s3err.AccessDenied, "x-obs-acl"},
		"no date":                   {edit(signedV2("AWS", "/b/k"), func(w *wire) { w.headers = w.headers[1:] }), s3err.AccessDenied, "x-amz-date"},
		"no date OBS":               {edit(signedV2("OBS", "/b/k"), func(w *wire) { w.headers = w.headers[1:] }), s3err.AccessDenied, "x-obs-date"},
		"two dates":                 {signedV2("AWS", "/b/k", header{"Date", dateV2}), s3err.InvalidArgument, "date"},
		"date RFC 1123":             {dated("AWS", "Date", dateV2), "", ""},
		"date numeric zone":         {dated("AWS", "Date", "Fri, 24 May 2013 02:00:00 +0200"), "", ""},
		"date UTC":                  {dated("AWS", "Date", "Fri, 24 May 2013 00:00:00 UTC"), "", ""},
		"date another zone":         {dated("AWS", "Date", "Fri, 24 May 2013 00:00:00 PST"), s3err.AccessDenied, "valid Date"},
		"date RFC 850":              {dated("OBS", "Date", "Friday, 24-May-13 00:00:00 GMT"), "", ""},
		"date asctime":              {dated("OBS", "Date", "Fri May 24 00:00:00 2013"), "", ""},
		"date ISO":                  {dated("AWS", "x-amz-date", "20130524T000000Z"), "", ""},
		"x-amz-date":                {dated("AWS", "x-amz-date", dateV2), "", ""},
		"x-obs-date":                {dated("OBS", "X-Obs-Date", dateV2), "", ""},
		"x-amz-date over Date":      {edit(dated("AWS", "x-amz-date", dateV2), func(w *wire) { w.set("Date", "Sat, 25 May 2013 00:00:00 GMT") }), "", ""},
		"x-amz-date empty":          {dated("AWS", "x-amz-date", ""), s3err.AccessDenied, "valid Date"},
		"date odd":                  {dated("AWS", "Date", "Bad Date"), s3err.AccessDenied, "valid Date"},
		"date before the epoch":     {dated("AWS", "Date", "Tue, 07 Jul 1950 21:53:04 GMT"), s3err.AccessDenied, "valid Date"},
		"date long ago":             {dated("AWS", "Date", "Tue, 07 Jul 2009 21:53:04 GMT"), s3err.RequestTimeTooSkewed, "900000"},
		"date in the year 9999":     {dated("AWS", "Date", "Fri, 31 Dec 9999 23:59:59 GMT"), s3err.RequestTimeTooSkewed, "9999"},
		"expired":                   {presignedV2("AWSAccessKeyId", "/b/k", fmt.Sprint(published.Unix()-1)), s3err.AccessDenied, "Request has expired"},
		"expires now":               {presignedV2("AWSAccessKeyId", "/b/k", fmt.Sprint(published.Unix())), "", ""},
		"expires never":             {presignedV2("AccessKeyId", "/b/k", "9223372036854775807"), "", ""},
		"expires odd":               {presignedV2("AWSAccessKeyId", "/b/k", "soon"), s3err.AccessDenied, "seconds since epoch"},
		"expires signed":            {presignedV2("AWSAccessKeyId", "/b/k", "%2B"+end), s3err.AccessDenied, "seconds since epoch"},
		"other expiry":              {replaced(presignedV2("AWSAccessKeyId", "/b/k", end), "Expires="+end, "Expires=1"+end), s3err.SignatureDoesNotMatch, ""},
		"no expiry":                 {replaced(presignedV2("AWSAccessKeyId", "/b/k", end), "Expires", "Expire"), s3err.AccessDenied, "AWSAccessKeyId"},
		"no signature OBS":          {replaced(presignedV2("AccessKeyId", "/b/k", end), "Signature", "signature"), s3err.AccessDenied, "and AccessKeyId"},
		"signature alone":           {replaced(presignedV2("AccessKeyId", "/b/k", end), "AccessKeyId", "accessKeyId"), s3err.AccessDenied, "requires"},
		"expires twice":             {replaced(presignedV2("AWSAccessKeyId", "/b/k", end), "Expires", "Expires=1&Expires"), s3err.InvalidArgument, "once"},
		"both keys":                 {replaced(presignedV2("AWSAccessKeyId", "/b/k", end), "AWSAccessKeyId", "AccessKeyId=a&AWSAccessKeyId"), s3err.InvalidArgument, "once"},
		"both keys, one empty":      {replaced(presignedV2("AccessKeyId", "/b/k", end), "AccessKeyId", "AWSAccessKeyId=&AccessKeyId"), s3err.InvalidArgument, "once"},
		"header and query":          {edit(presignedV2("AccessKeyId", "/b/k", end), func(w *wire) { w.set("Authorization", "OBS a:b") }), s3err.InvalidArgument, "Only one"},
		"V4 and V2":                 {replaced(presignedV2("AccessKeyId", "/b/k", end), "Expires", "X-Amz-Signature=00&Expires"), s3err.InvalidArgument, "Only one"},
		"bad query":                 {replaced(presignedV2("AccessKeyId", "/b/k?acl", end), "acl", "acl=%zz"), s3err.InvalidURI, ""},
		"crowded query":             {signedV2("AWS", "/b/k?"+strings.Repeat("a&", 2000)), s3err.InvalidURI, "1024"},
		"hidden parameter":          {signedV2("AWS", "/b/k?response-content-type=a%26versionId%3Dv"), s3err.InvalidArgument, "response-content-type"},
		"ampersand":                 {signedV2("AWS", "/b/k?response-content-type=a%26b%3Dc"), "", ""},
		"control in a parameter":    {replaced(presignedV2("AWSAccessKeyId", "/b/k", end), "Expires", "x-amz-acl=a%0Ab&Expires"), s3err.InvalidArgument, "x-amz-acl"},
		"unsigned header parameter": {replaced(presignedV2("AWSAccessKeyId", "/b/k", end), "Expires", "x-amz-acl=public-read&Expires"), s3err.SignatureDoesNotMatch, ""},
		"unsigned type parameter":   {replaced(presignedV2("AWSAccessKeyId", "/b/k", end), "Expires", "content-type=a&Expires"), s3err.SignatureDoesNotMatch, ""},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, published, func(t *testing.T) {
				_, _, err := outcome(verifierV2(), c.w.parse(t))
				require.Equal(t, c.code, codeOf(t, err), "%v", err)
				if err == nil {
					return
				}
				_, document := wirexml.Render(s3err.FromError(err), "/b/k", "id", "host")
				require.Contains(t, string(document), c.about)
				require.NotContains(t, string(document)+err.Error(), exampleSecret)
			})
		})
	}
}

// plusInURL returns a presigned URL whose signature has a plus sign, not encoded.
func plusInURL(t *testing.T, expires string) *wire {
	for i := range 1000 {
		w := presignedV2("AWSAccessKeyId", fmt.Sprint("/b/k", i), expires)
		if strings.Contains(w.target, "%2B") {
			w.target = strings.ReplaceAll(w.target, "%2B", "+")
			return w
		}
	}
	t.Fatal("no signature has a plus sign")
	return nil
}

func withBody(w *wire, body string) *wire {
	w.body = []byte(body)
	return w
}

func unsignedChunks(scheme, prefix string) *wire {
	return signedV2(scheme, "/b/k", header{prefix + "content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"},
		header{prefix + "decoded-content-length", "5"}, header{prefix + "trailer", "x-amz-checksum-crc32"})
}

// TestHiddenParameters: a signature for one request must not be good for another one whose string
// to sign is the same.
func TestHiddenParameters(t *testing.T) {
	at(t, published, func(t *testing.T) {
		end := fmt.Sprint(published.Unix() + 600)
		for _, good := range []*wire{
			signedV2("AWS", "/b/k?response-content-type=a&versionId=v"),
			signedV2("AWS", "/b/k?versionId=v&x-amz-a=b"),
			presignedV2("AWSAccessKeyId", "/b/k", end, header{"x-amz-acl", "private"}, header{"x-amz-meta-a", "b"}),
			presignedV2("AWSAccessKeyId", "/b/k?versionId=v&x-amz-a=b&x-amz-b=c", end),
			presignedV2("AWSAccessKeyId", "/b/k?x-amz-a&x-amz-b=c", end),
		} {
			_, err := verifierV2().Verify(good.parse(t))
			require.NoError(t, err)
			_, signature, _ := strings.Cut(good.target, "AWSAccessKeyId")
			signature = "&AWSAccessKeyId" + signature
			for _, query := range []string{
				"response-content-type=a%26versionId%3Dv", "response-content-type=a%26versionId=v", "response-content-type=a%26versionId",
				"versionId=v%26x-amz-a%3Db", "versionId=v%26x-amz-a=b", "versionId=v&x-amz-a%3Db%26x-amz-b=c", "versionId=v&x-amz-a=b%26x-amz-b%3Dc",
				"x-amz-a%26x-amz-b=c", "x-amz-acl%3Aprivate%0Ax-amz-meta-a=b", "x-amz-acl=private%0Ax-amz-meta-a%3Ab",
			} {
				bad := *good
				bad.target = "/b/k?" + query
				if good.method == "GET" {
					bad.target, bad.headers = bad.target+signature, nil
				}
				_, err := verifierV2().Verify(bad.parse(t))
				require.Error(t, err, "%s for %s", bad.target, good.target)
			}
		}
	})
}
