package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/identity"
)

// Transport makes connections between nodes.
type Transport interface {
	// Dial connects to a node's address. An error is of kind Unavailable, or
	// Canceled where ctx ended, and NotSent holds for it.
	Dial(ctx context.Context, addr string) (net.Conn, error)

	// Listen listens on an address of this node.
	Listen(addr string) (net.Listener, error)
}

const (
	keepAliveIdle  = 10 * time.Second // Until an idle connection's peer is asked whether it lives,
	keepAliveEvery = 5 * time.Second  // and how often
	keepAliveCount = 3                // before it is given up.

	// unackedTimeout is when a connection is given up whose peer does not
	// acknowledge what was sent.
	unackedTimeout = 20 * time.Second
)

// DialError is the cause of a Dial that failed: nothing was sent.
type DialError struct {
	Addr  string
	Cause error
}

// Error implements error.
func (e *DialError) Error() string { return fmt.Sprintf("connect to %s: %v", e.Addr, e.Cause) }

// Unwrap returns the cause.
func (e *DialError) Unwrap() error { return e.Cause }

// NotSent reports whether err says that there was no connection, so the peer has
// certainly not seen the request.
func NotSent(err error) bool {
	var d *DialError
	return errors.As(err, &d)
}

func dialError(ctx context.Context, addr string, cause error) error {
	var d *DialError
	if !errors.As(cause, &d) {
		cause = &DialError{Addr: addr, Cause: cause}
	}
	kind := errs.Unavailable
	if ctx.Err() != nil {
		kind = errs.Canceled
	}
	return errs.New("rpc.Dial", kind, cause)
}

type tcp struct{}

// TCP returns the transport of plain TCP.
func TCP() Transport { return tcp{} }

func keepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: keepAliveIdle, Interval: keepAliveEvery, Count: keepAliveCount}
}

// Dial implements Transport.
func (tcp) Dial(ctx context.Context, addr string) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: keepAlive(), Control: setSocketOptions}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, dialError(ctx, addr, err)
	}
	return c, nil
}

// Listen implements Transport.
func (tcp) Listen(addr string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAliveConfig: keepAlive(), Control: setSocketOptions}
	// Binding blocks on nothing, so there is nothing to cancel.
	l, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, errs.Newf("rpc.Listen", errs.Unavailable, "listen on %s: %w", addr, err)
	}
	return l, nil
}

type tlsTransport struct {
	base Transport
	id   *identity.Identity
}

// TLS returns base with mutual TLS on top: Dial shakes hands, connections that
// are accepted do so with their first Read or Write.
func TLS(base Transport, id *identity.Identity) Transport { return tlsTransport{base, id} }

// Dial implements Transport.
func (t tlsTransport) Dial(ctx context.Context, addr string) (net.Conn, error) {
	raw, err := t.base.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	c := newTLSConn(raw, tls.Client, t.id.ClientTLS())
	if err := c.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, dialError(ctx, addr, err)
	}
	return c, nil
}

// Listen implements Transport.
func (t tlsTransport) Listen(addr string) (net.Listener, error) {
	l, err := t.base.Listen(addr)
	if err != nil {
		return nil, err
	}
	return newTLSListener(l, t.id.ServerTLS(), DefaultHandshakeTimeout), nil
}
