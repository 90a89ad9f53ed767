package rpc

import (
	"context"
	"net"
	"net/http"
	"time"
)

// Defaults of ClientConfig. A connection's two buffers hold a frame of a shard
// each; idle connections of one client cost at most their number times both.
const (
	DefaultDialTimeout         = 3 * time.Second
	DefaultIdleConnTimeout     = 90 * time.Second
	DefaultMaxIdleConnsPerHost = 64
	DefaultBufferBytes         = 68 << 10
)

// ClientConfig is how a client behaves. The zero value means the defaults.
type ClientConfig struct {
	DialTimeout         time.Duration // For the connection and the TLS handshake.
	IdleConnTimeout     time.Duration
	MaxIdleConnsPerHost int
	BufferBytes         int // Of each connection's read buffer, and of its write buffer.
}

// NewHTTPClient returns a client for http:// URLs of nodes whose connections t
// makes. It has no timeout of its own besides DialTimeout: calls are ended by
// their contexts. It follows no redirect, uses no proxy, and compresses nothing.
func NewHTTPClient(t Transport, cfg ClientConfig) *http.Client {
	timeout := orDefault(cfg.DialTimeout, DefaultDialTimeout)
	buffer := orDefault(cfg.BufferBytes, DefaultBufferBytes)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
				return dialWithin(ctx, t, addr, timeout)
			},
			MaxIdleConnsPerHost: orDefault(cfg.MaxIdleConnsPerHost, DefaultMaxIdleConnsPerHost),
			IdleConnTimeout:     orDefault(cfg.IdleConnTimeout, DefaultIdleConnTimeout),
			ReadBufferSize:      buffer,
			WriteBufferSize:     buffer,
			DisableCompression:  true,
			Protocols:           protocols,
		},
		CheckRedirect: NoRedirect,
	}
}

// Outbound returns a new transport for servers outside of the cluster that an operator has
// named. It asks no proxy, whatever HTTP_PROXY and HTTPS_PROXY of the process say: the
// settings alone decide to whom tokens and what is told with them go. Its clients need
// NoRedirect.
func Outbound() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	return t
}

// NoRedirect is the CheckRedirect of clients that show a token or send what must not be
// lost: a redirect is an answer like any other that is no success. Whoever answers
// would else choose where the token goes, and what becomes of the body.
func NoRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// dialWithin is Dial with a timeout of its own. When that ends it, the peer is not
// there (Unavailable); when ctx does, the caller has gone (Canceled).
func dialWithin(ctx context.Context, t Transport, addr string, timeout time.Duration) (net.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c, err := t.Dial(limited, addr)
	if err != nil {
		return nil, dialError(ctx, addr, err)
	}
	return c, nil
}
