package s3api

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// Lists tell how restores stand to whom asks for it, and to no other.
func TestListRestoreStatus(t *testing.T) {
	w := newWorld(t)
	w.ok(w.root, "PUT", "/bkt", "")
	w.ok(w.root, "PUT", "/bkt/warm", "x")
	w.ok(w.root, "PUT", "/bkt/cold", "x", "x-amz-storage-class: GLACIER")
	w.ok(w.root, "PUT", "/bkt/restored", "x", "x-amz-storage-class: GLACIER")
	w.ok(w.root, "POST", "/bkt/restored?restore", "<RestoreRequest><Days>1</Days></RestoreRequest>")
	const told = "<StorageClass>GLACIER</StorageClass><RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus>"
	for _, path := range []string{"/bkt", "/bkt?list-type=2", "/bkt?versions"} {
		require.NotContains(t, w.ok(w.root, "GET", path, "").body, "RestoreStatus", path)
		body := w.ok(w.root, "GET", path, "", "x-amz-optional-object-attributes: RestoreStatus").body
		require.Equal(t, 1, strings.Count(body, "<RestoreStatus>"), body)
		require.Contains(t, body[strings.Index(body, "<Key>restored<"):], told)
		w.refused("InvalidArgument", w.root, "GET", path, "", "x-amz-optional-object-attributes: Colour")
	}
}

func TestRestoreToShow(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	warm := &metapb.Restore{ExpiresMs: 1_000_001}
	require.Nil(t, toShow(false, warm, now))
	require.Nil(t, toShow(true, nil, now))
	require.Nil(t, toShow(true, &metapb.Restore{ExpiresMs: 1_000_000}, now), "it has expired")
	doc := wirexml.ListObjects{Listing: wirexml.Listing{Entries: []*metapb.ListEntry{{Key: "k", Restore: toShow(true, warm, now)}}}}
	require.Contains(t, string(doc.AppendXML(nil, "")),
		"<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress><RestoreExpiryDate>1970-01-01T00:16:40.001Z</RestoreExpiryDate></RestoreStatus></Contents>")
}
