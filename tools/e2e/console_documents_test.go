//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// policy writes a policy: what is wrong with it is told while it is typed, and by the cluster when it is saved.
// Then the page tells who could do what.
func (b *browser) policy(c *cluster) {
	b.t.Helper()
	b.open("Policy")
	b.press("Begin with an example")
	b.see("No fault is seen.")
	b.do("no JSON", chromedp.SendKeys(`section textarea`, "x", chromedp.ByQuery))
	b.see("It is no JSON")
	b.press("Save")
	b.do("an error", chromedp.WaitVisible(`.notice.bad`, chromedp.ByQuery))
	b.accessible("policy")
	b.write("Policy", `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"GetObject",
		"Resource":"arn:aws:s3:::pages/*"}]}`)
	b.see("“GetObject” is no action")
	b.write("Policy", `{"Version":"2012-10-17","Statement":[{"Sid":"<b>open</b>","Effect":"Allow","Principal":"*",
		"Action":"s3:GetObject","Resource":"arn:aws:s3:::pages/*"}]}`)
	b.see("No fault is seen.")
	b.press("Save")
	b.see("Saved")
	b.press("Look")
	b.see("everybody (anonymous)")
	b.fill("Who", "anonymous")
	b.press("Ask")
	b.see("<b>open</b>")
	b.accessible("who")
	answer, err := http.Get(c.nodes[0].Endpoint() + "/pages/moved")
	require.NoError(b.t, err)
	require.NoError(b.t, answer.Body.Close())
	require.Equal(b.t, http.StatusOK, answer.StatusCode, "everybody may read it")
}

// write puts a text into the field of a document.
func (b *browser) write(name, text string) {
	b.t.Helper()
	area := fmt.Sprintf(`textarea[aria-label=%q]`, name)
	b.do("write "+name, chromedp.WaitVisible(area, chromedp.ByQuery), chromedp.Focus(area, chromedp.ByQuery),
		chromedp.Evaluate("document.activeElement.select()", nil), input.InsertText(text))
}

// documents opens every property of a bucket. Forms write what S3 reads, and a document that says more than its
// form can is left as it is.
func (b *browser) documents(c *cluster) {
	b.t.Helper()
	ctx, s := b.t.Context(), client(c.nodes[0])
	for _, name := range []string{"ACL", "Lifecycle", "Events", "Object lock", "Access log"} {
		b.open(name)
		b.do(name, chromedp.WaitVisible(fmt.Sprintf(`//section//h2[text()=%q]`, name), chromedp.BySearch))
		b.accessible(name)
	}
	b.open("Lifecycle")
	b.press("Begin with an example")
	b.press("Save")
	b.see("Saved")
	b.press("What would it do now?")
	b.see("Nothing is due")
	b.write("Lifecycle", `<LifecycleConfiguration><Rule><ID>all</ID><Status>Enabled</Status>
		<Filter><Prefix></Prefix></Filter>
		<Expiration><Date>2020-01-01T00:00:00Z</Date></Expiration></Rule></LifecycleConfiguration>`)
	b.press("What would it do now?")
	b.see("1 of 1 version looked at")
	b.accessible("lifecycle")
	b.open("Versioning")
	b.pick("State", "Enabled")
	b.press("Save")
	b.see("Saved")
	versioning, err := s.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: ptr("pages")})
	require.NoError(b.t, err)
	require.EqualValues(b.t, "Enabled", versioning.Status)
	b.open("Quota")
	b.change("Size", "3 GiB")
	b.press("Save")
	b.see("Saved")
	b.open("Tags")
	b.do("tags", chromedp.SendKeys(`section textarea`, "team=a & b <c>", chromedp.ByQuery))
	b.press("Save")
	b.see("Saved")
	tags, err := s.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: ptr("pages")})
	require.NoError(b.t, err)
	require.Len(b.t, tags.TagSet, 1)
	require.Equal(b.t, "a & b <c>", *tags.TagSet[0].Value)
	b.open("Encryption")
	b.press("Save")
	b.see("Saved")
	b.open("Website")
	b.change("Index document", "start.html")
	b.press("Save")
	b.see("Saved")
	b.open("CORS")
	b.do("origins", chromedp.SendKeys(`fieldset textarea`, "https://a.example", chromedp.ByQuery))
	b.press("Add rule")
	b.do("origins", chromedp.SendKeys(`fieldset + fieldset textarea`, "https://b.example", chromedp.ByQuery))
	b.accessible("CORS")
	b.press("Save")
	b.see("Saved")
	cors, err := s.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: ptr("pages")})
	require.NoError(b.t, err)
	require.Len(b.t, cors.CORSRules, 2)
	require.Equal(b.t, []string{"https://b.example"}, cors.CORSRules[1].AllowedOrigins)
	b.open("Website")
	b.click("the document", `//label[text()="Edit the document itself"]`)
	b.write("Website", `<WebsiteConfiguration><IndexDocument><Suffix>a.html</Suffix></IndexDocument>
		<RoutingRules><RoutingRule><Redirect><ReplaceKeyWith>b</ReplaceKeyWith></Redirect></RoutingRule></RoutingRules>
		</WebsiteConfiguration>`)
	b.press("Save")
	b.see("This document says more than a form could show")
}

// pick chooses an option of the list with a label.
func (b *browser) pick(label, option string) {
	b.t.Helper()
	list := fmt.Sprintf(`//select[@id=//label[text()=%q]/@for]`, label)
	b.do("pick "+label, chromedp.WaitVisible(list, chromedp.BySearch),
		chromedp.SendKeys(list, option, chromedp.BySearch))
}

// live looks at a node's log and at requests while they are answered. What clients name runs nowhere.
func (b *browser) live(c *cluster) {
	b.t.Helper()
	b.click("log", `//a[text()="Log"]`)
	b.see("of the last")
	b.do("filter", chromedp.SendKeys(`input[type=search]`, "no such words", chromedp.ByQuery))
	b.see("0 of the last")
	b.press("Set level")
	b.see("The node logs what is at least debug until")
	b.press("As the node's settings")
	b.gone("at least debug")
	b.accessible("log")
	b.open("Nodes")
	b.open("Requests of all nodes")
	b.see("Requests are shown as they are answered.")
	key := "<img src=x onerror=document.title='owned'>"
	until := time.Now().Add(pageTimeout)
	for seen := false; !seen; { // The trace of a node begins when it has been asked.
		require.True(b.t, time.Now().Before(until), "no request is shown:\n%s", b.text())
		_, err := client(c.nodes[3]).HeadObject(b.t.Context(), &s3.HeadObjectInput{Bucket: ptr("pages"), Key: &key})
		require.Error(b.t, err)
		b.run("seen", `document.body.innerText.includes("pages/<img src=x")`, &seen)
	}
	b.accessible("requests")
	var title string
	b.do("title", chromedp.Title(&title))
	require.NotEqual(b.t, "owned", title)
	b.open("Nodes")
}

// targets adds a target of events, which takes a test event, and removes it.
func (b *browser) targets() {
	b.t.Helper()
	took := make(chan struct{}, 1)
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case took <- struct{}{}:
		default:
		}
	}))
	b.t.Cleanup(hook.Close)
	b.open("Event targets")
	b.press("Add event target")
	b.fill("Name", "hook")
	b.fill("URL", hook.URL)
	b.confirm("Save")
	b.press("Test hook")
	b.see("hook has taken a test event")
	<-took
	b.accessible("targets")
	b.press("Delete hook")
	b.confirm("Delete")
	b.see("There is no event target.")
}
