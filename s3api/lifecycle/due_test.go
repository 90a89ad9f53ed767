package lifecycle_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/lifecycle"
)

func at(t require.TestingT, text string) time.Time {
	when, err := time.Parse(time.RFC3339Nano, text)
	require.NoError(t, err)
	return when
}

func parse(t require.TestingT, rules string) lifecycle.Rules {
	parsed, err := lifecycle.Parse([]byte("<LifecycleConfiguration>"+rules+"</LifecycleConfiguration>"), 0)
	require.NoError(t, err)
	return parsed
}

func rule(id, scope, actions string) string {
	return "<Rule><ID>" + id + "</ID>" + scope + "<Status>Enabled</Status>" + actions + "</Rule>"
}

const (
	all      = "<Filter/>"
	expire3  = "<Expiration><Days>3</Days></Expiration>"
	expire9  = "<Expiration><Days>9</Days></Expiration>"
	markers  = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
	onDate   = "<Expiration><Date>2026-02-01T00:00:00Z</Date></Expiration>"
	cold3    = "<Transition><Days>3</Days><StorageClass>GLACIER</StorageClass></Transition>"
	warm0    = "<Transition><Days>0</Days><StorageClass>STANDARD_IA</StorageClass></Transition>"
	older3   = "<NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays></NoncurrentVersionExpiration>"
	older3k2 = "<NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>"
	olderIA  = "<NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays><StorageClass>WARM</StorageClass></NoncurrentVersionTransition>"
	tagA     = "<Tag><Key>a</Key><Value>1</Value></Tag>"
	tagB     = "<Tag><Key>b</Key><Value>2</Value></Tag>"
)

// object is a latest version of 100 bytes that was made on 15 January, at 10:30.
func object(change func(*lifecycle.Subject)) *lifecycle.Subject {
	s := &lifecycle.Subject{Key: "logs/a", Latest: true, Alone: true,
		Version: &metapb.Version{Size: 100, ModifiedMs: time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC).UnixMilli()}}
	if change != nil {
		change(s)
	}
	return s
}

func older(newer int64) func(*lifecycle.Subject) {
	return func(s *lifecycle.Subject) {
		s.Latest, s.Alone, s.SucceededMs, s.Newer = false, false, s.Version.ModifiedMs, newer
		s.Version.ModifiedMs -= 1e10
	}
}

func class(name string) func(*lifecycle.Subject) {
	return func(s *lifecycle.Subject) { s.Version.Attributes = &metapb.Attributes{StorageClass: name} }
}

func tags(pairs ...*metapb.Pair) func(*lifecycle.Subject) {
	return func(s *lifecycle.Subject) { s.Version.Tags = pairs }
}

func marker(alone bool) func(*lifecycle.Subject) {
	return func(s *lifecycle.Subject) { s.Alone, s.Version.DeleteMarker, s.Version.Size = alone, true, 0 }
}

// TestDue is what becomes of a version, and from when on. A time "now" is of the
// moment it is looked at.
func TestDue(t *testing.T) {
	a, b := &metapb.Pair{Name: "a", Value: "1"}, &metapb.Pair{Name: "b", Value: "2"}
	filter := func(inner string) string { return "<Filter>" + inner + "</Filter>" }
	for name, c := range map[string]struct {
		rules  string
		change func(*lifecycle.Subject)
		from   string // Empty: never.
		expiry metapb.Expiry
		class  string
		rule   string
	}{
		"days round up to midnight":     {rule("r", all, expire3), nil, "2026-01-19T00:00:00Z", 1, "", "r"},
		"a date":                        {rule("r", all, onDate), nil, "2026-02-01T00:00:00Z", 1, "", "r"},
		"the earliest of two":           {rule("late", all, expire9) + rule("early", all, expire3), nil, "2026-01-19T00:00:00Z", 1, "", "early"},
		"another prefix":                {rule("r", filter("<Prefix>b</Prefix>"), expire3), nil, "", 0, "", ""},
		"the older form":                {rule("r", "<Prefix>logs/</Prefix>", expire3), nil, "2026-01-19T00:00:00Z", 1, "", "r"},
		"a tag":                         {rule("r", filter(tagA), expire3), tags(b, a), "2026-01-19T00:00:00Z", 1, "", "r"},
		"no tag":                        {rule("r", filter(tagA), expire3), nil, "", 0, "", ""},
		"both tags":                     {rule("r", filter("<And>"+tagA+tagB+"</And>"), expire3), tags(a, b), "2026-01-19T00:00:00Z", 1, "", "r"},
		"one of both tags":              {rule("r", filter("<And>"+tagA+tagB+"</And>"), expire3), tags(a), "", 0, "", ""},
		"larger":                        {rule("r", filter("<ObjectSizeGreaterThan>99</ObjectSizeGreaterThan>"), expire3), nil, "2026-01-19T00:00:00Z", 1, "", "r"},
		"not larger":                    {rule("r", filter("<ObjectSizeGreaterThan>100</ObjectSizeGreaterThan>"), expire3), nil, "", 0, "", ""},
		"smaller":                       {rule("r", filter("<ObjectSizeLessThan>101</ObjectSizeLessThan>"), expire3), nil, "2026-01-19T00:00:00Z", 1, "", "r"},
		"not smaller":                   {rule("r", filter("<ObjectSizeLessThan>100</ObjectSizeLessThan>"), expire3), nil, "", 0, "", ""},
		"to cold":                       {rule("r", all, cold3), nil, "2026-01-19T00:00:00Z", 0, "GLACIER", "r"},
		"is cold":                       {rule("r", all, cold3), class("GLACIER"), "", 0, "", ""},
		"never warmer":                  {rule("r", all, warm0), class("GLACIER"), "", 0, "", ""},
		"warm at once, cold later":      {rule("r", all, warm0+cold3), nil, "2026-01-16T00:00:00Z", 0, "STANDARD_IA", "r"},
		"from warm to cold":             {rule("r", all, warm0+cold3), class("STANDARD_IA"), "2026-01-19T00:00:00Z", 0, "GLACIER", "r"},
		"markers do not touch objects":  {rule("r", all, markers), nil, "", 0, "", ""},
		"a marker that hides nothing":   {rule("r", all, markers), marker(true), "2026-01-15T10:30:00Z", 3, "", "r"},
		"a marker that hides something": {rule("r", all, markers), marker(false), "", 0, "", ""},
		"a marker comes of age":         {rule("r", all, expire3), marker(true), "2026-01-19T00:00:00Z", 3, "", "r"},
		"a marker has no tags":          {rule("r", filter(tagA), expire3), marker(true), "", 0, "", ""},
		"a marker has no size":          {rule("r", filter("<ObjectSizeLessThan>5</ObjectSizeLessThan>"), expire3), marker(true), "", 0, "", ""},
		"older":                         {rule("r", all, older3), older(0), "2026-01-19T00:00:00Z", 2, "", "r"},
		"older but kept":                {rule("r", all, older3k2), older(1), "", 0, "", ""},
		"older than those kept":         {rule("r", all, older3k2), older(2), "2026-01-19T00:00:00Z", 2, "", "r"},
		"rules of the latest, older":    {rule("r", all, expire3+cold3), older(0), "", 0, "", ""},
		"rules of older, the latest":    {rule("r", all, older3+olderIA), nil, "", 0, "", ""},
		"an older one changes":          {rule("r", all, olderIA), older(0), "2026-01-17T00:00:00Z", 0, "STANDARD_IA", "r"},
		"an older marker goes":          {rule("r", all, older3), func(s *lifecycle.Subject) { older(0)(s); s.Version.DeleteMarker = true }, "2026-01-19T00:00:00Z", 2, "", "r"},
		"an older marker has no class":  {rule("r", all, olderIA), func(s *lifecycle.Subject) { older(0)(s); s.Version.DeleteMarker = true }, "", 0, "", ""},
		"disabled":                      {"<Rule><ID>r</ID><Filter/><Status>Disabled</Status>" + expire3 + "</Rule>", nil, "", 0, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			rules := parse(t, c.rules)
			if c.from == "" {
				_, due := rules.Due(object(c.change), at(t, "2999-01-01T00:00:00Z"))
				require.False(t, due)
				return
			}
			from := at(t, c.from)
			_, due := rules.Due(object(c.change), from.Add(-time.Millisecond))
			require.False(t, due, "it is early")
			v, due := rules.Due(object(c.change), from)
			require.True(t, due)
			require.Equal(t, lifecycle.Verdict{Expiry: c.expiry, Class: c.class, At: v.At, Rule: c.rule, ByTags: len(object(c.change).Version.Tags) > 0}, v)
			require.True(t, from.Equal(v.At), v.At)
		})
	}
}

// An end comes before a change of class, and a colder class before a warmer one.
func TestDuePrefers(t *testing.T) {
	late := at(t, "2030-01-01T00:00:00Z")
	v, due := parse(t, rule("cold", all, cold3)+rule("end", all, expire9)).Due(object(nil), late)
	require.True(t, due)
	require.Equal(t, "end", v.Rule)
	v, _ = parse(t, rule("warm", all, warm0)+rule("cold", all, cold3)+rule("warm too", all, warm0)).Due(object(nil), late)
	require.Equal(t, "cold", v.Rule)
}

func TestExpiration(t *testing.T) {
	rules := parse(t, rule("late", all, expire9)+rule("tagged", "<Filter>"+tagA+"</Filter>", expire3)+rule("class", all, cold3)+rule("m", all, markers))
	when, id := rules.Expiration("k", object(nil).Version)
	require.Equal(t, "late", id)
	require.Equal(t, at(t, "2026-01-25T00:00:00Z"), when)
	_, id = rules.Expiration("k", object(tags(&metapb.Pair{Name: "a", Value: "1"})).Version)
	require.Equal(t, "tagged", id)
	when, _ = parse(t, rule("m", all, markers+cold3)).Expiration("k", object(nil).Version)
	require.True(t, when.IsZero())
}

func TestAbort(t *testing.T) {
	abort := func(days string) string {
		return "<AbortIncompleteMultipartUpload><DaysAfterInitiation>" + days + "</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
	}
	rules := parse(t, rule("1", all, abort("5"))+rule("2", "<Filter><Prefix>a</Prefix></Filter>", abort("3"))+rule("3", all, expire3))
	for _, c := range []struct{ key, initiated, want, rule string }{
		{"a", "2026-01-15T10:30:00Z", "2026-01-19T00:00:00Z", "2"},
		{"b", "2026-01-15T23:59:59.999Z", "2026-01-21T00:00:00Z", "1"},
		{"a", "2026-01-15T00:00:00Z", "2026-01-19T00:00:00Z", "2"},
		{"a", "2026-01-16T03:30:00+05:30", "2026-01-19T00:00:00Z", "2"}, // 22:00 of the 15th in UTC.
		{"a", "2028-02-25T12:00:00Z", "2028-02-29T00:00:00Z", "2"},
	} {
		when, id := rules.Abort(c.key, at(t, c.initiated).UnixMilli())
		require.Equal(t, c.want, when.Format(time.RFC3339Nano))
		require.Equal(t, c.rule, id)
	}
	when, _ := parse(t, rule("r", all, expire3)).Abort("a", 0)
	require.True(t, when.IsZero())
}

// A time is a midnight that lies more than the days after, and at most one day more;
// with another day, all of it is in units of that.
func TestTimes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := rapid.SampledFrom([]time.Duration{0, 24 * time.Hour, 10 * time.Second, time.Minute}).Draw(t, "day")
		made := time.UnixMilli(rapid.Int64Range(0, 1<<43).Draw(t, "made"))
		rules, err := lifecycle.Parse([]byte("<LifecycleConfiguration>"+rule("r", all, expire3)+"</LifecycleConfiguration>"), day)
		require.NoError(t, err)
		when, _ := rules.Expiration("k", &metapb.Version{ModifiedMs: made.UnixMilli()})
		if day == 0 {
			day = lifecycle.DefaultDay
		}
		require.Zero(t, when.UnixMilli()%day.Milliseconds())
		require.Greater(t, when.Sub(made), 3*day)
		require.LessOrEqual(t, when.Sub(made), 4*day)
	})
}

func TestPrefixAndAny(t *testing.T) {
	in := func(p string) string { return "<Filter><Prefix>" + p + "</Prefix></Filter>" }
	require.Equal(t, "log", parse(t, rule("1", in("logs/a"), expire3)+rule("2", in("log-b"), cold3)).Prefix())
	require.Empty(t, parse(t, rule("1", in("logs"), expire3)+rule("2", all, cold3)).Prefix())
	require.True(t, parse(t, rule("1", all, olderIA)).Any())
	require.False(t, parse(t, rule("1", all, "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>")).Any())
	require.False(t, lifecycle.Rules{}.Any())
}

func TestWantTags(t *testing.T) {
	tagged := rule("1", "<Filter><And><Prefix>logs/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>",
		expire3)
	rules := parse(t, tagged+rule("2", all, cold3))
	require.True(t, rules.WantTags("logs/a"))
	require.False(t, rules.WantTags("a"))
	require.False(t, parse(t, rule("2", all, cold3)).WantTags("logs/a"))
}

func TestRead(t *testing.T) {
	rules, err := lifecycle.Read(&metapb.BucketConfig{Parts: []*metapb.ConfigPart{{Name: "acl", Value: []byte("x")}}}, 0)
	require.NoError(t, err)
	require.False(t, rules.Any())
	_, err = lifecycle.Read(&metapb.BucketConfig{Parts: []*metapb.ConfigPart{{Name: lifecycle.Part, Value: []byte("x")}}}, 0)
	require.Equal(t, errs.Corrupt, errs.KindOf(err))
}
