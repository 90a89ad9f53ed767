package s3api

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func retentionDocument(mode string, until time.Time) string {
	return "<Retention><Mode>" + mode + "</Mode><RetainUntilDate>" + until.UTC().Format(time.RFC3339) + "</RetainUntilDate></Retention>"
}

func lockDocument(rule string) string {
	return "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>" + rule + "</ObjectLockConfiguration>"
}

func defaultRetention(inner string) string {
	return "<Rule><DefaultRetention>" + inner + "</DefaultRetention></Rule>"
}

const lockedBucket = "X-Amz-Bucket-Object-Lock-Enabled: true"

// TestBucketLock: the lock of a bucket, from where it is turned on to where it cannot be
// turned off.
func TestBucketLock(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "", lockedBucket)
	require.Equal(t, "Enabled", element(w.ok(owner, "GET", "/bkt?versioning", "").body, "Status"))
	require.Contains(t, w.ok(owner, "GET", "/bkt?object-lock", "").body, "<ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>")
	w.refused("InvalidBucketState", owner, "PUT", "/bkt?versioning", versioningDocument("Suspended"))
	w.ok(owner, "PUT", "/bkt?object-lock", lockDocument(defaultRetention("<Mode>GOVERNANCE</Mode><Days>3</Days>")))
	require.Contains(t, w.ok(owner, "GET", "/bkt?object-lock", "").body, defaultRetention("<Mode>GOVERNANCE</Mode><Days>3</Days>"))
	h := w.ok(owner, "HEAD", "/bkt/"+w.put(owner, "/bkt/k", "x"), "").Header
	require.Equal(t, "GOVERNANCE", h.Get("X-Amz-Object-Lock-Mode"))
	until, err := time.Parse(time.RFC3339, h.Get("X-Amz-Object-Lock-Retain-Until-Date"))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().AddDate(0, 0, 3), until, time.Minute)
	w.ok(owner, "PUT", "/bkt?object-lock", lockDocument(defaultRetention("<Mode>COMPLIANCE</Mode><Years>1</Years>")))
	require.Contains(t, w.ok(owner, "GET", "/bkt?object-lock", "").body, "<Years>1</Years>")

	for doc, code := range map[string]string{
		"<ObjectLockConfiguration/>":                                                            "MalformedXML",
		lockDocument(defaultRetention("<Mode>GOVERNANCE</Mode>")):                               "MalformedXML",
		lockDocument(defaultRetention("<Days>1</Days>")):                                        "MalformedXML",
		lockDocument(defaultRetention("<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>")): "MalformedXML",
		lockDocument(defaultRetention("<Mode>governance</Mode><Days>1</Days>")):                 "MalformedXML",
		lockDocument(defaultRetention("<Mode>GOVERNANCE</Mode><Days>0</Days>")):                 "InvalidArgument",
		lockDocument(defaultRetention("<Mode>GOVERNANCE</Mode><Years>101</Years>")):             "InvalidArgument",
		lockDocument(defaultRetention("<Mode>GOVERNANCE</Mode><Days>36501</Days>")):             "InvalidArgument",
	} {
		w.refused(code, owner, "PUT", "/bkt?object-lock", doc)
	}
	// Without it.
	w.ok(owner, "PUT", "/plain", "")
	w.ok(owner, "PUT", "/plain/k", "x")
	w.refused("ObjectLockConfigurationNotFoundError", owner, "GET", "/plain?object-lock", "")
	w.refused("InvalidBucketState", owner, "PUT", "/plain?object-lock", lockDocument(""))
	w.refused("InvalidRequest", owner, "GET", "/plain/k?retention", "")
	w.refused("InvalidRequest", owner, "GET", "/plain/k?legal-hold", "")
	w.refused("InvalidRequest", owner, "PUT", "/plain/k?legal-hold", "<LegalHold><Status>ON</Status></LegalHold>")
	w.refused("InvalidRequest", owner, "PUT", "/plain/k", "x", "X-Amz-Object-Lock-Legal-Hold: ON")
	// A bucket with versions can get it later.
	w.ok(owner, "PUT", "/plain?versioning", versioningDocument("Enabled"))
	w.ok(owner, "PUT", "/plain?object-lock", lockDocument(""))
	w.ok(owner, "PUT", "/plain/k?versionId=null&legal-hold", "<LegalHold><Status>ON</Status></LegalHold>")
	w.refused("AccessDenied", owner, "DELETE", "/plain/k?versionId=null", "")
}

// put stores an object and returns its key with its version.
func (w *world) put(p *person, path, body string, headers ...string) string {
	r := w.ok(p, "PUT", path, body, headers...)
	return path[strings.LastIndexByte(path, '/')+1:] + "?versionId=" + versionOf(r)
}

// TestLocks: what is locked stays, whoever asks, in whatever way, until who may lifts it.
func TestLocks(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "", lockedBucket)
	soon, later := time.Now().Add(time.Hour), time.Now().Add(48*time.Hour)
	headers := func(mode string) []string {
		return []string{"X-Amz-Object-Lock-Mode: " + mode, "X-Amz-Object-Lock-Retain-Until-Date: " + soon.UTC().Format(time.RFC3339)}
	}
	const bypass = "X-Amz-Bypass-Governance-Retention: true"
	const on, off = "<LegalHold><Status>ON</Status></LegalHold>", "<LegalHold><Status>OFF</Status></LegalHold>"
	w.ok(owner, "PUT", "/bkt/source", "x")
	u := "uploadId=" + element(w.ok(owner, "POST", "/bkt/m?uploads", "", headers("COMPLIANCE")...).body, "UploadId")
	etag := w.ok(owner, "PUT", "/bkt/m?partNumber=1&"+u, "x").Header.Get("ETag")
	m := versionOf(w.ok(owner, "POST", "/bkt/m?"+u, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+etag+"</ETag></Part></CompleteMultipartUpload>"))
	comply := "/bkt/" + w.put(owner, "/bkt/c", "x", headers("COMPLIANCE")...)
	govern := "/bkt/" + w.put(owner, "/bkt/g", "x", headers("GOVERNANCE")...)
	held := "/bkt/" + w.put(owner, "/bkt/h", "x", "X-Amz-Object-Lock-Legal-Hold: ON")
	copied := "/bkt/" + w.put(owner, "/bkt/copy", "", append(headers("COMPLIANCE"), "X-Amz-Copy-Source: bkt/source")...)
	for _, path := range []string{comply, govern, held, copied, "/bkt/m?versionId=" + m} {
		w.refused("AccessDenied", owner, "DELETE", path, "")
		if path != govern {
			w.refused("AccessDenied", owner, "DELETE", path, "", bypass)
			w.refused("AccessDenied", w.root, "DELETE", path, "", bypass)
		}
		w.ok(owner, "GET", path, "")
	}
	// A copy of what is locked is not.
	w.ok(owner, "DELETE", "/bkt/"+w.put(owner, "/bkt/free", "", "X-Amz-Copy-Source: bkt/c"), "")
	// One by one in a DeleteObjects, and hidden by a marker.
	key, version, _ := strings.Cut(strings.TrimPrefix(comply, "/bkt/"), "?versionId=")
	body := "<Delete><Object><Key>" + key + "</Key><VersionId>" + version + "</VersionId></Object><Object><Key>c</Key></Object></Delete>"
	doc := w.ok(owner, "POST", "/bkt?delete", body, "Content-MD5: "+md5Of(body), bypass).body
	require.Contains(t, doc, "<Code>AccessDenied</Code>")
	require.Contains(t, doc, "<DeleteMarker>true</DeleteMarker>")
	w.ok(owner, "GET", comply, "")

	h := w.ok(owner, "HEAD", held, "").Header
	require.Equal(t, "ON", h.Get("X-Amz-Object-Lock-Legal-Hold"))
	require.Contains(t, w.ok(owner, "GET", held+"&legal-hold", "").body, "<Status>ON</Status>")
	w.refused("NoSuchObjectLockConfiguration", owner, "GET", held+"&retention", "")
	w.ok(owner, "PUT", held+"&legal-hold", off)
	require.Contains(t, w.ok(owner, "GET", held+"&legal-hold", "").body, "<Status>OFF</Status>")
	w.ok(owner, "DELETE", held, "")

	require.Contains(t, w.ok(owner, "GET", comply+"&retention", "").body, "<Mode>COMPLIANCE</Mode><RetainUntilDate>"+soon.UTC().Format("2006-01-02T15:04:05"))
	w.ok(owner, "PUT", comply+"&retention", retentionDocument("COMPLIANCE", later))
	w.refused("AccessDenied", owner, "PUT", comply+"&retention", retentionDocument("COMPLIANCE", soon), bypass)
	w.refused("AccessDenied", owner, "PUT", comply+"&retention", retentionDocument("GOVERNANCE", later), bypass)
	w.refused("AccessDenied", owner, "PUT", comply+"&retention", "<Retention/>", bypass)
	w.ok(owner, "PUT", govern+"&retention", retentionDocument("GOVERNANCE", later))
	w.refused("AccessDenied", owner, "PUT", govern+"&retention", retentionDocument("GOVERNANCE", soon))
	w.refused("AccessDenied", owner, "PUT", govern+"&retention", retentionDocument("COMPLIANCE", later))
	// Whoever has no right to pass by does not.
	user := w.user(owner, "user", statements(`{"Effect":"Allow","Action":["s3:PutObjectRetention","s3:DeleteObject*"],"Resource":"*"}`))
	w.refused("AccessDenied", user, "PUT", govern+"&retention", "<Retention/>", bypass)
	w.refused("AccessDenied", user, "DELETE", govern, "", bypass)
	w.ok(owner, "PUT", govern+"&retention", retentionDocument("GOVERNANCE", soon), bypass)
	w.ok(owner, "DELETE", govern, "", bypass)
	w.ok(owner, "PUT", copied+"&legal-hold", on)

	w.refused("MalformedXML", owner, "PUT", comply+"&retention", "<Retention><Mode>COMPLIANCE</Mode></Retention>")
	w.refused("InvalidArgument", owner, "PUT", comply+"&retention", retentionDocument("COMPLIANCE", time.Now().Add(-time.Hour)))
	w.refused("MalformedXML", owner, "PUT", comply+"&legal-hold", "<LegalHold><Status>MAYBE</Status></LegalHold>")
	for _, bad := range [][]string{
		{"X-Amz-Object-Lock-Mode: COMPLIANCE"},
		{"X-Amz-Object-Lock-Retain-Until-Date: 2999-01-01T00:00:00Z"},
		{"X-Amz-Object-Lock-Mode: compliance", "X-Amz-Object-Lock-Retain-Until-Date: 2999-01-01T00:00:00Z"},
		{"X-Amz-Object-Lock-Mode: COMPLIANCE", "X-Amz-Object-Lock-Retain-Until-Date: tomorrow"},
		{"X-Amz-Object-Lock-Mode: COMPLIANCE", "X-Amz-Object-Lock-Retain-Until-Date: 2001-01-01T00:00:00Z"},
		{"X-Amz-Object-Lock-Legal-Hold: yes"},
	} {
		w.refused("InvalidArgument", owner, "PUT", "/bkt/new", "x", bad...)
	}
}

// TestLockConditions: policies bound how long, in which mode and whether at all.
func TestLockConditions(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "", lockedBucket)
	user := w.user(owner, "user", statements(
		`{"Effect":"Allow","Action":["s3:PutObject","s3:GetObject"],"Resource":"*"}`,
		`{"Effect":"Allow","Action":"s3:PutObjectRetention","Resource":"*","Condition":{"StringEquals":{"s3:object-lock-mode":"GOVERNANCE"},"NumericLessThanEquals":{"s3:object-lock-remaining-retention-days":"10"}}}`,
		`{"Effect":"Allow","Action":"s3:PutObjectLegalHold","Resource":"*","Condition":{"StringEquals":{"s3:object-lock-legal-hold":"ON"}}}`))
	put := func(mode string, days int) string {
		until := time.Now().AddDate(0, 0, days).UTC().Format(time.RFC3339)
		return w.as(user, "PUT", "/bkt/k", "x", "X-Amz-Object-Lock-Mode: "+mode, "X-Amz-Object-Lock-Retain-Until-Date: "+until).code()
	}
	require.Empty(t, put("GOVERNANCE", 10))
	require.Equal(t, "AccessDenied", put("GOVERNANCE", 11))
	require.Equal(t, "AccessDenied", put("COMPLIANCE", 1))
	w.ok(user, "PUT", "/bkt/k?retention", retentionDocument("GOVERNANCE", time.Now().AddDate(0, 0, 10)))
	w.refused("AccessDenied", user, "PUT", "/bkt/k?retention", retentionDocument("COMPLIANCE", time.Now().AddDate(0, 0, 10)))
	w.ok(user, "PUT", "/bkt/k?legal-hold", "<LegalHold><Status>ON</Status></LegalHold>")
	w.refused("AccessDenied", user, "PUT", "/bkt/k?legal-hold", "<LegalHold><Status>OFF</Status></LegalHold>")
	// Who may not know of a lock is not told.
	h := w.ok(user, "GET", "/bkt/k", "").Header
	require.Empty(t, h.Get("X-Amz-Object-Lock-Mode"))
	require.Empty(t, h.Get("X-Amz-Object-Lock-Legal-Hold"))
}
