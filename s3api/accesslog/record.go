package accesslog

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Bounds of texts that clients choose and that are recorded.
const (
	maxURIBytes  = 8 << 10
	maxTextBytes = 2 << 10
)

// Redacted is written in place of what is secret in a request's URI.
const Redacted = "REDACTED"

// Unknown stands for a number that a record does not have.
const Unknown = -1

// Record is what is logged of a request to a bucket. An empty text is logged as a dash.
type Record struct {
	Owner, Bucket string // Of the bucket that is logged; Owner is the owner's id.
	Time          time.Time
	RemoteIP      string
	Requester     string // Account's id, or ARN of a user or role; empty: anonymous.
	RequestID     string
	Operation     string // REST.GET.OBJECT.
	Key           string
	RequestLine   string // What RequestLine returned.
	Status        int    // 0: there was no answer.
	Code          string
	BytesSent     int64
	ObjectSize    int64         // Unknown: there is none.
	Total         time.Duration // Unknown: not logged in this line.
	TurnAround    time.Duration // Unknown: not logged in this line.
	Referer       string
	UserAgent     string
	VersionID     string
	HostID        string
	Signature     string // SigV4, SigV2.
	Cipher        string
	AuthType      string // AuthHeader, QueryString.
	Host          string
	TLS           string // TLSv1.3.
	ByACL         bool   // Only an ACL allowed it.
}

// Append appends the line of the record: the fields of S3's format in their order.
func (r *Record) Append(dst []byte) []byte {
	l := line(dst)
	l.word(r.Owner)
	l.word(r.Bucket)
	l = append(r.Time.UTC().AppendFormat(l, "[02/Jan/2006:15:04:05 -0700]"), ' ')
	l.word(r.RemoteIP)
	l.word(r.Requester)
	l.word(r.RequestID)
	l.word(r.Operation)
	l.key(r.Key)
	l.quoted(r.RequestLine, maxURIBytes)
	l.count(int64(r.Status), 1)
	l.word(r.Code)
	l.count(r.BytesSent, 1)
	l.count(r.ObjectSize, 0)
	l.millis(r.Total)
	l.millis(r.TurnAround)
	l.quoted(r.Referer, maxTextBytes)
	l.quoted(r.UserAgent, maxTextBytes)
	l.word(r.VersionID)
	l.word(r.HostID)
	l.word(r.Signature)
	l.word(r.Cipher)
	l.word(r.AuthType)
	l.word(r.Host)
	l.word(r.TLS)
	l.word("") // The access point: there is none.
	if r.ByACL {
		l.word("Yes")
	} else {
		l.word("")
	}
	l[len(l)-1] = '\n'
	return l
}

// line is a line that is being written. Each field ends with a space.
type line []byte

// escape appends text, cut off after most bytes. Bytes that are not printable ASCII, or are among
// special, are percent-encoded, so that no field can end the line or look like two fields.
func (l *line) escape(text string, special string, most int) {
	const hex = "0123456789ABCDEF"
	for i := range min(len(text), most) {
		switch c := text[i]; {
		case c < ' ' || c > '~' || strings.IndexByte(special, c) >= 0:
			*l = append(*l, '%', hex[c>>4], hex[c&15])
		default:
			*l = append(*l, c)
		}
	}
}

func (l *line) word(text string) {
	if text == "" {
		text = "-"
	}
	l.escape(text, ` "`, maxTextBytes)
	*l = append(*l, ' ')
}

// key appends the key of an object, URL-encoded.
func (l *line) key(key string) {
	if key == "" {
		key = "-"
	}
	l.escape(key, ` "%+<>[\]^`+"`{|}#?&=", maxTextBytes)
	*l = append(*l, ' ')
}

func (l *line) quoted(text string, most int) {
	if text == "" {
		text = "-"
	}
	*l = append(*l, '"')
	l.escape(text, `"`, most)
	*l = append(*l, '"', ' ')
}

// count appends a number, or a dash if it is less than least.
func (l *line) count(n, least int64) {
	if n < least {
		*l = append(*l, "- "...)
		return
	}
	*l = append(strconv.AppendInt(*l, n, 10), ' ')
}

func (l *line) millis(d time.Duration) {
	if d < 0 {
		l.count(Unknown, 0)
		return
	}
	l.count(d.Milliseconds(), 0)
}

// RequestLine returns the first line of a request without the secrets in its query: signatures,
// session tokens, customers' keys and encryption contexts.
func RequestLine(method string, u *url.URL, proto string) string {
	text := method + " " + u.EscapedPath()
	if u.RawQuery != "" || u.ForceQuery {
		text += "?" + redact(u.RawQuery)
	}
	return text + " " + proto
}

// redact replaces the values of secret parameters in a raw query.
func redact(raw string) string {
	var b strings.Builder
	for i, pair := range strings.Split(raw, "&") {
		if i > 0 {
			b.WriteByte('&')
		}
		name, _, valued := strings.Cut(pair, "=")
		if valued && secret(name) {
			pair = name + "=" + Redacted
		}
		b.WriteString(pair)
	}
	return b.String()
}

// secret reports whether the value of a parameter must not be logged; name is as in the query. If
// the name cannot be decoded, the value is not logged.
func secret(name string) bool {
	plain, err := url.QueryUnescape(name)
	if err != nil {
		return true
	}
	plain = strings.ToLower(strings.TrimSpace(plain))
	return strings.HasSuffix(plain, "signature") || strings.HasSuffix(plain, "security-token") ||
		strings.Contains(plain, "customer-key") || strings.Contains(plain, "server-side-encryption-context")
}
