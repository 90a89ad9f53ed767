package node

import (
	"crypto/tls"
	"net"
	"net/http"

	"github.com/cairnstore/cairn/cluster/listen"
	"github.com/cairnstore/cairn/node/console"
	"github.com/cairnstore/cairn/s3api"
)

// openConsole serves the web console where the operator asked for it. s3 is the handler of the S3
// listener, which is at an address; the console has its certificate, its time-outs and its bounds.
func (n *Node) openConsole(s3 http.Handler, at net.Addr, tlsConfig *tls.Config, limits listen.Limits) error {
	if n.cfg.Console == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(at.String())
	if err != nil {
		return listenError("console", n.cfg.Console, err)
	}
	l, err := n.env.ListenS3(n.cfg.Console)
	if err != nil {
		return listenError("console", n.cfg.Console, err)
	}
	scheme := "http"
	if tlsConfig != nil {
		scheme = "https"
	}
	limits.Total, limits.PerAddress = min(limits.Total, maxConsoleConnections), min(limits.PerAddress,
		maxConsoleConnections/2)
	h := console.New(console.Config{S3: s3, S3Scheme: scheme, S3Port: port, Region: n.cfg.Region,
		Bucket: n.bucketOf})
	server := s3api.NewHTTPServer(h, tlsConfig, n.s3Limits(), n.obs.S3(n.requestDone))
	n.serve(server, n.bound(l, "console", limits), "console listener")
	return nil
}

// bucketOf returns the bucket that a host name stands for on the S3 listener; empty: none.
func (n *Node) bucketOf(host string) string {
	if b := s3api.HostBucket(n.cfg.Domains)(host); b != "" {
		return b
	}
	return s3api.HostBucket(n.cfg.WebsiteDomains)(host)
}

// maxConsoleConnections bounds the listener of the console: a browser has a handful.
const maxConsoleConnections = 512
