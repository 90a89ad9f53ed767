package s3api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	everybody     = "http://acs.amazonaws.com/groups/global/AllUsers"
	authenticated = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
)

// grantsOf returns the grants of an ACL document as "GRANTEE PERMISSION".
func grantsOf(doc string) (grants []string) {
	for _, g := range strings.Split(doc, "<Grant>")[1:] {
		grants = append(grants, element(g, "ID")+element(g, "URI")+" "+element(g, "Permission"))
	}
	return grants
}

// TestACLs: what is put as a document, as a name or as grants comes back, and holds.
func TestACLs(t *testing.T) {
	w := newWorld(t)
	owner, other := w.account("owner"), w.account("other")
	full := owner.account + " FULL_CONTROL"
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/k", "x")
	for _, path := range []string{"/bkt?acl", "/bkt/k?acl"} {
		require.Equal(t, []string{full}, grantsOf(w.ok(owner, "GET", path, "").body), "private")
		for _, c := range []struct {
			body, header string
			want         []string
		}{
			{aclText(owner.account, full, other.account+" READ"), "", []string{full, other.account + " READ"}},
			{aclText(owner.account, everybody+" READ", other.account+" WRITE_ACP"), "", []string{everybody + " READ", other.account + " WRITE_ACP"}},
			{aclText(owner.account, other.account+" READ", full), "", []string{other.account + " READ", full}},
			{aclText(owner.account), "", nil},
			{aclText("", other.account+" FULL_CONTROL"), "", []string{other.account + " FULL_CONTROL"}},
			{"", "X-Amz-Acl: public-read", []string{full, everybody + " READ"}},
			{"", "X-Amz-Acl: public-read-write", []string{full, everybody + " READ", everybody + " WRITE"}},
			{"", "X-Amz-Acl: authenticated-read", []string{full, authenticated + " READ"}},
			{"", "X-Amz-Acl: bucket-owner-full-control", []string{full}},
			{"", "X-Amz-Acl: private", []string{full}},
			{"", `X-Amz-Grant-Read: id="` + other.account + `", uri="` + everybody + `"`, []string{other.account + " READ", everybody + " READ"}},
			{"", "X-Amz-Grant-Full-Control: id=" + other.account, []string{other.account + " FULL_CONTROL"}},
		} {
			var headers []string
			if c.header != "" {
				headers = append(headers, c.header)
			}
			w.ok(owner, "PUT", path, c.body, headers...)
			r := w.ok(owner, "GET", path, "")
			require.Equal(t, c.want, grantsOf(r.body), "%s %s", c.header, c.body)
			require.Equal(t, owner.account, element(r.body, "ID"))
			require.Contains(t, r.body, "<Owner><ID>"+owner.account+"</ID><DisplayName>owner</DisplayName></Owner>", "as ListBuckets has it")
			require.Equal(t, strings.Count(r.body, "<ID>"), strings.Count(r.body, "<DisplayName>"))
		}
		for _, c := range []struct{ code, body, header string }{
			{"MalformedXML", "<AccessControlPolicy>", ""},
			{"MalformedACLError", "<AccessControlPolicy/>", ""},
			{"MalformedACLError", aclText(owner.account, other.account+" OWN"), ""},
			{"InvalidArgument", aclText(owner.account, "http://nobody/ READ"), ""},
			{"UnresolvableGrantByEmailAddress", "<AccessControlPolicy><AccessControlList><Grant><Grantee><EmailAddress>a@b</EmailAddress></Grantee>" +
				"<Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>", ""},
			{"AccessDenied", aclText(other.account, full), ""},
			{"InvalidArgument", "", "X-Amz-Acl: public-reed"},
			{"InvalidArgument", "", "X-Amz-Grant-Read: everybody"},
			{"InvalidArgument", "", "X-Amz-Grant-Read: id=nobody"},
			{"InvalidArgument", aclText(owner.account, "nobody READ"), ""},
			{"InvalidArgument", "", "X-Amz-Grant-Read: emailAddress=a@b"},
			{"InvalidRequest", "", "X-Amz-Acl: private|X-Amz-Grant-Read: id=" + other.account},
			{"InvalidArgument", "", "X-Amz-Grant-Read: " + strings.Repeat("id="+other.account+",", 100) + "id=" + other.account},
			{"MalformedACLError", aclText(owner.account, many(101, other.account+" READ")...), ""},
		} {
			var headers []string
			if c.header != "" {
				headers = strings.Split(c.header, "|")
			}
			w.refused(c.code, owner, "PUT", path, c.body, headers...)
		}
		require.Equal(t, []string{other.account + " FULL_CONTROL"}, grantsOf(w.ok(owner, "GET", path, "").body), "refused ones change nothing")
	}
}

func many(n int, s string) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = s
	}
	return list
}

// TestGrants: what a grant on a bucket and one on an object allow another account, and
// what even full control does not.
func TestGrants(t *testing.T) {
	w := newWorld(t)
	owner, other := w.account("owner"), w.account("other")
	requests := map[string]struct{ bucket, object string }{ // The permission that each takes.
		"GET /bkt":                {"READ", ""},
		"GET /bkt?versions":       {"READ", ""},
		"GET /bkt?uploads":        {"READ", ""},
		"PUT /bkt/new":            {"WRITE", ""},
		"POST /bkt/new?uploads":   {"WRITE", ""},
		"DELETE /bkt/other":       {"WRITE", ""},
		"GET /bkt?acl":            {"READ_ACP", ""},
		"GET /bkt/k":              {"", "READ"},
		"GET /bkt/k?acl":          {"", "READ_ACP"},
		"PUT /bkt/k?acl=":         {"", "WRITE_ACP"},
		"PUT /bkt?acl=":           {"WRITE_ACP", ""},
		"GET /bkt?policy":         {},
		"DELETE /bkt?policy":      {},
		"GET /bkt?versioning":     {},
		"GET /bkt?encryption":     {},
		"DELETE /bkt?encryption":  {},
		"GET /bkt?requestPayment": {},
		"DELETE /bkt":             {},
	}
	w.ok(owner, "PUT", "/bkt", "")
	for _, permission := range []string{"READ", "WRITE", "READ_ACP", "WRITE_ACP", "FULL_CONTROL"} {
		for line, takes := range requests {
			for _, on := range []string{"/bkt", "/bkt/k"} {
				w.ok(owner, "PUT", "/bkt/k", "x")
				w.ok(owner, "PUT", "/bkt?acl", aclText(""))
				acl := aclText(owner.account, other.account+" "+permission)
				w.ok(owner, "PUT", on+"?acl", acl)
				want := takes.bucket
				if on == "/bkt/k" {
					want = takes.object
				}
				method, path := cut(line)
				body := ""
				if strings.HasSuffix(path, "?acl=") {
					body = aclText("")
				}
				r := w.as(other, method, path, body)
				allowed := want != "" && (want == permission || permission == "FULL_CONTROL")
				require.Equal(t, !allowed, r.code() == "AccessDenied", "%s on %s: %s: %d %s", permission, on, line, r.StatusCode, r.body)
			}
		}
	}
}

// TestNobodyGainsByACL: to give others rights, with a write too, takes the right to.
func TestNobodyGainsByACL(t *testing.T) {
	w := newWorld(t)
	owner, other := w.account("owner"), w.account("other")
	w.ok(owner, "PUT", "/bkt", "")
	const write = `{"Effect":"Allow","Action":["s3:PutObject","s3:CreateBucket","s3:GetObject"],"Resource":"*"}`
	writer := w.user(owner, "writer", statements(write))
	stranger := w.user(other, "writer", statements(write))
	granter := w.user(other, "granter", statements(write, `{"Effect":"Allow","Action":"s3:PutObjectAcl","Resource":"*"}`))
	w.ok(owner, "PUT", "/bkt?acl", "", "X-Amz-Acl: public-read-write")

	for _, header := range []string{"X-Amz-Acl: public-read", "X-Amz-Acl: authenticated-read", "X-Amz-Grant-Full-Control: id=" + other.account} {
		for _, who := range []*person{writer, stranger, nil} {
			w.refused("AccessDenied", who, "PUT", "/bkt/new", "x", header)
			if who != nil {
				w.refused("AccessDenied", who, "POST", "/bkt/new?uploads", "", header)
				w.refused("AccessDenied", who, "PUT", "/bkt/new", "", header, "X-Amz-Copy-Source: bkt/none")
			}
		}
		w.refused("AccessDenied", writer, "PUT", "/bucket-of-writer", "", header)
	}
	w.refused("NoSuchBucket", owner, "GET", "/bucket-of-writer", "")
	for _, who := range []*person{writer, stranger, nil} {
		w.ok(who, "PUT", "/bkt/new", "x")
		w.ok(who, "PUT", "/bkt/new", "x", "X-Amz-Acl: private")
	}
	w.ok(granter, "PUT", "/bkt/of-other", "x", "X-Amz-Acl: bucket-owner-full-control")
	w.ok(owner, "GET", "/bkt/of-other", "")
	r := w.ok(other, "GET", "/bkt/of-other?acl", "")
	require.Equal(t, []string{other.account + " FULL_CONTROL", owner.account + " FULL_CONTROL"}, grantsOf(r.body))
}

// TestOwners: what another account writes is that account's; the bucket's owner may
// remove it, not read it, and no policy of the bucket opens it. What nobody known
// writes is the bucket owner's.
func TestOwners(t *testing.T) {
	w := newWorld(t)
	owner, other := w.account("owner"), w.account("other")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt?acl", "", "X-Amz-Acl: public-read-write")
	w.ok(owner, "PUT", "/bkt?policy", statements(`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}`))
	w.ok(other, "PUT", "/bkt/theirs", "x")
	w.ok(nil, "PUT", "/bkt/dropped", "x")

	w.ok(other, "GET", "/bkt/theirs", "")
	w.refused("AccessDenied", owner, "GET", "/bkt/theirs", "")
	w.refused("AccessDenied", owner, "GET", "/bkt/theirs?acl", "")
	w.refused("AccessDenied", owner, "PUT", "/bkt/theirs?acl", "", "X-Amz-Acl: private")
	w.refused("AccessDenied", nil, "GET", "/bkt/theirs", "")
	w.ok(owner, "DELETE", "/bkt/theirs", "")
	w.ok(nil, "GET", "/bkt/dropped", "")
	require.Equal(t, []string{owner.account + " FULL_CONTROL"}, grantsOf(w.ok(owner, "GET", "/bkt/dropped?acl", "").body))

	w.refused("ForbidAnonReqOverwriteRespHead", nil, "GET", "/bkt/dropped?response-content-type=text/html", "")
	require.Equal(t, "text/html", w.ok(owner, "GET", "/bkt/dropped?response-content-type=text/html", "").Header.Get("Content-Type"))

	// Nobody known is nobody's guest: no uploads, no buckets, no right of the owner.
	w.refused("AccessDenied", nil, "POST", "/bkt/k?uploads", "")
	w.refused("AccessDenied", nil, "PUT", "/bucket-of-nobody", "")
	w.refused("AccessDenied", nil, "GET", "/", "")
	u := element(w.ok(owner, "POST", "/bkt/k?uploads", "").body, "UploadId")
	w.ok(nil, "GET", "/bkt/k?uploadId="+u, "")
	w.refused("AccessDenied", nil, "DELETE", "/bkt/k?uploadId="+u, "")
	w.refused("AccessDenied", nil, "PUT", "/bkt/k?partNumber=1&uploadId="+u, "x")
	w.refused("AccessDenied", other, "DELETE", "/bkt/k?uploadId="+u, "")
	w.ok(owner, "DELETE", "/bkt/k?uploadId="+u, "")
}
