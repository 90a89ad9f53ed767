package accesslog

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Bounds of what clients may have recorded.
const (
	maxURIBytes  = 8 << 10
	maxTextBytes = 2 << 10
)

// Redacted stands for what is secret in a request's URI.
const Redacted = "REDACTED"

// Unknown is a number that a record does not have.
const Unknown = -1

// Record is what is recorded of a request to a bucket. What is empty is recorded as a
// dash.
type Record struct {
	Owner, Bucket string // Of the bucket that is logged; its owner's id.
	Time          time.Time
	RemoteIP      string
	Requester     string // Account's id, or ARN of a user or role; empty: anonymous.
	RequestID     string
	Operation     string // REST.GET.OBJECT.
	Key           string
	RequestLine   string // RequestLine makes it.
	Status        int    // 0: there was no answer.
	Code          string
	BytesSent     int64
	ObjectSize    int64         // Unknown: there is none.
	Total         time.Duration // Unknown: not of this line.
	TurnAround    time.Duration // Unknown: likewise.
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

// Append appends the record's line: the fields of S3's format in their order.
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

// line is a line that is being written; each field ends with a space.
type line []byte

// escape appends text of which every byte that is no printable ASCII, or one of
// special, is percent-encoded: so no field can end its line, or look like two.
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

// key appends an object's key, URL-encoded.
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

// count appends a number, or a dash where it is less than least.
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

// RequestLine returns a request's line without what is secret in it: signatures,
// session tokens, and customers' keys in the query.
func RequestLine(method string, u *url.URL, proto string) string {
	text := method + " " + u.EscapedPath()
	if u.RawQuery != "" || u.ForceQuery {
		text += "?" + redact(u.RawQuery)
	}
	return text + " " + proto
}

// redact replaces the values of secret parameters.
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

// secret reports whether the value of a parameter, its name as in the query, is not to
// be recorded. One whose name cannot be read is not.
func secret(name string) bool {
	plain, err := url.QueryUnescape(name)
	if err != nil {
		return true
	}
	plain = strings.ToLower(strings.TrimSpace(plain))
	return strings.HasSuffix(plain, "signature") || strings.HasSuffix(plain, "security-token") ||
		strings.Contains(plain, "customer-key") || strings.Contains(plain, "server-side-encryption-context")
}
