package main

import (
	"encoding/xml"
	"net/url"
)

// removeAll deletes what the cases have made, and leaves what cannot be deleted.
func (w *world) removeAll() {
	for _, b := range w.buckets {
		w.empty(b)
		_, _ = w.try(call{method: "DELETE", bucket: b})
	}
}

// listed is a page of the uploads or of the versions of a bucket, and where the next one begins.
type listed struct {
	Upload                                                 []struct{ Key, UploadId string }
	Version, DeleteMarker                                  []struct{ Key, VersionId string }
	IsTruncated                                            bool
	NextKeyMarker, NextUploadIdMarker, NextVersionIdMarker string
}

func (w *world) empty(bucket string) {
	w.pages(bucket, "uploads", func(page *listed) {
		for _, u := range page.Upload {
			w.remove(bucket, u.Key, "uploadId", u.UploadId)
		}
	})
	w.pages(bucket, "versions", func(page *listed) {
		for _, v := range append(page.Version, page.DeleteMarker...) {
			w.remove(bucket, v.Key, "versionId", v.VersionId)
		}
	})
}

func (w *world) remove(bucket, key, parameter, id string) {
	_, _ = w.try(call{method: "DELETE", bucket: bucket, key: key, query: parameter + "=" + url.QueryEscape(id)})
}

// pages calls f with each page of a list. It ends early if one cannot be read, or does not say where
// the next one begins, or says what the one before it has said.
func (w *world) pages(bucket, of string, f func(*listed)) {
	for query := of; ; {
		var page listed
		a, err := w.try(call{method: "GET", bucket: bucket, query: query})
		if err != nil || xml.Unmarshal(a.body, &page) != nil {
			return
		}
		f(&page)
		if !page.IsTruncated || page.NextKeyMarker == "" {
			return
		}
		before := query
		query = of + "&key-marker=" + url.QueryEscape(page.NextKeyMarker)
		if page.NextUploadIdMarker != "" {
			query += "&upload-id-marker=" + url.QueryEscape(page.NextUploadIdMarker)
		}
		if page.NextVersionIdMarker != "" {
			query += "&version-id-marker=" + url.QueryEscape(page.NextVersionIdMarker)
		}
		if query == before {
			return
		}
	}
}
