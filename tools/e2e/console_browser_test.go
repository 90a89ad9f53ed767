//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// pageTimeout bounds what a person would wait for in the console; a small machine runs six nodes and a browser.
const pageTimeout = 2 * time.Minute

// confirmTries is how often a refused deed is tried.
const confirmTries = 5

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
	// It complains of each event that is newer than itself; failures come back from what is done.
	ctx, end := chromedp.NewContext(alloc, chromedp.WithErrorf(func(string, ...any) {}))
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
	_ = chromedp.Run(ctx, chromedp.Evaluate(
		`[document.body.innerText, ...[...document.querySelectorAll("dialog input")].map((i) => i.value)].join("\n")`, &out))
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

// click clicks what an XPath finds, once it is there. It is moved to the middle of the window first, away from
// the head of the page.
func (b *browser) click(what, path string) {
	b.t.Helper()
	quoted, err := json.Marshal(path)
	require.NoError(b.t, err)
	b.do(what, chromedp.WaitVisible(path, chromedp.BySearch), chromedp.Evaluate(fmt.Sprintf(
		`document.evaluate(%s, document, null, XPathResult.FIRST_ORDERED_NODE_TYPE)
			.singleNodeValue?.scrollIntoView({ block: "center" })`, quoted), nil), chromedp.Click(path, chromedp.BySearch))
}

// press presses the button with a name, as a person reads it, once it can be pressed.
func (b *browser) press(name string) {
	b.t.Helper()
	b.click("press "+name, fmt.Sprintf(`(//button[normalize-space()=%q])[last()][not(@disabled)]`, name))
}

// confirm presses a button of the dialog until the dialog is gone. What the cluster refuses to do in a bad
// moment a person tries again.
func (b *browser) confirm(name string) {
	b.t.Helper()
	var title string
	b.do("dialog", chromedp.Text("dialog h2", &title, chromedp.ByQuery))
	quoted, err := json.Marshal(title)
	require.NoError(b.t, err)
	for range confirmTries {
		b.press(name)
		var told string
		b.until("confirm "+title, fmt.Sprintf(`!!document.querySelector("dialog .notice.bad") ||
			document.querySelector("dialog h2")?.textContent !== %s`, quoted))
		b.run("refusal", `document.querySelector("dialog .notice.bad")?.textContent || ""`, &told)
		if told == "" {
			return
		}
		b.t.Logf("%s: %s", title, told)
		b.until("not busy", `!document.querySelector("dialog button:disabled")`)
	}
	b.t.Fatalf("%s is refused:\n%s", title, b.text())
}

// fill types into the field with a label.
func (b *browser) fill(label, text string) {
	b.t.Helper()
	b.do("fill "+label, chromedp.SendKeys(fmt.Sprintf(`//input[@id=//label[normalize-space()=%q]/@for]`,
		label), text, chromedp.BySearch))
}

// change replaces what a field holds.
func (b *browser) change(label, text string) {
	b.t.Helper()
	field := fmt.Sprintf(`//*[@id=//label[normalize-space()=%q]/@for]`, label)
	b.do("change "+label, chromedp.WaitVisible(field, chromedp.BySearch), chromedp.Focus(field, chromedp.BySearch),
		chromedp.Evaluate("document.activeElement.select()", nil), chromedp.KeyEvent(text))
}

// gone waits until the page does not say a text any more.
func (b *browser) gone(text string) {
	b.t.Helper()
	quoted, err := json.Marshal(text)
	require.NoError(b.t, err)
	b.until("gone: "+text, "!document.body.innerText.includes("+string(quoted)+")")
}

// files writes files for the file field and returns their paths.
func (b *browser) files(texts map[string]string) (paths []string) {
	dir := b.t.TempDir()
	for name, text := range texts {
		path := filepath.Join(dir, name)
		require.NoError(b.t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(b.t, os.WriteFile(path, []byte(text), 0o600))
		paths = append(paths, path)
	}
	return paths
}

// choose puts files into the file field.
func (b *browser) choose(paths ...string) {
	b.t.Helper()
	b.do("choose", chromedp.SetUploadFiles(`#files`, paths, chromedp.ByQuery))
}

// blocked keeps requests from leaving the browser whose addresses fit, and lets all others go.
func (b *browser) blocked(patterns ...string) {
	b.t.Helper()
	b.do("block", network.Enable(), network.SetBlockedURLs(patterns))
}

// pattern returns bytes that do not repeat.
func pattern(n int) []byte {
	out := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(out)
	return out
}

// open follows the link with a text.
func (b *browser) open(text string) {
	b.t.Helper()
	b.click("open "+text, fmt.Sprintf(`//a[normalize-space()=%q]`, text))
}

func (b *browser) signIn(accessKey, secretKey string) {
	b.t.Helper()
	b.do("the page", chromedp.Navigate(b.console), chromedp.Reload(), chromedp.WaitVisible(`input[type=password]`))
	b.fill("Access key", accessKey)
	b.fill("Secret key", secretKey)
	b.press("Sign in")
}

// run runs a script in the page and reads what it, or its promise, gives.
func (b *browser) run(what, script string, out any) {
	b.t.Helper()
	b.do(what, chromedp.Evaluate(script, out, func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
		return p.WithAwaitPromise(true)
	}))
}

// until waits until a script gives true.
func (b *browser) until(what, script string) {
	b.t.Helper()
	deadline := time.Now().Add(pageTimeout)
	for ok := false; !ok; {
		b.run(what, script, &ok)
		if !ok && time.Now().After(deadline) {
			b.t.Fatalf("%s: it does not come to that:\n%s", what, b.text())
		}
		time.Sleep(pollEvery)
	}
}

// fault is what axe-core finds wrong.
type fault struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML, FailureSummary string }
}

// accessible fails if axe-core finds a serious or critical fault in the page, light or dark, and takes pictures.
func (b *browser) accessible(name string) {
	b.t.Helper()
	for dark, rules := range map[string]string{"0": "", "1": "color-contrast"} { // What is dark differs in colours alone.
		b.run("colours", "document.documentElement.dataset.dark="+dark, nil)
		for _, f := range b.faults(rules) {
			for _, n := range f.Nodes {
				b.t.Errorf("%s (dark: %s): %s, %s: %s\n%s\n%s", name, dark, f.Impact, f.ID, f.Help, n.HTML, n.FailureSummary)
			}
		}
	}
	b.run("colours", "document.documentElement.dataset.dark=0", nil)
	b.picture(name)
}

// faults returns what axe-core finds in the page that is serious or critical, by one of its rules or all of them.
func (b *browser) faults(rule string) (out []fault) {
	b.t.Helper()
	var loaded bool
	b.run("axe", `typeof axe !== "undefined"`, &loaded)
	if !loaded {
		script, err := os.ReadFile("../../node/console/testdata/axe.js")
		require.NoError(b.t, err)
		b.run("axe", string(script)+"\n;true", &loaded)
	}
	var text, only string
	if rule != "" {
		only = fmt.Sprintf(", runOnly: [%q]", rule)
	}
	b.run("axe", `axe.run(document, {resultTypes: ["violations"]`+only+`}).then((r) => JSON.stringify(r.violations.filter(
		(v) => v.impact === "serious" || v.impact === "critical")))`, &text)
	require.NoError(b.t, json.Unmarshal([]byte(text), &out))
	return out
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

// startConsole starts a cluster whose first node serves the console, and opens that.
func startConsole(t *testing.T, nodes int, o options) (*cluster, *browser) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	o.prepare = func(p *process) {
		if p.Index == 0 {
			p.Flags = append(p.Flags, "--console", addr)
		}
	}
	c := startClusterWith(t, nodes, o)
	return c, openBrowser(t, "http://"+addr+"/")
}

// check is cairn for commands that must succeed.
func (c *cluster) check(args ...string) {
	c.t.Helper()
	out, err := c.cairn(args...)
	require.NoError(c.t, err, "%s", out)
}
