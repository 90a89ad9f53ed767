package sigauth

import (
	"cmp"
	"net/http"
	"strings"
)

// maxClaimed bounds the length of a claimed access key that is recorded.
const maxClaimed = 128

// Claimed returns the access key that a request says it is signed with, whether the signature holds
// or not; empty if it names none. A stranger may have written it, so it is for records and never
// for decisions.
func Claimed(r *http.Request) string {
	key := claimedByHeader(r.Header.Get("Authorization"))
	if key == "" {
		q := r.URL.Query()
		key, _, _ = strings.Cut(q.Get("X-Amz-Credential"), "/")
		for _, name := range []string{"AWSAccessKeyId", "AccessKeyId"} {
			if key == "" {
				key = q.Get(name)
			}
		}
	}
	return tellable(key)
}

// Claimed is like the function Claimed, for a form.
func (f *Form) Claimed() string {
	key, _, _ := strings.Cut(f.Credential, "/")
	return tellable(cmp.Or(key, f.AccessKeyV2, f.AccessKeyOBS))
}

// tellable returns a key if it may be recorded: it is not too long, and has only characters that
// access keys have. Otherwise it returns an empty string.
func tellable(key string) string {
	if len(key) > maxClaimed || strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return ""
	}
	return key
}

// claimedByHeader returns the access key in an Authorization header.
func claimedByHeader(auth string) (key string) {
	scheme, rest, _ := strings.Cut(auth, " ")
	switch {
	case scheme == "AWS" || scheme == "OBS":
		key, _, _ = strings.Cut(strings.TrimSpace(rest), ":")
	case strings.HasPrefix(scheme, "AWS4-"):
		_, key, _ = strings.Cut(rest, "Credential=")
		key, _, _ = strings.Cut(key, "/")
	}
	return key
}
