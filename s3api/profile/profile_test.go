package profile

import (
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/knob"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// TestDefaults is semantics of the two profiles, written out once more.
func TestDefaults(t *testing.T) {
	obs := Profile{
		Compat: OBS, CopyRangePastEnd: PastEndClamp, CopyPartETag: CopyETagReference, MultipartMinPart: 5 << 20,
		MultipartInitiatorOnly: true, CopyEarly200After: 2 * time.Second, KeepAliveInterval: 5 * time.Second, ChunkedAnswers: true,
		SSECPlainHTTP: PlainHTTPLoopback, CheckMD5UnderSSE: true, DefaultSSE: EncryptNone, BucketsMax: 1000, NewBucketOwnership: wirexml.OwnershipWriter,
		XMLNamespace: NamespaceAuto, XMLStandalone: true, ErrorProfile: OBS, AnswerProfile: OBS, ServerHeader: "OBS", ReservedHeader: true,
	}
	require.Equal(t, obs, *Default())
	p, err := New("", nil)
	require.NoError(t, err)
	require.Equal(t, obs, *p)

	aws := obs
	aws.Compat, aws.ErrorProfile, aws.XMLNamespace, aws.ServerHeader = AWS, AWS, NamespaceAWS, "Cairn"
	aws.AnswerProfile, aws.CompleteRequiresSums, aws.DeleteWithUploads = AWS, true, true
	aws.CopyRangePastEnd, aws.MultipartInitiatorOnly = PastEndInvalidArgument, false
	aws.ChunkedAnswers, aws.XMLStandalone, aws.ReservedHeader = false, false, false
	aws.NewBucketOwnership, aws.NewBucketBlockPublic = wirexml.OwnershipEnforced, true
	p, err = New(AWS, nil)
	require.NoError(t, err)
	require.Equal(t, aws, *p)
}

func TestKnobsAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Knobs() {
		require.False(t, seen[k.Name], k.Name)
		seen[k.Name] = true
		require.Regexp(t, `^[a-z0-9]+(-[a-z0-9]+)*$`, k.Name)
		require.NotEmpty(t, k.Help, k.Name)
		require.Equal(t, k.Type == knob.TypeChoice || k.Type == knob.TypeSwitch, len(k.Values) > 1, k.Name)
		for _, c := range []Compat{OBS, AWS} {
			p, err := New(c, nil)
			require.NoError(t, err)
			require.Equal(t, k.Default(c), k.Value(p), "%s: a default is written as its value is", k.Name)
		}
		require.Error(t, Check(k.Name, ""), k.Name)
	}
	Knobs()[0].Name = "changed"
	require.Equal(t, CompatKnob, Knobs()[0].Name)
}

// TestOverrides: any allowed values are what the profile says, and nothing else of
// it changes.
func TestOverrides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		compat := rapid.SampledFrom([]Compat{OBS, AWS}).Draw(t, "compat")
		overrides := map[string]string{}
		for _, k := range Knobs()[1:] {
			if !rapid.Bool().Draw(t, k.Name) {
				continue
			}
			switch k.Type {
			case knob.TypeSize:
				overrides[k.Name] = knob.SizeText(rapid.Int64Range(1, maxMinPart).Draw(t, "size"))
			case knob.TypeCount:
				overrides[k.Name] = strconv.Itoa(rapid.IntRange(1, MaxBuckets).Draw(t, "count"))
			case knob.TypeDuration:
				overrides[k.Name] = rapid.SampledFrom([]time.Duration{time.Millisecond, 90 * time.Second, maxEarly200}).Draw(t, "duration").String()
			case knob.TypeText:
				overrides[k.Name] = rapid.StringMatching(`[!-~]([ -~]{0,30}[!-~])?`).Draw(t, "text")
			default:
				overrides[k.Name] = rapid.SampledFrom(k.Values).Draw(t, "value")
			}
		}
		p, err := New(compat, overrides)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range Knobs()[1:] {
			want, ok := overrides[k.Name]
			if !ok {
				want = k.Default(compat)
			}
			if got := k.Value(p); got != want {
				t.Fatalf("%s is %q, not %q", k.Name, got, want)
			}
		}
		settings := maps.Clone(overrides)
		settings[CompatKnob] = string(compat)
		merged, err := FromSettings(map[string]string{CompatKnob: "obs", "server-header": "node"}, settings)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := overrides["server-header"]; !ok {
			p.ServerHeader = "node"
		}
		if *merged != *p {
			t.Fatalf("%+v is not %+v", merged, p)
		}
	})
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"compat", "minio", `compat: "minio" is not one of obs, aws`},
		{"copy-range-past-end", "Clamp", `copy-range-past-end: "Clamp" is not one of clamp, invalid-range, invalid-argument`},
		{"multipart-initiator-only", "yes", "on or off"},
		{"min-part", "0", "between 1 and 5GiB"},
		{"min-part", "5.1GiB", "between 1 and 5GiB"},
		{"min-part", "-1", "size such as"},
		{"keepalive-interval", "0s", "between 1ms and 10m0s"},
		{"keepalive-interval", "5", "duration such as"},
		{"copy-early-200-after", "11m", "between"},
		{"server-header", "OBS\r\nX: y", "printable ASCII"},
		{"server-header", " OBS", "printable ASCII"},
		{"server-header", strings.Repeat("x", 65), "printable ASCII"},
		{"server_header", "x", `there is no setting "server_header"; there are answer-profile, check-md5-under-sse, `},
	} {
		err := Check(c.name, c.value)
		require.ErrorContains(t, err, c.want)
		require.Equal(t, errs.Invalid, errs.KindOf(err))
		_, err = New(OBS, map[string]string{c.name: c.value, "default-sse": "sse-s3"})
		require.ErrorContains(t, err, c.want)
		require.Equal(t, errs.Invalid, errs.KindOf(err))
	}
	_, err := New("minio", nil)
	require.ErrorContains(t, err, "obs, aws")
	_, err = New(OBS, map[string]string{"min-part": "x", "keepalive-interval": "y", "nothing": "z"})
	for _, name := range []string{"min-part", "keepalive-interval", "nothing"} {
		require.ErrorContains(t, err, name, "all that is wrong is told at once")
	}
}

// TestUnusableSettings: one that this node does not know, or cannot use, does not
// take the others with it.
func TestUnusableSettings(t *testing.T) {
	p, err := FromSettings(map[string]string{"min-part": "1MiB", "default-sse": "?"},
		map[string]string{"of-next-year": "on", "min-part": "many", "server-header": "x", "compat": "aws"})
	require.Equal(t, errs.Invalid, errs.KindOf(err))
	for _, name := range []string{"of-next-year", "min-part", "default-sse"} {
		require.ErrorContains(t, err, name)
	}
	want, err := New(AWS, map[string]string{"min-part": "1MiB", "server-header": "x"})
	require.NoError(t, err)
	require.Equal(t, want, p)
	p, err = FromSettings(nil, nil)
	require.NoError(t, err)
	require.Equal(t, Default(), p)
}
