package profile

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/s3err"
)

func TestStyle(t *testing.T) {
	const obsNS, awsNS = "http://obs.example.com/doc/2015-06-30/", "http://s3.amazonaws.com/doc/2006-03-01/"
	for _, c := range []struct {
		compat    Compat
		overrides map[string]string
		dialect   Dialect
		namespace string
	}{
		{OBS, nil, DialectV2, obsNS},
		{OBS, nil, DialectOBS, obsNS},
		{OBS, nil, DialectV4, awsNS},
		{AWS, nil, DialectV2, awsNS},
		{AWS, map[string]string{"xml-namespace": "auto"}, DialectV2, obsNS},
		{OBS, map[string]string{"xml-namespace": "obs"}, DialectV4, obsNS},
		{OBS, map[string]string{"xml-namespace": "aws"}, DialectOBS, awsNS},
	} {
		p, err := New(c.compat, c.overrides)
		require.NoError(t, err)
		s := p.Style(c.dialect, "obs.example.com")
		require.Equal(t, c.namespace, s.Namespace, "%+v", c)
		require.Equal(t, c.compat == OBS, s.Standalone)
	}
}

// TestTellings: codes of the page of Upload Part - Copy and where the books differ.
func TestTellings(t *testing.T) {
	obs, aws := Default(), func() *Profile { p, _ := New(AWS, nil); return p }()
	tell := func(p *Profile, d Dialect, c s3err.Code) s3err.Telling { return p.Style(d, "h").Tell(c.Err()) }
	for _, c := range []s3err.Code{s3err.InvalidAccessKeyID, s3err.SignatureDoesNotMatch, s3err.RequestTimeTooSkewed, s3err.InvalidToken, s3err.ExpiredToken} {
		for _, d := range []Dialect{DialectV4, DialectV2, DialectOBS} {
			require.Equal(t, s3err.Telling{Code: s3err.AccessDenied, Status: 403}, tell(obs, d, c))
			require.Equal(t, s3err.Telling{Code: c, Status: s3err.Table[c].Status}, tell(aws, d, c))
		}
	}
	for _, d := range []Dialect{DialectV4, DialectV2, DialectOBS} {
		require.Equal(t, s3err.Telling{Code: "InsufficientStorageSpace", Status: 403}, tell(obs, d, s3err.InsufficientStorage))
		require.Equal(t, s3err.Telling{Code: "InsufficientStorage", Status: 507}, tell(aws, d, s3err.InsufficientStorage))
		require.Equal(t, s3err.Telling{Code: "InsufficientStorageSpace", Status: 403}, tell(aws, d, s3err.InsufficientStorageSpace),
			"a quota is the client's matter")
	}
	require.Equal(t, s3err.Telling{Code: "KeyTooLong", Status: 400}, tell(obs, DialectV2, s3err.KeyTooLong))
	require.Equal(t, s3err.Telling{Code: "KeyTooLongError", Status: 400}, tell(obs, DialectOBS, s3err.KeyTooLong))
	require.Equal(t, s3err.Telling{Code: "KeyTooLongError", Status: 400}, tell(aws, DialectV4, s3err.KeyTooLong))
	require.Equal(t, 400, tell(obs, DialectV4, s3err.RequestTimeout).Status)
	require.Equal(t, 408, tell(obs, DialectOBS, s3err.RequestTimeout).Status)
	require.Equal(t, 400, tell(obs, DialectV4, s3err.KMSDisabled).Status)
	require.Equal(t, 400, tell(aws, DialectV4, s3err.KMSDisabled).Status)
	for _, codes := range []map[s3err.Code]s3err.Telling{obsCodes, nativeCodes, awsCodes} {
		for from, to := range codes {
			require.Contains(t, s3err.Table, from)
			require.Contains(t, s3err.Table, to.Code, "docs/s3-errors.md has both names")
			require.NotEqual(t, s3err.Telling{Code: from, Status: s3err.Table[from].Status}, to, "%s is told as the table has it", from)
		}
	}
}

func TestStorageClass(t *testing.T) {
	for name, want := range map[string]string{"STANDARD": "STANDARD", "STANDARD_IA": "STANDARD_IA", "WARM": "STANDARD_IA", "GLACIER": "GLACIER", "COLD": "GLACIER",
		"REDUCED_REDUNDANCY": "STANDARD", "ONEZONE_IA": "STANDARD_IA", "INTELLIGENT_TIERING": "STANDARD_IA", "GLACIER_IR": "STANDARD_IA", "DEEP_ARCHIVE": "GLACIER"} {
		class, ok := StorageClass(name)
		require.True(t, ok)
		require.Equal(t, want, class)
		back, ok := StorageClass(DialectOBS.ClassName(class))
		require.True(t, ok)
		require.Equal(t, class, back)
		require.Equal(t, class, DialectV2.ClassName(class))
	}
	for _, name := range []string{"", "standard", "OUTPOSTS", "EXPRESS_ONEZONE"} {
		_, ok := StorageClass(name)
		require.False(t, ok, name)
	}
	require.Equal(t, "COLD", DialectOBS.ClassName(ClassGlacier))
}
