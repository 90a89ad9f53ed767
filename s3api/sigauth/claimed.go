package sigauth

import (
	"cmp"
	"net/http"
	"strings"
)

// maxClaimed bounds what is told of a key that a request only claims to have.
const maxClaimed = 128

// Claimed returns the access key that a request says it is signed with, whether the
// signature holds or not; empty where it names none. It is what a stranger wrote: for
// records, never for decisions.
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

// Claimed is that of a form.
func (f *Form) Claimed() string {
	key, _, _ := strings.Cut(f.Credential, "/")
	return tellable(cmp.Or(key, f.AccessKeyV2, f.AccessKeyOBS))
}

// tellable returns a key as it may be written down: not a long one, nor one that no
// access key looks like.
func tellable(key string) string {
	if len(key) > maxClaimed || strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return ""
	}
	return key
}

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
