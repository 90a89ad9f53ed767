package s3api

import (
	"bytes"
	"crypto/tls"
	"log"
	"net/http"
	"time"

	"github.com/cairnstore/cairn/cluster/events"
)

// Settings of HTTP/2. The buffers are how much a client may send before it is read: of one upload,
// and of all uploads that share a connection. net/http itself bounds the handlers of a connection
// that opens and resets streams in haste.
const (
	http2MaxStreams        = 250
	http2BufferPerStream   = 1 << 20
	http2BufferPerConn     = 4 << 20
	http2PingAfter         = 30 * time.Second // A silent client is asked, so one that is gone holds nothing for ever.
	http2PingTimeout       = 15 * time.Second
	maxServerErrorLogBytes = 4096
)

// NewHTTPServer returns a server of h with the timeouts of limits. The timeouts of bodies are the
// handler's: they go by progress, not by request. With TLS it speaks HTTP/2 too. If tlsConfig
// offers HTTP/1.1 first, it does so only with clients that know nothing else (see PreferHTTP2).
// Serve with ServeTLS and empty file names.
func NewHTTPServer(h http.Handler, tlsConfig *tls.Config, limits Limits, e Events) *http.Server {
	limits = limits.withDefaults()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	if tlsConfig != nil {
		protocols.SetHTTP2(true)
		tlsConfig = tlsConfig.Clone()
	}
	return &http.Server{
		Handler:           h,
		TLSConfig:         tlsConfig,
		Protocols:         protocols,
		ReadHeaderTimeout: limits.ReadHeaderTimeout,
		IdleTimeout:       limits.IdleConnTimeout,
		MaxHeaderBytes:    limits.MaxHeaderBytes,
		ErrorLog:          log.New(errorLog{events.Filled(e)}, "", 0),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          http2MaxStreams,
			MaxReceiveBufferPerStream:     http2BufferPerStream,
			MaxReceiveBufferPerConnection: http2BufferPerConn,
			WriteByteTimeout:              limits.IdleWriteTimeout,
			SendPingTimeout:               http2PingAfter,
			PingTimeout:                   http2PingTimeout,
		},
	}
}

// PreferHTTP2 makes a listener speak HTTP/2 with every client that can.
func PreferHTTP2(c *tls.Config) { c.NextProtos = []string{"h2", "http/1.1"} }

// errorLog makes events of the lines of net/http's error log.
type errorLog struct{ events Events }

func (l errorLog) Write(p []byte) (int, error) {
	line := bytes.TrimSpace(p)
	l.events.ServerError(string(line[:min(len(line), maxServerErrorLogBytes)]))
	return len(p), nil
}
