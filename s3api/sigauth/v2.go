package sigauth

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// Prefixes of the headers and parameters that V2 and OBS sign.
const (
	prefixAMZ = "x-amz-"
	prefixOBS = "x-obs-"
)

// prefix is the beginning of the names of headers that a claim of V2 or OBS signs.
func (c *claim) prefix() string {
	if c.version == OBS {
		return prefixOBS
	}
	return prefixAMZ
}

// parseHeaderV2 parses an Authorization header of the form "AWS ACCESSKEY:SIGNATURE" or "OBS
// ACCESSKEY:SIGNATURE", and the date that belongs to it.
func parseHeaderV2(value string, h http.Header) (*claim, error) {
	scheme, rest, _ := strings.Cut(value, " ")
	rest = strings.Trim(rest, " ")
	colon := strings.LastIndexByte(rest, ':')
	if colon < 1 || len(value) > maxAuthorizationBytes {
		return nil, s3err.BadArgument("Authorization", "",
			"AWS authorization header is invalid.  Expected AwsAccessKeyId:signature")
	}
	c := &claim{version: Version(scheme), accessKey: rest[:colon], mac: rest[colon+1:]}
	return c, c.takeDateV2(h)
}

// takeDateV2 sets the time from x-amz-date or x-obs-date. If that is sent, it is signed as a
// header, and the line of the date is empty. Otherwise the time is that of Date.
func (c *claim) takeDateV2(h http.Header) error {
	name := c.prefix() + "date"
	header := http.CanonicalHeaderKey(name)
	own := len(h[header]) > 0
	if !own {
		header = "Date"
	}
	text, err := single(h, header)
	if err != nil {
		return err
	}
	if c.time, err = parseDateV2(text); err != nil || c.time.Unix() < 0 {
		return noDate(name)
	}
	if c.stamp = text; !own {
		c.dateLine = text
	}
	return nil
}

// rfc1123UTC is what Go makes of a UTC time in the form of RFC 1123. rclone signs that.
const rfc1123UTC = "Mon, 02 Jan 2006 15:04:05 UTC"

// parseDateV2 parses the three forms of HTTP, RFC 1123 with a numeric zone or UTC, and the form of
// V4.
func parseDateV2(text string) (time.Time, error) {
	t, err := http.ParseTime(text)
	for _, layout := range []string{time.RFC1123Z, rfc1123UTC} {
		if err != nil {
			t, err = time.Parse(layout, text)
		}
	}
	if err != nil {
		t, err = parseStamp(text)
	}
	return t.UTC(), err
}

// parseQueryV2 returns the claim of a presigned URL of V2 or OBS.
func parseQueryV2(q *queryAuth) (*claim, error) {
	c := &claim{version: V2, accessKey: q.accessKeyV2, presigned: true, dateLine: q.expiresV2}
	key := paramAccessKeyV2
	if q.keyOBS {
		c.version, c.accessKey, key = OBS, q.accessKeyOBS, paramAccessKeyOBS
	}
	switch {
	case q.duplicate || q.keyV2 && q.keyOBS:
		return nil, s3err.InvalidArgument.Say("A parameter of the signature may be given only once.")
	case c.accessKey == "" || q.expiresV2 == "" || q.signatureV2 == "":
		return nil, s3err.AccessDenied.Say("Query-string authentication requires the Signature, Expires and " + key + " parameters")
	}
	seconds, err := strconv.ParseInt(q.expiresV2, 10, 64)
	if err != nil || !isDigits(q.expiresV2) {
		return nil, s3err.AccessDenied.Say("Invalid date (should be seconds since epoch): " + q.expiresV2)
	}
	c.deadline = time.Unix(min(seconds, maxDeadline), 0)
	// Base64 has no blanks: a blank here was a plus that was not encoded.
	c.mac = strings.ReplaceAll(q.signatureV2, " ", "+")
	return c, nil
}

// maxDeadline is the end of the year 9999, the last one that the forms of dates can write.
const maxDeadline = 253402300799

// tokenOf returns the session token of a request; empty if it has none. V2 and OBS take it from the
// query only if the request is presigned.
func tokenOf(h http.Header, c *claim, q *queryAuth) (string, error) {
	header, parameter := "X-Amz-Security-Token", q.token
	switch {
	case c.version == OBS:
		header, parameter = "X-Obs-Security-Token", q.tokenOBS
	case c.version == V2:
		parameter = q.tokenV2
	}
	token, err := single(h, header)
	if err != nil || parameter == "" || !c.presigned && c.version != V4 {
		return token, err
	}
	if token != "" && token != parameter {
		return "", s3err.BadArgument(strings.ToLower(header), "",
			"The session token in the header and that in the query differ.")
	}
	return parameter, nil
}
