package sigauth

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The access key that a request claims is found in every form of signature, and nothing that would
// spoil a record.
func TestClaimed(t *testing.T) {
	for _, c := range []struct{ auth, query, want string }{
		{"AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00", "", "AKID"},
		{"AWS AKID:c2ln", "", "AKID"},
		{"OBS AKID:c2ln", "", "AKID"},
		{"", "X-Amz-Credential=AKID%2F20260101%2Fus-east-1%2Fs3%2Faws4_request", "AKID"},
		{"", "AWSAccessKeyId=AKID&Signature=x", "AKID"},
		{"", "AccessKeyId=AKID&Signature=x", "AKID"},
		{"", "", ""},
		{"Bearer x", "", ""},
		{"AWS AK\tID:sig", "", ""},
		{"", "AWSAccessKeyId=%0aX", ""},
		{"AWS " + string(make([]byte, maxClaimed+1)) + ":x", "", ""},
	} {
		r := httptest.NewRequest("GET", "/b/k?"+c.query, nil)
		r.Header["Authorization"] = []string{c.auth}
		require.Equal(t, c.want, Claimed(r), c.auth+c.query)
	}
	for _, c := range []struct {
		form Form
		want string
	}{
		{Form{Credential: "AKID/20260101/us-east-1/s3/aws4_request"}, "AKID"},
		{Form{AccessKeyV2: "AKID"}, "AKID"},
		{Form{AccessKeyOBS: "AKID"}, "AKID"},
		{Form{AccessKeyV2: "A\nB"}, ""},
		{Form{}, ""},
	} {
		require.Equal(t, c.want, c.form.Claimed(), "%+v", c.form)
	}
}

// Signing keys are cleared when they are forgotten, and none of them is kept beside its secret.
func TestKeyCacheForgets(t *testing.T) {
	c := newKeyCache(2)
	k := scopeKey{secret: "secret", date: "20260101", region: "r", service: "s3"}
	key, hit := c.get(k)
	require.False(t, hit)
	c.put(k, key)
	again, hit := c.get(k)
	require.True(t, hit)
	require.Equal(t, key, again)
	var kept *cachedKey
	for at, v := range c.keys {
		require.NotContains(t, string(at.secret[:]), "secret")
		kept = v
	}
	kept.until, c.next = time.Now().Add(-time.Second), time.Time{}
	again, hit = c.get(k)
	require.False(t, hit)
	require.Equal(t, key, again, "derived anew")
	require.Empty(t, c.keys)
	require.Zero(t, kept.key)

	c.put(k, key)
	first := c.keys[c.hidden(k)]
	for _, date := range []string{"1", "2"} {
		c.put(scopeKey{secret: "secret", date: date}, key)
	}
	require.Len(t, c.keys, 1)
	require.Zero(t, first.key, "a full cache is cleared")
}
