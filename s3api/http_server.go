package s3api

import (
	"bytes"
	"crypto/tls"
	"log"
	"net/http"
)

// HTTP/2 settings. S3 clients speak HTTP/1.1, which costs less CPU for large
// bodies; HTTP/2 is for browsers and proxies.
const (
	http2MaxStreams        = 250
	http2BufferPerStream   = 1 << 20
	http2BufferPerConn     = 4 << 20
	maxServerErrorLogBytes = 4096
)

// NewHTTPServer returns a server of h with the timeouts of limits. The timeouts of
// bodies are the handler's: they are per progress, not per request. With TLS it
// speaks HTTP/2 too; serve with ServeTLS and empty file names.
func NewHTTPServer(h http.Handler, tlsConfig *tls.Config, limits Limits, events Events) *http.Server {
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
		ErrorLog:          log.New(errorLog{events}, "", 0),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          http2MaxStreams,
			MaxReceiveBufferPerStream:     http2BufferPerStream,
			MaxReceiveBufferPerConnection: http2BufferPerConn,
			WriteByteTimeout:              limits.IdleWriteTimeout,
		},
	}
}

// errorLog makes events of net/http's error log.
type errorLog struct{ events Events }

func (l errorLog) Write(p []byte) (int, error) {
	if l.events.ServerError != nil {
		line := bytes.TrimSpace(p)
		l.events.ServerError(string(line[:min(len(line), maxServerErrorLogBytes)]))
	}
	return len(p), nil
}
