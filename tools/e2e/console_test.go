//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// pageTimeout bounds what a person would wait for in the console; a small machine runs six nodes and a browser.
const pageTimeout = 5 * time.Minute

// browser is a page of a real Chromium at a console.
type browser struct {
	t       *testing.T
	ctx     context.Context
	console string
}

// openBrowser starts Chromium. Outside of CI a machine may be without.
func openBrowser(t *testing.T, console string) *browser {
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no chromium: .ci/run installs it")
		}
		t.Skip("skipped: no chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.WindowSize(1280, 900))
	alloc, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, end := chromedp.NewContext(alloc)
	t.Cleanup(end)
	require.NoError(t, chromedp.Run(ctx)) // The browser ends with the context of the first run.
	b := &browser{t: t, ctx: ctx, console: console}
	b.do("start", chromedp.Navigate(console), chromedp.WaitVisible("h1"))
	return b
}

func (b *browser) do(what string, actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, pageTimeout)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.t.Fatalf("%s: %v\n%s", what, err, b.text())
	}
}

// text is what the page says now.
func (b *browser) text() (out string) {
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	_ = chromedp.Run(ctx, chromedp.Evaluate("document.body.innerText", &out))
	return out
}

// see waits until the page says a text.
func (b *browser) see(text string) {
	b.t.Helper()
	deadline := time.Now().Add(pageTimeout)
	for !strings.Contains(b.text(), text) {
		if time.Now().After(deadline) {
			b.t.Fatalf("the page does not say %q:\n%s", text, b.text())
		}
		time.Sleep(pollEvery)
	}
}

// press presses the button with a name, as a person reads it, once it can be pressed.
func (b *browser) press(name string) {
	b.t.Helper()
	b.do("press "+name,
		chromedp.Click(fmt.Sprintf(`(//button[normalize-space()=%q])[last()][not(@disabled)]`, name), chromedp.BySearch))
}

// fill types into the field with a label.
func (b *browser) fill(label, text string) {
	b.t.Helper()
	b.do("fill "+label, chromedp.SendKeys(fmt.Sprintf(`//input[@id=//label[normalize-space()=%q]/@for]`,
		label), text, chromedp.BySearch))
}

// open follows the link with a text.
func (b *browser) open(text string) {
	b.t.Helper()
	b.do("open "+text, chromedp.Click(fmt.Sprintf(`//a[normalize-space()=%q]`, text), chromedp.BySearch))
}

func (b *browser) signIn(accessKey, secretKey string) {
	b.t.Helper()
	b.do("the page", chromedp.Navigate(b.console), chromedp.Reload(), chromedp.WaitVisible(`input[type=password]`))
	b.fill("Access key", accessKey)
	b.fill("Secret key", secretKey)
	b.press("Sign in")
}

// picture saves what the page looks like where CONSOLE_PICTURES names a directory.
func (b *browser) picture(name string) {
	dir := os.Getenv("CONSOLE_PICTURES")
	if dir == "" {
		return
	}
	for _, width := range []int64{360, 1024, 1920} {
		for _, dark := range []string{"0", "1"} {
			var png []byte
			b.do("picture", chromedp.EmulateViewport(width, 900),
				chromedp.Evaluate(`document.documentElement.dataset.dark=`+dark, nil),
				chromedp.Sleep(300*time.Millisecond), chromedp.CaptureScreenshot(&png))
			require.NoError(b.t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, width,
				dark)), png, 0o644))
		}
	}
	b.do("window", chromedp.EmulateViewport(1280, 900))
}

// A person signs in, makes a bucket, uploads a file in parts while a node is killed, sees where it lies and
// shares it. What users have stored never runs at the console, and a plain user sees buckets alone.
func TestConsole(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	c := startClusterWith(t, 6, options{prepare: func(p *process) {
		if p.Index == 0 {
			p.Flags = append(p.Flags, "--console", addr)
		}
	}})
	b := openBrowser(t, "http://"+addr+"/")

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
	b.picture("overview")

	b.open("Buckets")
	b.press("Make bucket")
	b.fill("Name", "pictures")
	b.press("Make")
	b.open("pictures")

	big := filepath.Join(t.TempDir(), "big.bin")
	require.NoError(t, os.WriteFile(big, make([]byte, 100<<20), 0o600))
	page := filepath.Join(t.TempDir(), "page.html")
	require.NoError(t, os.WriteFile(page,
		[]byte(`<script>parent.owned=1;document.title="owned"</script>hello`), 0o600))
	hostile := filepath.Join(t.TempDir(), `<img src=x onerror="document.title='owned'">.txt`)
	require.NoError(t, os.WriteFile(hostile, []byte("text"), 0o600))
	b.do("choose", chromedp.SetUploadFiles(`#files`, []string{big, page, hostile}, chromedp.ByQuery))
	c.kill(c.nodes[4])
	b.see("3 of 3 files uploaded")
	require.NotContains(t, b.text(), "failed")
	c.start(c.nodes[4])
	b.do("rows", chromedp.WaitVisible(`//td//a[text()="big.bin"]`, chromedp.BySearch))
	b.see(`<img src=x onerror=`)
	b.picture("objects")
	b.do("object", chromedp.Click(`//td//a[text()="big.bin"]`, chromedp.BySearch))
	b.see("Where it lies")
	b.see("Extent ")
	b.picture("object")
	b.press("Share")
	b.press("Make the link")
	var url string
	b.do("link", chromedp.Value(`.copy input`, &url, chromedp.ByQuery))
	answer, err := http.Get(url)
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.EqualValues(t, 100<<20, n, "the link is for anybody: %s", answer.Status)
	b.do("close", chromedp.KeyEvent("\x1b"))

	var title string
	b.do("hostile page", chromedp.Navigate("http://"+addr+"/s3/pictures/page.html"), chromedp.Title(&title))
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
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	startClusterWith(t, 6, options{prepare: func(p *process) {
		if p.Index == 0 {
			p.Flags = append(p.Flags, "--console", addr)
		}
	}})
	b := openBrowser(t, "http://"+addr+"/")
	b.signIn(rootUser, rootPassword)
	b.see("What may be lost now")
	b.open("Buckets")
	b.press("Make bucket")
	b.fill("Name", "pages")
	b.press("Make")
	b.open("pages")
	b.open("Properties")
	b.open("Policy")
	b.press("Begin with an example")
	b.do("no JSON", chromedp.SendKeys(`section textarea`, "x", chromedp.ByQuery))
	b.press("Save")
	b.do("an error", chromedp.WaitVisible(`.notice.bad`, chromedp.ByQuery))
	b.picture("policy")
	for _, name := range []string{"Versioning", "ACL", "CORS", "Lifecycle", "Events", "Encryption", "Object lock",
		"Website", "Tags", "Access log", "Quota"} {
		b.open(name)
		b.do(name, chromedp.WaitVisible(fmt.Sprintf(`//section//h2[text()=%q]`, name), chromedp.BySearch))
		b.do(name, chromedp.WaitVisible(`section textarea`, chromedp.ByQuery))
		if name == "CORS" || name == "Lifecycle" || name == "Encryption" || name == "Tags" || name == "Website" {
			b.press("Begin with an example")
			b.press("Save")
			b.see("Saved")
		}
	}
	b.open("Nodes")
	b.see("leads the metadata")
	b.picture("nodes")
	b.press("Drain")
	b.see("May be lost afterwards")
	b.picture("drain")
	b.press("Cancel")
	b.open("Uploads")
	b.see("No upload is in progress.")
	b.open("Jobs")
	b.see("Show idle jobs")
	b.do("idle", chromedp.Click(`//label[text()="Show idle jobs"]`, chromedp.BySearch))
	b.see("Pause")
	b.picture("jobs")
	b.open("Settings")
	b.see("max-buckets")
	b.picture("settings")
	b.open("Access")
	b.press("Add user")
	b.fill("Name", "dora")
	b.press("Add")
	b.see("dora")
	b.open("Keys")
	b.press("Add key")
	b.fill("User", "dora")
	b.press("Add")
	b.see("The secret key is told this once.")
	b.picture("access")
}

// check is cairn for commands that must succeed.
func (c *cluster) check(args ...string) {
	c.t.Helper()
	out, err := c.cairn(args...)
	require.NoError(c.t, err, "%s", out)
}
