package node

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/node/admin"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/node/audit"
	"github.com/cairnstore/cairn/node/home"
	"github.com/cairnstore/cairn/node/trace"
	"github.com/cairnstore/cairn/s3api"
	"github.com/cairnstore/cairn/s3api/iam"
)

// What is done is audited and traced; looks at the admin API are only traced, unless
// they were refused.
func TestRequestsAreToldOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	log, err := audit.Open(audit.Config{File: audit.FileConfig{Path: path}})
	require.NoError(t, err)
	own, err := home.Open(vfs.NewMem(), "n1")
	require.NoError(t, err)
	n := &Node{home: own, audit: log}
	filter, err := trace.NewFilter(&adminpb.TraceRequest{Internal: true})
	require.NoError(t, err)
	w := n.trace.Watch(filter)
	defer w.Close()

	alice := &iam.Identity{Account: "acme", AccountName: "Acme", User: "alice", AccessKey: "ak"}
	n.requestDone(&s3api.RequestDone{ID: "r1", Operation: "DeleteObjects", Method: "POST", Who: alice, Source: "192.0.2.1", Bucket: "b", Status: 200,
		Duration: 1500 * time.Microsecond, Objects: []s3api.ObjectResult{{Key: "k1"}, {Key: "k2", VersionID: "v", Code: "AccessDenied"}}})
	n.requestDone(&s3api.RequestDone{ID: "r2", Method: "GET", Status: 400, Code: "InvalidURI", Cause: errors.New("why")})
	facts := func(string) ([]string, bool) { return []string{"192.0.2.2"}, true }
	n.stsDone(&iam.STSDone{RequestID: "r3", Action: "AssumeRole", Role: "arn:role", Identity: alice, Status: 403, Err: errors.New("no")}, facts)
	n.adminDone(&admin.Call{ID: "r4", Method: "SetLogLevel", Changes: true, Who: alice, Subject: map[string]string{"level": "debug"}, Status: 200})
	n.adminDone(&admin.Call{ID: "r5", Method: "Status", Who: alice, Status: 200})
	n.adminDone(&admin.Call{ID: "r6", Method: "Status", Who: alice, Status: 403, Code: "denied"})
	n.adminDone(&admin.Call{ID: "r7", Method: "AddUser", Claimed: "ak-admin", Status: 403, Code: "denied"})
	forged := httptest.NewRequest(http.MethodPost, "/", nil)
	forged.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=ak-sts/20260101/us-east-1/sts/aws4_request, "+
		"Signature=00")
	n.stsDone(&iam.STSDone{RequestID: "r8", Request: forged, Status: 403, Err: errors.New("no")}, facts)
	_, h := n.traced("/x", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "four", http.StatusTeapot) }))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPut, "/x/y", strings.NewReader("abc")))
	require.NoError(t, log.Close(t.Context()))

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.Len(t, lines, 7)
	for i, want := range []string{
		`"node":"` + own.ID().String() + `","kind":"s3","request_id":"r1","who":{"account":"acme","account_name":"Acme","user":"alice","access_key":"ak"},"remote":"192.0.2.1",` +
			`"operation":"DeleteObjects","bucket":"b","objects":[{"key":"k1"},{"key":"k2","version_id":"v","code":"AccessDenied"}],"status":200,"bytes_in":0,"bytes_out":0,"duration_ms":1.5}`,
		`"request_id":"r2","who":{},"status":400,"code":"InvalidURI"`,
		`"kind":"sts","request_id":"r3"`,
		`"kind":"admin","request_id":"r4"`,
		`"kind":"admin","request_id":"r6"`,
		`"kind":"admin","request_id":"r7","who":{"access_key":"ak-admin"}`,
		`"kind":"sts","request_id":"r8","who":{"access_key":"ak-sts"}`,
	} {
		require.Contains(t, lines[i], want)
	}
	require.Contains(t, lines[2], `"subject":{"role":"arn:role"},"status":403`)
	require.Contains(t, lines[3], `"operation":"SetLogLevel","subject":{"level":"debug"},"status":200`)
	for _, want := range []string{"DeleteObjects", "GET", "AssumeRole", "SetLogLevel", "Status", "Status", "AddUser", "", "PUT /x/y"} {
		e := <-w.Events()
		require.Equal(t, want, e.Operation)
		if e.Kind == trace.KindInternal {
			require.EqualValues(t, http.StatusTeapot, e.Status)
			require.EqualValues(t, 3, e.BytesIn)
			require.EqualValues(t, 5, e.BytesOut)
		}
	}
}

// No setting that holds a secret is shown, whichever is added.
func TestShownSettingsHoldNoSecret(t *testing.T) {
	c := Defaults()
	c.RootPassword, c.KMSRootKey = "sentinel-1", "sentinel-2"
	c.Audit.HTTP.URL, c.Vault.Address = "https://h/p?token=sentinel-3", "https://user:sentinel-4@vault:8200/"
	shown := map[string]string{}
	for _, s := range c.Shown() {
		require.NotContains(t, s.Value, "sentinel", s.Name)
		shown[s.Name] = s.Value
	}
	require.Equal(t, "(set)", shown["root-password"])
	require.Equal(t, "https://h/p", shown["audit-http"])
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	c.Flags(fs)
	fs.VisitAll(func(f *pflag.Flag) {
		secret := strings.Contains(f.Usage, "better set as CAIRN_")
		require.Equal(t, secret, slices.Contains(secretSettings, f.Name), "--%s: what is better set in the environment is a secret", f.Name)
	})
}

func TestAuditSettings(t *testing.T) {
	for _, c := range []struct {
		set  func(*Config)
		want string
	}{
		{func(c *Config) { c.Audit.File.Bytes = 0 }, "--audit-file-size"},
		{func(c *Config) { c.Audit.File.Keep = -1 }, "--audit-file-keep"},
		{func(c *Config) { c.Audit.HTTP.URL = "ftp://h" }, "--audit-http"},
		{func(c *Config) { c.Audit.HTTP.TokenFile = "t" }, "--audit-http-token-file"},
	} {
		cfg := Defaults()
		require.NoError(t, cfg.validateAudit())
		c.set(&cfg)
		require.ErrorContains(t, cfg.validateAudit(), c.want+":")
	}
}
