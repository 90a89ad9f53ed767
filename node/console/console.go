// Package console is the web console: a page of its own origin, and the way from it to the APIs of its
// node. It decides nothing. The page signs every request with temporary credentials of whoever signed in,
// so rights and the audit log are those of the S3 and the admin API.
//
// Three things are at this origin:
//
//   - "/", the page and what it loads: files embedded from web, without a build step. Their answers bear
//     a Content-Security-Policy that lets nothing in from elsewhere but pictures of the S3 origin.
//   - "/config.json": where S3 is, and the region to sign for.
//   - "/cairn.admin./…" and "/s3/…": signed requests, passed in-process to the handler of the S3 port,
//     which serves the admin API too.
//
// What users have stored is hostile. It must never run at this origin, where it could use the page's
// credentials. So under "/s3/" only a request that a script of the page has made is passed: one that is
// signed in its header and has the page's own header, which no link, form, picture or frame can send. And
// every answer there is an attachment in a sandbox. Previews and shared links use the S3 origin.
//
// The handler is safe for concurrent use and holds nothing but the files.
package console

import (
	"encoding/json"
	"mime"
	"net"
	"net/http"
	"regexp"
	"strings"

	"github.com/cairnstore/cairn/s3api"
)

// The console's own paths and headers.
const (
	s3Prefix   = "/s3"
	configPath = "/config.json"
	// OwnHeader is what the page's scripts send with each request under /s3/.
	OwnHeader = "X-Cairn-Console"
	ownValue  = "1"
)

// Config says what the console passes requests to.
type Config struct {
	// S3 is the handler of the S3 port, with the admin API under s3api.AdminPrefix.
	S3       http.Handler
	S3Scheme string // http or https.
	S3Port   string
	Region   string
	// Bucket returns the bucket that a host name stands for at S3; empty: none.
	Bucket func(host string) string
}

// New returns the handler of the console's listener.
func New(c Config) http.Handler {
	if c.Bucket == nil {
		c.Bucket = func(string) string { return "" }
	}
	return &handler{c: c, files: load()}
}

type handler struct {
	c     Config
	files map[string]*file // By path.
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case !plainHost.MatchString(r.Host):
		refuse(w, http.StatusBadRequest, "the Host header is not that of an address")
	case h.c.Bucket(r.Host) != "":
		refuse(w, http.StatusMisdirectedRequest,
			"this host name is that of a bucket (--domain, --website-domain): reach the console under "+
				"another one, or by its IP address")
	case strings.HasPrefix(path, s3api.AdminPrefix):
		h.pass(w, r, r.URL.Path, r.URL.RawPath)
	case path == s3Prefix || strings.HasPrefix(path, s3Prefix+"/"):
		if why := refusal(r); why != "" {
			refuse(w, http.StatusForbidden, why)
			return
		}
		h.pass(w, r, strings.TrimPrefix(path, s3Prefix), strings.TrimPrefix(r.URL.RawPath, s3Prefix))
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "the page is only read")
	case path == configPath:
		h.pageHeaders(w, r)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(map[string]string{"scheme": h.c.S3Scheme, "port": h.c.S3Port,
			"region": h.c.Region})
	default:
		h.serveFile(w, r)
	}
}

// plainHost is a host name or address, with a port or without. It becomes part of a header.
var plainHost = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)

// refusal returns why a request under /s3/ is not passed; empty: it is.
func refusal(r *http.Request) string {
	if r.Header.Get(OwnHeader) != ownValue {
		return "only the console's page may ask here: it sends the header " + OwnHeader + "; use the S3 endpoint"
	}
	if r.Header.Get("Authorization") == "" {
		return "a request here is signed in its Authorization header: presigned URLs and requests without " +
			"a signature are for the S3 endpoint"
	}
	for name := range r.URL.Query() {
		switch strings.ToLower(name) {
		case "x-amz-signature", "x-amz-algorithm", "x-amz-credential", "signature", "awsaccesskeyid", "accesskeyid":
			return "presigned URLs are for the S3 endpoint"
		}
	}
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media == "multipart/form-data" {
		return "forms are for the S3 endpoint"
	}
	for name := range r.Header {
		if strings.Contains(strings.ToLower(name), "-server-side-encryption-customer-key") {
			return "keys of customers (SSE-C) are for the S3 endpoint"
		}
	}
	return ""
}

// pass hands a request to the S3 handler under another path, and its answer back as an attachment. The
// S3 handler is not told the origin: its rules for browsers (CORS) are for pages of others.
func (h *handler) pass(w http.ResponseWriter, r *http.Request, path, raw string) {
	r = r.Clone(r.Context())
	r.URL.Path, r.URL.RawPath = path, raw
	if r.URL.Path == "" {
		r.URL.Path = "/"
	}
	r.RequestURI = r.URL.RequestURI()
	r.Header.Del("Origin")
	h.c.S3.ServeHTTP(&disarmed{ResponseWriter: w}, r)
}

// disarmed is an answer that no browser runs: its headers are set last, whatever the handler has set.
type disarmed struct {
	http.ResponseWriter
	wrote bool
}

// Unwrap is for http.ResponseController.
func (d *disarmed) Unwrap() http.ResponseWriter { return d.ResponseWriter }

// Flush implements http.Flusher, for streams of the admin API.
func (d *disarmed) Flush() {
	d.disarm()
	_ = http.NewResponseController(d.ResponseWriter).Flush()
}

// WriteHeader implements http.ResponseWriter.
func (d *disarmed) WriteHeader(status int) {
	if status >= http.StatusOK {
		d.disarm()
	}
	d.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (d *disarmed) Write(p []byte) (int, error) {
	d.disarm()
	return d.ResponseWriter.Write(p)
}

func (d *disarmed) disarm() {
	if d.wrote {
		return
	}
	d.wrote = true
	header := d.Header()
	for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials",
		"Set-Cookie", "Refresh", "Link", "Location"} {
		header.Del(name)
	}
	header.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	header.Set("Content-Disposition", "attachment")
	header.Set("Cache-Control", "no-store")
	ownOnly(header)
}

// ownOnly sets what every answer of this origin bears.
func ownOnly(header http.Header) {
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("X-Frame-Options", "DENY")
}

// pageHeaders sets the headers of the page and its files.
func (h *handler) pageHeaders(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
		if strings.Contains(name, ":") {
			host = "[" + name + "]"
		}
	}
	s3 := h.c.S3Scheme + "://" + host + ":" + h.c.S3Port
	w.Header().Set("Content-Security-Policy",
		"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "+
			"img-src 'self' "+s3+"; media-src "+s3+"; frame-src 'none'; frame-ancestors 'none'; base-uri "+
			"'none'; form-action 'none'")
	w.Header().Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	ownOnly(w.Header())
}

// refuse answers with a sentence.
func refuse(w http.ResponseWriter, status int, why string) {
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	header.Set("Cache-Control", "no-store")
	ownOnly(header)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(why + "\n"))
}
