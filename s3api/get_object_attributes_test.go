package s3api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/checksum"
)

// sumOf is a checksum as S3 writes it.
func sumOf(algorithm, text string) string {
	h := checksum.New(algorithm)
	_, _ = h.Write([]byte(text))
	return checksum.Format(h.Sum(nil))
}

const allAttributes = "X-Amz-Object-Attributes: ETag,Checksum, ObjectParts,StorageClass,ObjectSize"

// TestGetObjectAttributes: what is asked for, of objects of one request and of several,
// of versions and markers.
func TestGetObjectAttributes(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt?versioning", versioningDocument("Enabled"))
	first := w.ok(owner, "PUT", "/bkt/k", "one", "X-Amz-Checksum-Sha256: "+sumOf(checksum.SHA256, "one"))
	second := w.ok(owner, "PUT", "/bkt/k", "second")
	r := w.ok(owner, "GET", "/bkt/k?attributes&versionId="+versionOf(first), "", allAttributes)
	require.Equal(t, versionOf(first), versionOf(r))
	require.NotEmpty(t, r.Header.Get("Last-Modified"))
	require.Equal(t, strings.Trim(first.Header.Get("ETag"), `"`), element(r.body, "ETag"))
	require.Contains(t, r.body, "<Checksum><ChecksumSHA256>"+sumOf(checksum.SHA256, "one")+"</ChecksumSHA256><ChecksumType>FULL_OBJECT</ChecksumType></Checksum>")
	require.Contains(t, r.body, "<StorageClass>STANDARD</StorageClass><ObjectSize>3</ObjectSize>")
	require.NotContains(t, r.body, "ObjectParts")
	r = w.ok(owner, "GET", "/bkt/k?attributes", "", "X-Amz-Object-Attributes: ObjectSize")
	require.Equal(t, versionOf(second), versionOf(r))
	require.Equal(t, "6", element(r.body, "ObjectSize"))
	require.NotContains(t, r.body, "ETag")

	u := "uploadId=" + element(w.ok(owner, "POST", "/bkt/m?uploads", "", "X-Amz-Checksum-Algorithm: SHA256").body, "UploadId")
	list := ""
	for _, n := range []string{"2", "5", "9"} {
		etag := w.ok(owner, "PUT", "/bkt/m?partNumber="+n+"&"+u, "part"+n).Header.Get("ETag")
		list += "<Part><PartNumber>" + n + "</PartNumber><ETag>" + etag + "</ETag></Part>"
	}
	w.ok(owner, "POST", "/bkt/m?"+u, "<CompleteMultipartUpload>"+list+"</CompleteMultipartUpload>")
	part := func(n string) string {
		return "<Part><PartNumber>" + n + "</PartNumber><Size>5</Size><ChecksumSHA256>" + sumOf(checksum.SHA256, "part"+n) + "</ChecksumSHA256></Part>"
	}
	r = w.ok(owner, "GET", "/bkt/m?attributes", "", allAttributes)
	require.Contains(t, r.body, "<ChecksumType>COMPOSITE</ChecksumType>")
	require.NotContains(t, r.body, "-3</ChecksumSHA256>", "ObjectParts has their number")
	require.Contains(t, r.body, "<ObjectParts><PartsCount>3</PartsCount><PartNumberMarker>0</PartNumberMarker><NextPartNumberMarker>9</NextPartNumberMarker>"+
		"<MaxParts>1000</MaxParts><IsTruncated>false</IsTruncated>"+part("2")+part("5")+part("9")+"</ObjectParts>")
	r = w.ok(owner, "GET", "/bkt/m?attributes", "", allAttributes, "X-Amz-Max-Parts: 1", "X-Amz-Part-Number-Marker: 2")
	require.Contains(t, r.body, "<PartNumberMarker>2</PartNumberMarker><NextPartNumberMarker>5</NextPartNumberMarker><MaxParts>1</MaxParts><IsTruncated>true</IsTruncated>"+part("5")+"</ObjectParts>")

	w.refused("InvalidRequest", owner, "GET", "/bkt/k?attributes", "")
	w.refused("InvalidArgument", owner, "GET", "/bkt/k?attributes", "", "X-Amz-Object-Attributes: Etag")
	w.refused("InvalidArgument", owner, "GET", "/bkt/k?attributes", "", allAttributes, "X-Amz-Max-Parts: many")
	w.refused("NotImplemented", owner, "GET", "/bkt/k", "", "X-Amz-Max-Parts: 1")
	w.refused("NoSuchKey", owner, "GET", "/bkt/none?attributes", "", allAttributes)
	marker := versionOf(w.ok(owner, "DELETE", "/bkt/k", ""))
	r = w.refused("NoSuchKey", owner, "GET", "/bkt/k?attributes", "", allAttributes)
	require.Equal(t, "true", r.Header.Get("X-Amz-Delete-Marker"))
	w.refused("MethodNotAllowed", owner, "GET", "/bkt/k?attributes&versionId="+marker, "", allAttributes)

	// It takes both rights.
	for _, action := range []string{"s3:GetObject", "s3:GetObjectAttributes"} {
		user := w.user(owner, strings.TrimPrefix(action, "s3:"), statements(`{"Effect":"Allow","Action":"`+action+`","Resource":"*"}`))
		w.refused("AccessDenied", user, "GET", "/bkt/m?attributes", "", allAttributes)
	}
	both := w.user(owner, "both", statements(`{"Effect":"Allow","Action":["s3:GetObject","s3:GetObjectAttributes"],"Resource":"*"}`))
	w.ok(both, "GET", "/bkt/m?attributes", "", allAttributes)
	w.refused("AccessDenied", both, "GET", "/bkt/k?attributes&versionId="+versionOf(first), "", allAttributes)
}

// TestChecksumAlgorithms: each of them on a put, a part, a copy and a read, verified, and
// composed over the parts unless it is a CRC of the whole.
func TestChecksumAlgorithms(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	for _, a := range checksum.Algorithms() {
		name := checksum.Header(a)
		w.refused("BadDigest", owner, "PUT", "/bkt/k", "abc", name+": "+sumOf(a, "abd"))
		w.refused("InvalidRequest", owner, "PUT", "/bkt/k", "abc", name+": AAA=")
		require.Equal(t, sumOf(a, "abc"), w.ok(owner, "PUT", "/bkt/k", "abc", name+": "+sumOf(a, "abc")).Header.Get(name), a)
		for _, method := range []string{"GET", "HEAD"} {
			r := w.ok(owner, method, "/bkt/k", "", "X-Amz-Checksum-Mode: ENABLED")
			require.Equal(t, sumOf(a, "abc"), r.Header.Get(name), a)
			require.Equal(t, "FULL_OBJECT", r.Header.Get("X-Amz-Checksum-Type"))
		}
		w.ok(owner, "PUT", "/bkt/plain", "abc")
		r := w.ok(owner, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/plain", "X-Amz-Checksum-Algorithm: "+a)
		require.Equal(t, sumOf(a, "abc"), element(r.body, "Checksum"+a), a)

		r = w.ok(owner, "POST", "/bkt/m?uploads", "", "X-Amz-Checksum-Algorithm: "+a)
		kind := r.Header.Get("X-Amz-Checksum-Type")
		require.Equal(t, a == checksum.CRC64NVME, kind == "FULL_OBJECT", a)
		u := "uploadId=" + element(r.body, "UploadId")
		part := w.ok(owner, "PUT", "/bkt/m?partNumber=1&"+u, "abc", name+": "+sumOf(a, "abc"))
		w.refused("BadDigest", owner, "PUT", "/bkt/m?partNumber=2&"+u, "abc", name+": "+sumOf(a, "abd"))
		r = w.ok(owner, "POST", "/bkt/m?"+u, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+part.Header.Get("ETag")+
			"</ETag><Checksum"+a+">"+sumOf(a, "abc")+"</Checksum"+a+"></Part></CompleteMultipartUpload>")
		want := sumOf(a, "abc")
		if kind == "COMPOSITE" {
			raw, err := checksum.Parse(a, want)
			require.NoError(t, err)
			want = sumOf(a, string(raw)) + "-1"
		}
		require.Equal(t, want, element(r.body, "Checksum"+a), a)
		require.Equal(t, sumOf(a, "abc"), w.ok(owner, "GET", "/bkt/m?partNumber=1", "", "X-Amz-Checksum-Mode: ENABLED").Header.Get(name), a)
	}
}
