//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// A person signs in, makes a bucket, uploads a file in parts while a node is killed, sees where it lies and
// shares it. What users have stored never runs at the console, and a plain user sees buckets alone.
func TestConsole(t *testing.T) {
	t.Parallel()
	c, b := startConsole(t, 6, options{})

	b.signIn(rootUser, "wrong-secret")
	b.see("These keys are not known here")
	b.signIn(rootUser, rootPassword)
	b.see("What may be lost now")
	b.do("the sentence",
		chromedp.WaitVisible(`//section[contains(@class,"health")]//strong[text()="healthy" or text()="warning"]`,
			chromedp.BySearch))
	for _, page := range []string{"Overview", "Nodes", "Buckets", "Uploads", "Jobs", "Access", "Settings"} {
		b.do(page, chromedp.WaitReady(fmt.Sprintf(`//nav[@id="menu"]//a[text()=%q]`, page), chromedp.BySearch))
	}
	b.accessible("overview")

	b.open("Buckets")
	b.press("Make bucket")
	b.fill("Name", "pictures")
	b.confirm("Make")
	b.open("pictures")

	big := &object{key: "big.bin", data: pattern(200 << 20)}
	page := "<script>parent.owned=1;document.title='owned'</script>hello"
	hostile := `<img src=x onerror="document.title='owned'">.txt`
	files := b.files(map[string]string{big.key: string(big.data), "page.html": page, hostile: "text"})
	b.blocked("*partNumber=7&*") // It is tried again until the node is down.
	b.choose(files...)
	b.see("2 of 3 files uploaded")
	c.kill(c.nodes[4])
	b.blocked()
	b.see("3 of 3 files uploaded")
	require.NotContains(t, b.text(), "failed")
	c.start(c.nodes[4])
	b.do("rows", chromedp.WaitVisible(`//td//a[text()="big.bin"]`, chromedp.BySearch))
	b.see(`<img src=x onerror=`)
	b.accessible("objects")
	b.click("object", `//td//a[text()="big.bin"]`)
	b.see("Where it lies")
	b.see("Extent ")
	b.accessible("object")
	b.press("Share")
	b.press("Make the link")
	var url string
	b.do("link", chromedp.Value(`.copy input`, &url, chromedp.ByQuery))
	answer, err := http.Get(url)
	require.NoError(t, err)
	got, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, sha256Hex(big.data), sha256Hex(got), "the link is for anybody: %s", answer.Status)
	b.do("close", chromedp.KeyEvent("\x1b"))

	var title string
	b.do("hostile page", chromedp.Navigate(b.console+"s3/pictures/page.html"), chromedp.Title(&title))
	require.NotEqual(t, "owned", title)
	require.Contains(t, b.text(), "use the S3 endpoint")

	key, err := c.cairn("account", "add", "plain", "--access-key", "plain-root", "--secret-key",
		"plain-root-secret")
	require.NoError(t, err, "%s", key)
	c.check("user", "add", "carl", "--account", "plain")
	c.check("policy", "attach", "readwrite", "--account", "plain", "--user", "carl")
	c.check("accesskey", "add", "--account", "plain", "--user", "carl", "--access-key", "carl-key-000001",
		"--secret-key", "carl-secret-000001")
	b.signIn("carl-key-000001", "carl-secret-000001")
	b.see("Make bucket")
	for _, hidden := range []string{"Overview", "Nodes", "Jobs", "Settings", "pictures"} {
		require.NotContains(t, b.text(), hidden, "carl has no rights to the cluster")
	}
}

// Every page opens and does what it is for. A document that is wrong is refused in the words of the server.
func TestConsolePages(t *testing.T) {
	t.Parallel()
	c, b := startConsole(t, 7, options{})
	b.signIn(rootUser, rootPassword)
	b.see("What may be lost now")
	b.run("a fault", `document.querySelector("h1").append(Object.assign(new Image(), {id: "bare"})); true`, nil)
	require.Len(t, b.faults(""), 1, "axe-core finds what is wrong")
	b.run("no fault", `document.querySelector("#bare").remove(); true`, nil)
	b.open("Buckets")
	b.press("Make bucket")
	b.fill("Name", "pages")
	b.confirm("Make")
	b.open("pages")
	require.NoError(t, put(t.Context(), client(c.nodes[0]), "pages", &object{key: "moved", data: pattern(20 << 20)}))
	b.open("Properties")
	b.policy(c)
	b.documents(c)
	b.open("Nodes")
	b.see("leads the metadata")
	b.accessible("nodes")
	b.live(c)
	b.drains()
	up, err := createUpload(t.Context(), client(c.nodes[0]), "pages", "<b>half</b>", nil)
	require.NoError(t, err)
	require.NoError(t, up.put(t.Context(), client(c.nodes[0]), pattern(1<<20)))
	b.open("Uploads")
	b.see("<b>half</b>")
	b.accessible("uploads")
	b.press("Abort <b>half</b>")
	b.confirm("Abort")
	b.see("No upload is in progress.")
	b.open("Jobs")
	b.see("Show idle jobs")
	b.click("idle", `//label[text()="Show idle jobs"]`)
	b.press("Pause garbage")
	b.see("paused by")
	b.accessible("jobs")
	b.press("Resume garbage")
	b.gone("paused by")
	b.open("Settings")
	b.see("max-buckets")
	b.accessible("settings")
	b.press("Set max-buckets")
	b.change("In force", "77")
	b.confirm("Save")
	b.see("77")
	b.press("Reset max-buckets")
	b.confirm("Reset")
	b.gone("77")
	b.targets()
	b.access(c)
}

// drains drains the node that the page names last, and watches it end.
func (b *browser) drains() {
	b.t.Helper()
	b.press("Drain")
	b.see("May be lost afterwards")
	b.accessible("drain")
	b.press("Cancel")
	b.press("Drain")
	b.see("May be lost afterwards")
	b.confirm("Drain")
	b.see("Drained: nothing lies here any more.")
	b.press("Use again")
	b.see("May be lost afterwards")
	b.confirm("Use again")
	b.gone("Drained:")
}

// access makes a user and a key, gives rights, and takes them away; each is what S3 goes by.
func (b *browser) access(c *cluster) {
	b.t.Helper()
	ctx := b.t.Context()
	b.open("Access")
	b.press("Add user")
	b.fill("Name", "dora")
	b.confirm("Add")
	b.see("dora")
	b.open("Keys")
	b.press("Add key")
	b.fill("User", "dora")
	b.confirm("Add")
	b.see("The secret key is told this once.")
	var id, secret string
	b.do("the key", chromedp.Value(`//input[@id=//label[text()="Access key"]/@for]`, &id, chromedp.BySearch),
		chromedp.Value(`//input[@id=//label[text()="Secret key"]/@for]`, &secret, chromedp.BySearch))
	b.do("close", chromedp.KeyEvent("\x1b"))
	b.accessible("keys")
	dora := clientAs(c.nodes[1], id, secret)
	lists := func() bool {
		_, err := dora.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: ptr("pages")})
		return err == nil
	}
	require.False(b.t, lists(), "dora has no rights yet")
	b.open("Users")
	b.press("Policy dora")
	b.fill("Policy", "readonly")
	b.confirm("Save")
	c.eventually("dora reads", stepTimeout, lists)
	b.see("readonly")
	b.accessible("access")
	b.open("Keys")
	b.press("Disable " + id)
	b.confirm("Disable")
	c.eventually("the key is disabled", stepTimeout, func() bool { return !lists() })
	b.press("Enable " + id)
	b.confirm("Enable")
	c.eventually("the key is enabled", stepTimeout, lists)
	b.press("Delete " + id)
	b.confirm("Delete")
	b.gone(id)
	c.eventually("the key is removed", stepTimeout, func() bool { return !lists() })
	for _, name := range []string{"Groups", "Roles", "Policies", "Accounts", "Master keys"} {
		b.open(name)
		b.do(name, chromedp.WaitVisible(fmt.Sprintf(`//table/caption[text()=%q]`, name), chromedp.BySearch))
		b.accessible("access-" + name)
	}
	b.press("Add master key")
	b.fill("Alias", "vault")
	b.confirm("Add")
	b.see("vault")
	b.open("Who may do what")
	b.fill("Who", "user:dora")
	b.fill("Resource", "s3://pages/moved")
	b.press("Ask")
	b.see("readonly")
	b.accessible("simulate")
}
