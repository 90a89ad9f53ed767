package s3api

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// perRequest is what two answers to the same request differ in.
var perRequest = regexp.MustCompile(`<(RequestId|HostId|EncodedHostId)>[^<]*</`)

// toldBy is everything that an answer tells: its status, the names and values of its
// headers, and its body, with what named the key made one.
func toldBy(r reply, names ...string) string {
	var b strings.Builder
	fmt.Fprintln(&b, r.Status)
	for _, name := range []string{"Content-Type", "Connection", "ETag", modeHeader, keyHeader} {
		name = strings.TrimSuffix(name, ": ")
		fmt.Fprintln(&b, name, r.Header.Values(name))
	}
	b.WriteString(perRequest.ReplaceAllString(r.body, "<$1></"))
	text := b.String()
	for _, n := range names {
		text = strings.ReplaceAll(text, n, "NAME")
	}
	return text
}

// TestKeysOfOthersAreSilent: whether another account has a master key, under which alias,
// and in what state, cannot be learned. Every request that names one is answered, to the
// last byte, as one that names a key which nobody has.
func TestKeysOfOthersAreSilent(t *testing.T) {
	w := newWorld(t)
	owner, other := w.account("owner"), w.account("other")
	ids := map[string]string{}
	for _, state := range []string{"enabled", "disabled", "doomed"} {
		ids[state] = w.masterKey(owner, "alias-of-"+state)
	}
	_, err := w.kms.Disable(t.Context(), ids["disabled"])
	require.NoError(t, err)
	_, err = w.kms.ScheduleDeletion(t.Context(), ids["doomed"], 30)
	require.NoError(t, err)
	nobodys := "12345678-1234-1234-1234-123456789012"

	w.ok(other, "PUT", "/bkt", "")
	w.ok(other, "PUT", "/bkt/source", "source")
	const source = "X-Amz-Copy-Source: bkt/source"
	u := "uploadId=" + element(w.ok(other, "POST", "/bkt/up?uploads", "").body, "UploadId")
	form := func(prefix string) func(string) string { return func(name string) string { return prefix + name } }
	arn := func(account string) func(string) string { return form("arn:aws:kms:us-east-1:" + account + ":") }
	forms := map[string]func(name string) string{
		"resource":          form(""),
		"ARN":               arn(owner.account),
		"ARN of one's own":  arn(other.account),
		"ARN of no account": arn("none"),
	}
	requests := map[string]func(name string) reply{
		"put": func(name string) reply {
			return w.as(other, "PUT", "/bkt/k", "x", modeHeader+"aws:kms", keyHeader+name)
		},
		"initiate": func(name string) reply {
			return w.as(other, "POST", "/bkt/k?uploads", "", modeHeader+"aws:kms", keyHeader+name)
		},
		"part": func(name string) reply {
			return w.as(other, "PUT", "/bkt/up?partNumber=1&"+u, "x", modeHeader+"aws:kms", keyHeader+name)
		},
		"part copy": func(name string) reply {
			return w.as(other, "PUT", "/bkt/up?partNumber=1&"+u, "", source, modeHeader+"aws:kms", keyHeader+name)
		},
		"copy": func(name string) reply {
			return w.as(other, "PUT", "/bkt/k", "", source, modeHeader+"aws:kms", keyHeader+name)
		},
		"default of a bucket": func(name string) reply {
			return w.as(other, "PUT", "/bkt?encryption", "<ServerSideEncryptionConfiguration><Rule>"+
				"<ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>"+name+
				"</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>")
		},
		"form": func(name string) reply {
			signed := other.signV4(anyKey, inBucket, `["starts-with","$x-amz-server-side-encryption",""]`,
				`["starts-with","$x-amz-server-side-encryption-aws-kms-key-id",""]`)
			return w.post("/bkt", posting{fileName: "f", file: "x", fields: append([]string{"key=k",
				"x-amz-server-side-encryption=aws:kms", "x-amz-server-side-encryption-aws-kms-key-id=" + name}, signed...)})
		},
	}
	for what, send := range requests {
		silent := func(name, nobodys, how string) {
			t.Helper()
			want := send(nobodys)
			require.GreaterOrEqual(t, want.StatusCode, 400, "%s %s of a key that nobody has", what, how)
			require.Equal(t, toldBy(want, nobodys), toldBy(send(name), name), "%s %s", what, how)
		}
		for by, form := range forms {
			for state, id := range ids {
				silent(form("key/"+id), form("key/"+nobodys), "by "+by+" of one that is "+state)
				silent(form("alias/alias-of-"+state), form("alias/nobodys"), "by alias, "+by+", of one that is "+state)
			}
		}
		for state, id := range ids {
			silent(id, nobodys, "by id alone of one that is "+state)
		}
	}

	// Nor can somebody who may not read an object learn how it is encrypted, or that its
	// key is disabled.
	w.ok(owner, "PUT", "/shut", "")
	w.ok(owner, "PUT", "/shut/plain", "x")
	w.ok(owner, "PUT", "/shut/sealed", "x", modeHeader+"aws:kms", keyHeader+ids["enabled"])
	_, err = w.kms.Disable(t.Context(), ids["enabled"])
	require.NoError(t, err)
	for name, read := range map[string]func(key string) reply{
		"get":  func(key string) reply { return w.as(other, "GET", "/shut/"+key, "") },
		"head": func(key string) reply { return w.as(other, "HEAD", "/shut/"+key, "") },
		"copy": func(key string) reply { return w.as(other, "PUT", "/bkt/k", "", "X-Amz-Copy-Source: shut/"+key) },
		"part copy": func(key string) reply {
			return w.as(other, "PUT", "/bkt/up?partNumber=1&"+u, "", "X-Amz-Copy-Source: shut/"+key)
		},
		"attributes": func(key string) reply {
			return w.as(other, "GET", "/shut/"+key+"?attributes", "", "X-Amz-Object-Attributes: ETag")
		},
	} {
		want := read("plain")
		require.Equal(t, 403, want.StatusCode, name)
		for _, key := range []string{"sealed", "absent"} {
			require.Equal(t, toldBy(want, "plain"), toldBy(read(key), key), "%s of what is %s", name, key)
		}
	}
}
