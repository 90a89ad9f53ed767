package lifecycle_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/lifecycle"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func check(t *testing.T, rules string) error {
	doc, err := wirexml.ParseLifecycle([]byte("<LifecycleConfiguration>" + rules + "</LifecycleConfiguration>"))
	require.NoError(t, err, rules)
	return lifecycle.Check(doc)
}

// TestCheck is what S3 refuses of rules that are well formed.
func TestCheck(t *testing.T) {
	prefix := func(p string) string { return "<Prefix>" + p + "</Prefix>" }
	move := func(days, class string) string {
		return "<Transition><Days>" + days + "</Days><StorageClass>" + class + "</StorageClass></Transition>"
	}
	moveOn := func(date, class string) string {
		return "<Transition><Date>" + date + "T00:00:00Z</Date><StorageClass>" + class + "</StorageClass></Transition>"
	}
	moveOld := func(days, class string) string {
		return "<NoncurrentVersionTransition><NoncurrentDays>" + days + "</NoncurrentDays><StorageClass>" + class + "</StorageClass></NoncurrentVersionTransition>"
	}
	sized := "<Filter><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></Filter>"
	for _, c := range []struct{ rules, code, says string }{
		{rule("1", all, expire3) + rule("2", all, expire9), "", ""}, // Filters may overlap.
		{rule("1", all, move("0", "STANDARD_IA")+move("1", "GLACIER")+expire3), "", ""},
		{rule("1", all, move("1", "GLACIER")+move("0", "WARM")), "", ""}, // In whatever order they stand.
		{rule("1", all, moveOn("2026-01-01", "STANDARD_IA")+moveOn("2026-02-01", "COLD")+"<Expiration><Date>2026-03-01T00:00:00Z</Date></Expiration>"), "", ""},
		{rule("1", prefix("a"), expire3) + rule("2", prefix("ab"), cold3), "", ""}, // Of other actions.
		{rule("1", all, markers+older3k2), "", ""},

		{rule("1", all, expire3) + rule("1", all, cold3), "InvalidArgument", "Rule ID must be unique"},
		{rule("1", prefix("a"), expire3) + rule("2", all, expire3), "InvalidRequest", "Either all rules"},
		{rule("1", prefix("a"), expire3) + rule("2", prefix("ab"), expire3), "InvalidRequest", "overlapping prefixes 'a' and 'ab' for same action type 'Expiration'"},
		{rule("1", prefix("a"), older3) + rule("2", prefix("a"), older3), "InvalidRequest", "NoncurrentVersionExpiration"},
		{rule("1", "<Filter>"+prefix(strings.Repeat("p", 1025))+"</Filter>", expire3), "InvalidRequest", "maximum size of a prefix"},
		{rule("1", "<Filter><And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>5</ObjectSizeLessThan></And></Filter>", expire3), "InvalidRequest", "greater than 'ObjectSizeGreaterThan'"},
		{rule("1", "<Filter>"+tagA+"</Filter>", markers), "InvalidRequest", "ExpiredObjectDeleteMarker cannot be specified with Tags"},
		{rule("1", sized, markers), "InvalidRequest", "ExpiredObjectDeleteMarker cannot be specified with ObjectSize"},
		{rule("1", all, "<Expiration><Days>1000001</Days></Expiration>"), "InvalidArgument", "Days must be at most"},
		{rule("1", all, strings.ReplaceAll(older3k2, ">2<", ">101<")), "InvalidArgument", "NewerNoncurrentVersions must be at most 100"},
		{rule("1", all, move("1", "STANDARD")), "InvalidStorageClass", "STANDARD_IA or GLACIER"},
		{rule("1", all, moveOld("1", "DEEP")), "InvalidStorageClass", "NoncurrentVersionTransition"},
		{rule("1", all, move("5", "STANDARD_IA")+move("5", "GLACIER")), "InvalidArgument", "must be greater than for StorageClass 'STANDARD_IA'"},
		{rule("1", all, move("5", "STANDARD_IA")+move("6", "WARM")), "InvalidRequest", "must be different"},
		{rule("1", all, move("5", "STANDARD_IA")+moveOn("2026-01-01", "GLACIER")), "InvalidRequest", "Found mixed"},
		{rule("1", all, moveOn("2026-02-01", "STANDARD_IA")+moveOn("2026-02-01", "GLACIER")), "InvalidArgument", "must be greater"},
		{rule("1", all, move("3", "GLACIER")+expire3), "InvalidArgument", "Expiration action must be greater"},
		{rule("1", all, move("3", "GLACIER")+onDate), "InvalidRequest", "Found mixed"},
		{rule("1", all, moveOn("2026-02-01", "GLACIER")+onDate), "InvalidArgument", "Expiration action must be greater"},
		{rule("1", all, moveOld("3", "GLACIER")+older3), "InvalidArgument", "NoncurrentVersionExpiration action must be greater"},
		{rule("1", all, moveOld("3", "STANDARD_IA")+moveOld("2", "GLACIER")), "InvalidArgument", "'NoncurrentDays'"},
	} {
		err := check(t, c.rules)
		if c.code == "" {
			require.NoError(t, err, c.rules)
			continue
		}
		var s3 *s3err.Error
		require.True(t, errors.As(err, &s3), "%s: %v", c.rules, err)
		require.Equal(t, c.code, string(s3.Code), c.rules)
		require.Contains(t, s3.Message, c.says, c.rules)
	}
}
