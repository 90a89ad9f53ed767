package s3api

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/wirexml"
)

// taggingOf returns a document of tags, given as KEY=VALUE.
func taggingOf(tags ...string) string {
	doc := "<Tagging><TagSet>"
	for _, t := range tags {
		k, v, _ := strings.Cut(t, "=")
		doc += "<Tag><Key>" + k + "</Key><Value>" + v + "</Value></Tag>"
	}
	return doc + "</TagSet></Tagging>"
}

// TestObjectTagging: tags are a version's, and each answer says of which.
func TestObjectTagging(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt?versioning", versioningDocument("Enabled"))
	first := versionOf(w.ok(owner, "PUT", "/bkt/k", "one", "X-Amz-Tagging: a%20b=1&c"))
	second := versionOf(w.ok(owner, "PUT", "/bkt/k", "two"))
	tags := func(query string) string {
		return strings.ReplaceAll(strings.TrimPrefix(element(w.ok(owner, "GET", "/bkt/k?tagging"+query, "").body, "TagSet"), ""), "<Tag>", "")
	}
	for query, version := range map[string]string{"": second, "&versionId=" + first: first} {
		require.Equal(t, version, versionOf(w.ok(owner, "GET", "/bkt/k?tagging"+query, "")))
	}
	doc := w.ok(owner, "GET", "/bkt/k?tagging&versionId="+first, "").body
	require.Contains(t, doc, "<Tag><Key>a b</Key><Value>1</Value></Tag><Tag><Key>c</Key><Value></Value></Tag>")
	require.Contains(t, w.ok(owner, "GET", "/bkt/k?tagging", "").body, "<TagSet></TagSet>")

	r := w.ok(owner, "PUT", "/bkt/k?tagging", taggingOf("x=1", "y=2"))
	require.Equal(t, second, versionOf(r))
	require.Contains(t, w.ok(owner, "GET", "/bkt/k?tagging", "").body, "<Key>x</Key><Value>1</Value>")
	require.Equal(t, "2", w.ok(owner, "HEAD", "/bkt/k", "").Header.Get("X-Amz-Tagging-Count"))
	require.Equal(t, "2", w.ok(owner, "GET", "/bkt/k?versionId="+first, "").Header.Get("X-Amz-Tagging-Count"))
	r = w.ok(owner, "DELETE", "/bkt/k?tagging&versionId="+first, "")
	require.Equal(t, 204, r.StatusCode)
	require.Equal(t, first, versionOf(r))
	require.Empty(t, tags("&versionId="+first))
	require.NotEmpty(t, tags(""))
	require.Empty(t, w.ok(owner, "HEAD", "/bkt/k?versionId="+first, "").Header.Get("X-Amz-Tagging-Count"))

	w.refused("NoSuchKey", owner, "GET", "/bkt/none?tagging", "")
	w.refused("NoSuchVersion", owner, "PUT", "/bkt/k?tagging&versionId=none", taggingOf("x=1"))
	w.refused("AccessDenied", w.account("stranger"), "GET", "/bkt/k?tagging", "")
	marker := versionOf(w.ok(owner, "DELETE", "/bkt/k", ""))
	r = w.refused("MethodNotAllowed", owner, "PUT", "/bkt/k?tagging&versionId="+marker, taggingOf())
	require.Equal(t, "true", r.Header.Get("X-Amz-Delete-Marker"))
	w.refused("NoSuchKey", owner, "DELETE", "/bkt/k?tagging", "")
}

// TestTagLimits: the rules are the same in the header and in the document.
func TestTagLimits(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/k", "")
	var ten, eleven []string
	for i := range 11 {
		eleven = append(eleven, fmt.Sprintf("k%d=v", i))
	}
	ten = eleven[:10]
	for name, c := range map[string]struct {
		tags []string
		code string
	}{
		"ten":          {ten, ""},
		"eleven":       {eleven, "InvalidTagError"},
		"long":         {[]string{strings.Repeat("ä", 128) + "=" + strings.Repeat("ö", 256)}, ""},
		"key too long": {[]string{strings.Repeat("k", 129) + "=v"}, "InvalidTagError"},
		"value":        {[]string{"k=" + strings.Repeat("v", 257)}, "InvalidTagError"},
		"no key":       {[]string{"=v"}, "InvalidTagError"},
		"twice":        {[]string{"k=1", "k=2"}, "InvalidTagError"},
		"aws":          {[]string{"aws:k=1"}, "InvalidTagError"},
	} {
		var encoded []string
		for _, tag := range c.tags {
			k, v, _ := strings.Cut(tag, "=")
			encoded = append(encoded, url.QueryEscape(k)+"="+url.QueryEscape(v))
		}
		header := "X-Amz-Tagging: " + strings.Join(encoded, "&")
		require.Equal(t, c.code, w.as(owner, "PUT", "/bkt/k?tagging", taggingOf(c.tags...)).code(), name)
		require.Equal(t, c.code, w.as(owner, "PUT", "/bkt/h", "", header).code(), name)
		require.Equal(t, c.code, w.as(owner, "POST", "/bkt/h?uploads", "", header).code(), name)
	}
	w.refused("InvalidArgument", owner, "PUT", "/bkt/h", "", "X-Amz-Tagging: %zz=1")
	w.refused("InvalidArgument", owner, "PUT", "/bkt/h", "", "X-Amz-Tagging: a=%ff")
	w.refused("NotImplemented", owner, "GET", "/bkt/k", "", "X-Amz-Tagging: a=1")
}

// TestTagsOfEveryWrite: uploads keep the tags they were begun with, copies those of
// their source unless they replace them.
func TestTagsOfEveryWrite(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	count := func(key string) string { return w.ok(owner, "HEAD", "/bkt/"+key, "").Header.Get("X-Amz-Tagging-Count") }
	w.ok(owner, "PUT", "/bkt/k", "x", "X-Amz-Tagging: a=1&b=2")
	u := "uploadId=" + element(w.ok(owner, "POST", "/bkt/m?uploads", "", "X-Amz-Tagging: a=1&b=2&c=3").body, "UploadId")
	etag := w.ok(owner, "PUT", "/bkt/m?partNumber=1&"+u, "x").Header.Get("ETag")
	w.ok(owner, "POST", "/bkt/m?"+u, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+etag+"</ETag></Part></CompleteMultipartUpload>")
	require.Equal(t, "3", count("m"))
	for name, c := range map[string]struct {
		headers []string
		want    string
	}{
		"as it is":         {nil, "2"},
		"copied":           {[]string{"X-Amz-Tagging-Directive: COPY", "X-Amz-Tagging: z=1"}, "2"},
		"replaced":         {[]string{"X-Amz-Tagging-Directive: REPLACE", "X-Amz-Tagging: z=1"}, "1"},
		"replaced by none": {[]string{"X-Amz-Tagging-Directive: REPLACE"}, ""},
		"not by metadata":  {[]string{"X-Amz-Metadata-Directive: REPLACE"}, "2"},
	} {
		w.ok(owner, "PUT", "/bkt/copy", "", append(c.headers, "X-Amz-Copy-Source: bkt/k")...)
		require.Equal(t, c.want, count("copy"), name)
	}
	w.refused("InvalidArgument", owner, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/k", "X-Amz-Tagging-Directive: MERGE")

	// Tags are read and given by those who may.
	const get = `{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"*"}`
	const read = `{"Effect":"Allow","Action":"s3:GetObjectTagging","Resource":"*"}`
	const give = `{"Effect":"Allow","Action":"s3:PutObjectTagging","Resource":"*"}`
	plain, reader := w.user(owner, "plain", statements(get)), w.user(owner, "reader", statements(get, read))
	giver := w.user(owner, "giver", statements(get, read, give))
	require.Empty(t, w.ok(plain, "GET", "/bkt/k", "").Header.Get("X-Amz-Tagging-Count"))
	require.Equal(t, "2", w.ok(reader, "GET", "/bkt/k", "").Header.Get("X-Amz-Tagging-Count"))
	for _, who := range []*person{plain, reader} {
		w.refused("AccessDenied", who, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/k")
		w.refused("AccessDenied", who, "PUT", "/bkt/new", "", "X-Amz-Tagging: a=1")
		w.ok(who, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/k", "X-Amz-Tagging-Directive: REPLACE")
	}
	w.ok(giver, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/k")
	w.ok(giver, "PUT", "/bkt/new", "", "X-Amz-Tagging: a=1")
}

// TestTagConditions: policies see the tags that there are and those that are given.
func TestTagConditions(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/open", "x", "X-Amz-Tagging: class=public")
	w.ok(owner, "PUT", "/bkt/shut", "x", "X-Amz-Tagging: class=secret")
	user := w.user(owner, "user", statements(
		`{"Effect":"Allow","Action":["s3:GetObject","s3:GetObjectTagging"],"Resource":"*","Condition":{"StringEquals":{"s3:ExistingObjectTag/class":"public"}}}`,
		`{"Effect":"Allow","Action":["s3:PutObject","s3:PutObjectTagging"],"Resource":"*","Condition":{"StringEquals":{"s3:RequestObjectTag/team":"a"},"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["team","class"]}}}`))
	w.ok(user, "GET", "/bkt/open", "")
	w.ok(user, "GET", "/bkt/open?tagging", "")
	w.refused("AccessDenied", user, "GET", "/bkt/shut", "")
	w.refused("AccessDenied", user, "GET", "/bkt/shut?tagging", "")
	w.ok(user, "PUT", "/bkt/new", "x", "X-Amz-Tagging: team=a")
	w.refused("AccessDenied", user, "PUT", "/bkt/new", "x")
	w.refused("AccessDenied", user, "PUT", "/bkt/new", "x", "X-Amz-Tagging: team=b")
	w.refused("AccessDenied", user, "PUT", "/bkt/new", "x", "X-Amz-Tagging: team=a&other=1")
	w.ok(user, "PUT", "/bkt/shut?tagging", taggingOf("team=a"))
	w.refused("AccessDenied", user, "PUT", "/bkt/open?tagging", taggingOf("team=b"))
	w.refused("AccessDenied", user, "DELETE", "/bkt/open?tagging", "")
}

func FuzzTagging(f *testing.F) {
	for _, s := range []string{"", "a=b", "a=b&c=d", "%41=%zz", "a+b=%2B", "=&", strings.Repeat("a&", 20)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		tags, err := parseTags(header)
		if err != nil {
			return
		}
		if len(tags) > wirexml.MaxObjectTags {
			t.Fatalf("%d tags of %q", len(tags), header)
		}
		q := url.Values{}
		for _, tag := range tags {
			q.Set(tag.Name, tag.Value)
		}
		again, err := parseTags(q.Encode())
		require.NoError(t, err)
		require.Equal(t, len(tags), len(again))
	})
}

// TestTagsOfForms: a form gives tags and locks as a PUT does.
func TestTagsOfForms(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "", lockedBucket)
	fields := append([]string{"key=k", "tagging=" + taggingOf("a b=1", "c=2"), "x-amz-object-lock-legal-hold=ON"},
		owner.signV4(anyKey, inBucket, `["starts-with","$tagging",""]`, `{"x-amz-object-lock-legal-hold":"ON"}`)...)
	r := w.post("/bkt", posting{fields: fields, fileName: "f", file: "x"})
	require.Equal(t, 204, r.StatusCode, r.body)
	h := w.ok(owner, "HEAD", "/bkt/k", "").Header
	require.Equal(t, "2", h.Get("X-Amz-Tagging-Count"))
	require.Equal(t, "ON", h.Get("X-Amz-Object-Lock-Legal-Hold"))
}
