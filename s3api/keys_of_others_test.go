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
	for _, name := range []string{"Content-Type", "Connection", "ETag", "X-Amz-Server-Side-Encryption", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"} {
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
	u := "uploadId=" + element(w.ok(other, "POST", "/bkt/up?uploads", "").body, "UploadId")
	arn := func(account, resource string) string { return "arn:aws:kms:us-east-1:" + account + ":" + resource }
	forms := map[string]struct {
		theirs  func(state string) string
		nobodys string
	}{
		"id":                {func(s string) string { return ids[s] }, nobodys},
		"ARN":               {func(s string) string { return arn(owner.account, "key/"+ids[s]) }, arn(owner.account, "key/"+nobodys)},
		"ARN of one's own":  {func(s string) string { return arn(other.account, "key/"+ids[s]) }, arn(other.account, "key/"+nobodys)},
		"ARN of no account": {func(s string) string { return arn("none", "key/"+ids[s]) }, arn("none", "key/"+nobodys)},
		"alias":             {func(s string) string { return "alias/alias-of-" + s }, "alias/nobodys"},
		"alias's ARN":       {func(s string) string { return arn(owner.account, "alias/alias-of-"+s) }, arn(owner.account, "alias/nobodys")},
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
			return w.as(other, "PUT", "/bkt/up?partNumber=1&"+u, "", "X-Amz-Copy-Source: bkt/source", modeHeader+"aws:kms", keyHeader+name)
		},
		"copy": func(name string) reply {
			return w.as(other, "PUT", "/bkt/k", "", "X-Amz-Copy-Source: bkt/source", modeHeader+"aws:kms", keyHeader+name)
		},
		"default of a bucket": func(name string) reply {
			return w.as(other, "PUT", "/bkt?encryption", `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>`+
				`<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>`+name+`</KMSMasterKeyID>`+
				`</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>`)
		},
		"form": func(name string) reply {
			return w.post("/bkt", posting{fields: append([]string{"key=k", "x-amz-server-side-encryption=aws:kms", "x-amz-server-side-encryption-aws-kms-key-id=" + name},
				other.signV4(anyKey, inBucket, `["starts-with","$x-amz-server-side-encryption",""]`, `["starts-with","$x-amz-server-side-encryption-aws-kms-key-id",""]`)...),
				fileName: "f", file: "x"})
		},
	}
	for what, send := range requests {
		for form, f := range forms {
			for state := range ids {
				got, want := send(f.theirs(state)), send(f.nobodys)
				require.GreaterOrEqual(t, want.StatusCode, 400, "%s by %s of a key that nobody has", what, form)
				require.Equal(t, toldBy(want, f.nobodys), toldBy(got, f.theirs(state)), "%s by %s of one that is %s", what, form, state)
			}
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
			require.Equal(t, toldBy(want, "plain"), toldBy(read(key), key), "%s of what is %s, by somebody without rights", name, key)
		}
	}
}
