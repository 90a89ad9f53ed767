package transfertest

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// source returns the object that a copy reads, of the whole or of a range.
func (f *Fake) source(r *http.Request) (*Object, []byte, int, string) {
	path, err := url.PathUnescape(strings.TrimPrefix(r.Header.Get("x-amz-copy-source"), "/"))
	bucket, key, _ := strings.Cut(path, "/")
	o := f.buckets[bucket][key]
	switch {
	case err != nil:
		return nil, nil, 400, "InvalidArgument"
	case o == nil:
		return nil, nil, 404, "NoSuchKey"
	}
	if want := r.Header.Get("x-amz-copy-source-if-match"); want != "" && strings.Trim(want, `"`) != o.ETag {
		return nil, nil, 412, "PreconditionFailed"
	}
	body := o.Body
	var from, to int
	if n, _ := fmt.Sscanf(r.Header.Get("x-amz-copy-source-range"), "bytes=%d-%d", &from, &to); n == 2 {
		if to >= len(body) {
			return nil, nil, 416, "InvalidRange"
		}
		body = body[from : to+1]
	}
	return o, body, 0, ""
}

func (f *Fake) copyObject(w http.ResponseWriter, r *http.Request, bucket, key string) {
	o, body, status, code := f.source(r)
	if o == nil {
		refuse(w, status, code)
		return
	}
	header := o.Header
	if r.Header.Get("x-amz-metadata-directive") == "REPLACE" {
		header = r.Header
	}
	made := f.object(body, header)
	made.Tags = o.Tags
	f.buckets[bucket][key] = made
	fmt.Fprintf(w, "<CopyObjectResult><ETag>&quot;%s&quot;</ETag></CopyObjectResult>", made.ETag)
}

func (f *Fake) multipart(w http.ResponseWriter, r *http.Request, bucket, key string, q url.Values, body []byte) {
	if r.Method == http.MethodPost && q.Has("uploads") {
		f.serial++
		id := fmt.Sprintf("upload-%d", f.serial)
		f.uploads[id] = &upload{bucket, key, r.Header.Clone(), map[int]*Object{},
			r.Header.Get("x-amz-checksum-algorithm") != ""}
		fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", id)
		return
	}
	id := q.Get("uploadId")
	u := f.uploads[id]
	if u == nil || u.bucket != bucket || u.key != key {
		refuse(w, 404, "NoSuchUpload")
		return
	}
	n, _ := strconv.Atoi(q.Get("partNumber"))
	switch {
	case r.Method == http.MethodPut && r.Header.Get("x-amz-copy-source") != "":
		o, part, status, code := f.source(r)
		if o == nil {
			refuse(w, status, code)
			return
		}
		u.parts[n] = f.object(part, http.Header{})
		fmt.Fprintf(w, "<CopyPartResult><ETag>&quot;%s&quot;</ETag></CopyPartResult>", u.parts[n].ETag)
	case r.Method == http.MethodPut:
		u.parts[n] = f.object(body, http.Header{})
		w.Header().Set("ETag", `"`+u.parts[n].ETag+`"`)
	case r.Method == http.MethodDelete:
		delete(f.uploads, id)
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodGet:
		f.listParts(w, u, q)
	default:
		f.complete(w, r, id, u, body)
	}
}

func (f *Fake) listParts(w http.ResponseWriter, u *upload, q url.Values) {
	after, _ := strconv.Atoi(q.Get("part-number-marker"))
	most := 1000
	if f.PageMax > 0 {
		most = f.PageMax
	}
	fmt.Fprint(w, "<ListPartsResult>")
	listed, last := 0, 0
	for _, n := range slices.Sorted(maps.Keys(u.parts)) {
		if n <= after {
			continue
		}
		if listed == most {
			fmt.Fprintf(w, "<IsTruncated>true</IsTruncated><NextPartNumberMarker>%d</NextPartNumberMarker>", last)
			break
		}
		p := u.parts[n]
		listed, last = listed+1, n
		fmt.Fprintf(w, "<Part><PartNumber>%d</PartNumber><Size>%d</Size><ETag>&quot;%s&quot;</ETag>", n, len(p.Body), p.ETag)
		if u.checksum {
			fmt.Fprintf(w, "<ChecksumCRC64NVME>%s</ChecksumCRC64NVME>", crc(p.Body))
		}
		fmt.Fprint(w, "</Part>")
	}
	fmt.Fprint(w, "</ListPartsResult>")
}

func (f *Fake) complete(w http.ResponseWriter, r *http.Request, id string, u *upload, body []byte) {
	var doc struct {
		Part []struct {
			PartNumber int
			ETag       string
		}
	}
	if xml.Unmarshal(body, &doc) != nil || len(doc.Part) == 0 {
		refuse(w, 400, "MalformedXML")
		return
	}
	var whole, sums []byte
	for i, p := range doc.Part {
		have := u.parts[p.PartNumber]
		if have == nil || strings.Trim(p.ETag, `"`) != have.ETag || i > 0 && p.PartNumber <= doc.Part[i-1].PartNumber {
			refuse(w, 400, "InvalidPart")
			return
		}
		whole = append(whole, have.Body...)
		sum, _ := hex.DecodeString(have.ETag)
		sums = append(sums, sum...)
	}
	if want := r.Header.Get(crcHeader); want != "" && want != crc(whole) {
		refuse(w, 400, "BadDigest")
		return
	}
	o := f.object(whole, u.header)
	sum := md5.Sum(sums)
	o.ETag = fmt.Sprintf("%s-%d", hex.EncodeToString(sum[:]), len(doc.Part))
	if !u.checksum {
		o.CRC = ""
	}
	f.buckets[u.bucket][u.key] = o
	delete(f.uploads, id)
	fmt.Fprintf(w, "<CompleteMultipartUploadResult><ETag>&quot;%s&quot;</ETag></CompleteMultipartUploadResult>", o.ETag)
}

func (f *Fake) listUploads(w http.ResponseWriter, bucket string) {
	fmt.Fprint(w, "<ListMultipartUploadsResult><EncodingType>url</EncodingType>")
	for _, id := range slices.Sorted(maps.Keys(f.uploads)) {
		if u := f.uploads[id]; u.bucket == bucket {
			fmt.Fprintf(w, "<Upload><Key>%s</Key><UploadId>%s</UploadId><Initiated>%s</Initiated></Upload>",
				url.QueryEscape(u.key), id, Begun.Format(time.RFC3339))
		}
	}
	fmt.Fprint(w, "</ListMultipartUploadsResult>")
}

// tagging keeps tags as a query.
func (f *Fake) tagging(w http.ResponseWriter, r *http.Request, o *Object, body []byte) {
	if o == nil {
		refuse(w, 404, "NoSuchKey")
		return
	}
	switch r.Method {
	case http.MethodDelete:
		o.Tags = ""
		w.WriteHeader(http.StatusNoContent)
	case http.MethodPut:
		var doc struct {
			Tag []struct{ Key, Value string } `xml:"TagSet>Tag"`
		}
		if xml.Unmarshal(body, &doc) != nil {
			refuse(w, 400, "MalformedXML")
			return
		}
		set := url.Values{}
		for _, t := range doc.Tag {
			set.Set(t.Key, t.Value)
		}
		o.Tags = set.Encode()
	default:
		set, _ := url.ParseQuery(o.Tags)
		fmt.Fprint(w, "<Tagging><TagSet>")
		for _, k := range slices.Sorted(maps.Keys(set)) {
			fmt.Fprintf(w, "<Tag><Key>%s</Key><Value>%s</Value></Tag>", k, set.Get(k))
		}
		fmt.Fprint(w, "</TagSet></Tagging>")
	}
}
