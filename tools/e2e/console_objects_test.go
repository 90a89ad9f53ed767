//go:build e2e

package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	browserdomain "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// picture of one red pixel.
const redPixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"

// film makes a short film, in the browser.
const film = `new Promise((done) => {
	const canvas = document.createElement("canvas"), pieces = [];
	const pen = canvas.getContext("2d");
	const recorder = new MediaRecorder(canvas.captureStream(10), { mimeType: "video/webm" });
	let n = 0;
	recorder.ondataavailable = (e) => { pieces.push(e.data); };
	recorder.onstop = async () => {
		const bytes = new Uint8Array(await new Blob(pieces).arrayBuffer());
		done(btoa(Array.from(bytes, (x) => String.fromCharCode(x)).join("")));
	};
	recorder.start();
	const timer = setInterval(() => {
		pen.fillStyle = n++ % 2 ? "red" : "blue";
		pen.fillRect(0, 0, 99, 99);
		if (n > 5) { clearInterval(timer); recorder.stop(); }
	}, 50);
})`

// What people do with objects: uploads that go on after a reload, dropped folders, previews in which nothing
// runs, copies, versions and delete markers, and many deletions at once.
func TestConsoleObjects(t *testing.T) {
	t.Parallel()
	c, b := startConsole(t, 6, options{})
	s := client(c.nodes[0])
	_, err := s.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: ptr("things")})
	require.NoError(t, err)
	var encoded string
	b.run("film", film, &encoded)
	webm, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(t, err)
	b.signIn(rootUser, rootPassword)
	b.open("Buckets")
	b.open("things")
	b.resumes(s)
	b.drops()
	b.previews(string(webm))
	b.copies(s)
	b.versions(s)
	b.keeps(s)
}

// resumes uploads a file in parts, reloads the page in the middle, and chooses the file again: only the part
// that was not there is sent.
func (b *browser) resumes(s *s3.Client) {
	big := &object{key: "big.bin", data: pattern(60 << 20)}
	files := b.files(map[string]string{big.key: string(big.data)})
	b.blocked("*partNumber=3&*")
	b.choose(files...)
	b.see("44 MiB of 60 MiB")
	var sent atomic.Int32
	chromedp.ListenTarget(b.ctx, func(event any) {
		if e, ok := event.(*network.EventRequestWillBeSent); ok && strings.Contains(e.Request.URL, "partNumber=") {
			sent.Add(1)
		}
	})
	b.blocked()
	b.signIn(rootUser, rootPassword)
	b.open("Buckets")
	b.open("things")
	before := sent.Load()
	b.choose(files...)
	b.see("1 of 1 file uploaded")
	require.EqualValues(b.t, 1, sent.Load()-before, "parts that are there are not sent again")
	require.NoError(b.t, big.get(b.t.Context(), s, "things"))
}

// drops drops a folder, as from a window of files.
func (b *browser) drops() {
	paths := b.files(map[string]string{"folder/one.txt": "1", "folder/sub/two.txt": "22"})
	dir := filepath.Dir(paths[0])
	for filepath.Base(dir) != "folder" {
		dir = filepath.Dir(dir)
	}
	data := &input.DragData{Files: []string{dir}, Items: []*input.DragDataItem{}, DragOperationsMask: 1}
	var box *dom.BoxModel
	dropped := chromedp.ActionFunc(func(ctx context.Context) error {
		x, y := box.Content[0]+20, box.Content[1]+20
		for _, kind := range []input.DispatchDragEventType{input.DragEnter, input.DragOver, input.Drop} {
			if err := input.DispatchDragEvent(kind, x, y, data).Do(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	b.do("drop", chromedp.Dimensions(`.drop`, &box, chromedp.ByQuery), dropped)
	b.see("3 of 3 files uploaded")
	b.open("folder/")
	b.see("one.txt")
	b.open("sub/")
	b.see("two.txt")
	b.open("things")
}

// previews shows a picture, a film and texts. What is text to the browser's eye stays text.
func (b *browser) previews(webm string) {
	png, err := base64.StdEncoding.DecodeString(redPixel)
	require.NoError(b.t, err)
	b.choose(b.files(map[string]string{"red.png": string(png), "film.webm": webm,
		"evil.html": "<script>document.title='owned'</script>",
		"evil.svg": `<svg xmlns="http://www.w3.org/2000/svg" onload="document.title='owned'">
			<script>document.title='owned'</script></svg>`})...)
	b.see("7 of 7 files uploaded")
	for key, shown := range map[string]string{
		"red.png":   `document.querySelector(".preview img")?.naturalWidth === 1`,
		"film.webm": `document.querySelector(".preview video")?.videoWidth > 0`,
		"evil.html": `!!document.querySelector(".preview pre")?.textContent.includes("<script>")`,
		"evil.svg":  `document.querySelector(".preview img")?.complete === true`,
	} {
		b.object(key)
		b.press("Preview")
		b.until("preview of "+key, shown)
		b.accessible("preview-" + key)
		var strange int
		b.run("origins", `[...document.querySelectorAll(".preview img, .preview video")].filter(
			(e) => new URL(e.src).origin === location.origin).length`, &strange)
		require.Zero(b.t, strange, "it comes from the origin of S3")
		var title string
		b.do("title", chromedp.Title(&title))
		require.NotEqual(b.t, "owned", title)
		b.open("things")
	}
}

// object opens the page of an object.
func (b *browser) object(key string) {
	b.t.Helper()
	b.click("object "+key, fmt.Sprintf(`//td//a[text()=%q]`, key))
	b.do("its page", chromedp.WaitVisible(fmt.Sprintf(`//h1[text()=%q]`, key), chromedp.BySearch))
	b.see("Where it lies")
}

// copies copies an object and renames the copy.
func (b *browser) copies(s *s3.Client) {
	b.object("evil.html")
	b.press("Copy or rename")
	b.change("To key", "copied/page.html")
	b.confirm("Copy")
	b.do("copy", chromedp.WaitVisible(`//h1[text()="page.html"]`, chromedp.BySearch))
	b.press("Copy or rename")
	b.change("To key", "renamed.html")
	b.click("move", `//label[starts-with(text(), "Delete it here")]`)
	b.confirm("Copy")
	b.do("renamed", chromedp.WaitVisible(`//h1[text()="renamed.html"]`, chromedp.BySearch))
	got := keysOf(b, s)
	require.Contains(b.t, got, "renamed.html")
	require.NotContains(b.t, got, "copied/page.html")
	b.open("things")
}

func keysOf(b *browser, s *s3.Client) (keys []string) {
	out, err := s.ListObjectsV2(b.t.Context(), &s3.ListObjectsV2Input{Bucket: ptr("things")})
	require.NoError(b.t, err)
	for _, o := range out.Contents {
		keys = append(keys, *o.Key)
	}
	return keys
}

// versions deletes objects, many at once, in a bucket with versions, and takes a delete marker away again.
func (b *browser) versions(s *s3.Client) {
	_, err := s.PutBucketVersioning(b.t.Context(), &s3.PutBucketVersioningInput{Bucket: ptr("things"),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	require.NoError(b.t, err)
	b.choose(b.files(map[string]string{"red.png": "another version"})...)
	b.see("8 of 8 files uploaded")
	now, err := s.HeadObject(b.t.Context(), &s3.HeadObjectInput{Bucket: ptr("things"), Key: ptr("red.png")})
	require.NoError(b.t, err)
	require.EqualValues(b.t, len("another version"), *now.ContentLength, "the newest version")
	for _, key := range []string{"red.png", "film.webm", "big.bin"} {
		b.do("choose "+key, chromedp.Click(fmt.Sprintf(`input[aria-label="Choose %s"]`, key), chromedp.ByQuery))
	}
	b.downloads()
	b.press("Delete 3 objects")
	b.see("a delete marker is set")
	b.accessible("delete-many")
	b.confirm("Delete")
	b.until("deleted", `![...document.querySelectorAll("td a.key")].some((a) => a.textContent === "red.png")`)
	require.NotContains(b.t, keysOf(b, s), "red.png")
	b.click("versions", `//label[text()="Show versions"]`)
	b.see("delete marker")
	b.accessible("versions")
	row := `//tr[td//a[text()="red.png"] and td[contains(.,"delete marker")]]`
	b.click("the marker", row+`//input`)
	b.press("Delete 1 object")
	b.see("deleted for good")
	b.confirm("Delete")
	b.do("gone", chromedp.WaitNotPresent(row, chromedp.BySearch))
	require.Contains(b.t, keysOf(b, s), "red.png")
}

// downloads downloads what is chosen: each object becomes a file.
func (b *browser) downloads() {
	b.t.Helper()
	dir := b.t.TempDir()
	b.do("where to", browserdomain.SetDownloadBehavior(browserdomain.SetDownloadBehaviorBehaviorAllow).
		WithDownloadPath(dir))
	b.press("Download 3 objects")
	until := time.Now().Add(pageTimeout)
	for {
		found, err := filepath.Glob(filepath.Join(dir, "*"))
		require.NoError(b.t, err)
		sizes := map[string]int64{}
		for _, name := range found {
			if info, err := os.Stat(name); err == nil {
				sizes[filepath.Base(name)] = info.Size()
			}
		}
		if sizes["big.bin"] == 60<<20 && sizes["red.png"] == int64(len("another version")) && sizes["film.webm"] > 0 {
			return
		}
		require.True(b.t, time.Now().Before(until), "not all were downloaded: %v, %v", found, sizes)
		time.Sleep(pollEvery)
	}
}

// keeps puts a hold and a retention on an object of a bucket with object lock, and tags with hostile names.
func (b *browser) keeps(s *s3.Client) {
	ctx := b.t.Context()
	b.open("Buckets")
	b.press("Make bucket")
	b.fill("Name", "locked")
	b.click("lock", `//label[starts-with(text(), "With object lock")]`)
	b.confirm("Make")
	require.NoError(b.t, put(ctx, s, "locked", &object{key: "kept", data: []byte("x")}))
	b.open("locked")
	b.object("kept")
	b.press("Set a legal hold")
	b.see("it cannot be deleted until the hold is released")
	b.press("Release the hold")
	b.gone("it cannot be deleted until the hold is released")
	b.press("Change retention")
	b.run("until", `(() => {
		const field = document.querySelector("dialog input[type=datetime-local]");
		field.value = "2099-01-02T03:04:05";
		field.dispatchEvent(new Event("input", { bubbles: true }));
		return true;
	})()`, nil)
	b.confirm("Save")
	b.see("in governance mode until")
	b.accessible("kept")
	r, err := s.GetObjectRetention(ctx, &s3.GetObjectRetentionInput{Bucket: ptr("locked"), Key: ptr("kept")})
	require.NoError(b.t, err)
	require.Equal(b.t, 2099, r.Retention.RetainUntilDate.Year())
	b.press("Change tags")
	b.do("tags", chromedp.SendKeys(`dialog textarea`, "a=b+c:d", chromedp.ByQuery))
	b.confirm("Save")
	b.see("a=b+c:d")
}
