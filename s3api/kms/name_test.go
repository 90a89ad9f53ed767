package kms

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
)

const uuid = "12345678-90ab-4cde-8f01-234567890abc"

func TestParseKeyID(t *testing.T) {
	for text, want := range map[string]KeyName{
		"arn:aws:kms:region1:domain1:key/" + uuid:        {"region1", "domain1", uuid, ""},
		"arn:aws-cn:kms:cn-north-1:1234:key/k":           {"cn-north-1", "1234", "k", ""},
		"arn:aws:kms:eu-west-0:0a1b:alias/team/secret-1": {"eu-west-0", "0a1b", "", "team/secret-1"},
		"region1:domain1:key/" + uuid:                    {"region1", "domain1", uuid, ""},
		"region1:domain1:alias/a":                        {"region1", "domain1", "", "a"},
		uuid:                                             {ID: uuid},
		"payments_2024.eu":                               {ID: "payments_2024.eu"},
		"alias/aws/s3":                                   {Alias: "aws/s3"},
	} {
		got, err := ParseKeyID(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{
		"", " ", "key/" + uuid, "alias/", "alias/a b", "alias/é", "a/b", "-a", "a-", ".a", "a.", "a\n",
		strings.Repeat("a", 129), strings.Repeat("a", 4000), "alias/" + strings.Repeat("a", 251),
		"arn:", "arn:aws", "arn:aws:kms", "arn:aws:s3:r:a:key/k", "arn:azure:kms:r:a:key/k",
		"arn:aws:kms:r:a:k", "arn:aws:kms::a:key/k", "arn:aws:kms:r::key/k", "arn:aws:kms:r:a:key/",
		"arn:aws:kms:r:a:b:key/k", "arn:aws:kms:r:a:key/alias/x", "r:a:k", "r:a:key/a/b", "::key/k", "a:b",
	} {
		_, err := ParseKeyID(text)
		require.Equal(t, errs.Invalid, errs.KindOf(err), "%q", text)
		require.ErrorContains(t, err, "KMS key", "%q", text)
	}
	require.Equal(t, "arn:aws:kms:r1:acc:key/"+uuid, AnswerID("r1", "acc", uuid))
}

func FuzzParseKeyID(f *testing.F) {
	for _, s := range []string{"arn:aws:kms:r:a:key/k", "r:a:alias/x", "k", "alias/k", "arn:aws-x:kms:r:a:alias/b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseKeyID(text)
		if err != nil {
			return
		}
		if (n.ID == "") == (n.Alias == "") {
			t.Fatalf("%q: both or none of id and alias: %+v", text, n)
		}
		again, err := ParseKeyID(n.String())
		if err != nil || again != n {
			t.Fatalf("%q reads as %+v, written %q reads as %+v, %v", text, n, n, again, err)
		}
	})
}
