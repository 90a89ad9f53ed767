package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"time"

	"github.com/cairnstore/cairn/cluster/identity"
	"github.com/cairnstore/cairn/cluster/listen"
	"github.com/cairnstore/cairn/s3api"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

// openS3 begins to serve S3, the admin API and health.
func (n *Node) openS3(context.Context) error {
	l, err := n.env.ListenS3(n.cfg.S3)
	if err != nil {
		return listenError("s3", n.cfg.S3, err)
	}
	var tlsConfig *tls.Config // Of the console too.
	if n.cfg.TLSCert != "" {
		if tlsConfig, err = identity.LoadServerCert(n.cfg.TLSCert, n.cfg.TLSKey); err != nil {
			_ = l.Close()
			return fmt.Errorf("setting --tls-cert: %w", err)
		}
		if n.cfg.HTTP2 {
			s3api.PreferHTTP2(tlsConfig)
		}
	}
	limits, err := n.clientLimits()
	if err != nil {
		_ = l.Close()
		return err
	}
	l = n.bound(l, "s3", limits)
	forwarded, err := n.forwarded()
	if err != nil {
		_ = l.Close()
		return err
	}
	verifier := sigauth.New(sigauth.Config{Keys: n.access.keys, Region: n.cfg.Region, HostBucket: s3api.HostBucket(n.cfg.Domains)})
	c := n.s3Config()
	c.Verifier, c.Caller, c.SSECAllowed, c.Forwarded = verifier, callerOf, n.ssecAllowed(l.Addr(), forwarded), forwarded
	c.STS, c.Admin, c.Readyz = n.stsHandler(verifier, forwarded), n.adminHandler(verifier, forwarded), n.Ready
	c.AccessLog = n.accessLogs.Add
	h := n.obs.Requests(whenFormed(n.self.Formed(), s3api.New(c)))
	server := s3api.NewHTTPServer(h, tlsConfig, n.s3Limits(), n.obs.S3(n.requestDone))
	n.serve(server, l, "S3 listener")
	if err := n.openConsole(h, l.Addr(), tlsConfig, limits); err != nil {
		return err
	}
	return n.openMetrics()
}

// s3Config returns what the S3 handler is made of, but for the listener's part and where
// access logs go.
func (n *Node) s3Config() s3api.Config {
	a := &n.access
	return s3api.Config{
		Objects: n.objects,
		Access:  &s3api.Access{Buckets: a.buckets, Authorizer: iam.NewAuthorizer(a.directory)},
		Keys:    a.told, KeyName: n.keyName,
		Domains: n.cfg.Domains, WebsiteDomains: n.cfg.WebsiteDomains, Region: n.cfg.Region, HostID: n.home.ID().String(),
		Budget: n.budget, BudgetWait: object.DefaultBudgetWait,
		Events: n.obs.S3(n.requestDone), Limits: n.s3Limits(), LifecycleDay: n.cfg.LifecycleDay, Limiter: n.limiter, KnownTarget: n.knownTarget, Profile: n.profile.Load,
	}
}

func (n *Node) s3Limits() s3api.Limits {
	return s3api.Limits{IdleReadTimeout: n.cfg.SlowClient, IdleWriteTimeout: n.cfg.SlowClient}
}

// serve runs an HTTP server until Stop.
func (n *Node) serve(server *http.Server, l net.Listener, what string) {
	n.serving.Go(func() {
		var err error
		if server.TLSConfig != nil {
			err = server.ServeTLS(l, "", "")
		} else {
			err = server.Serve(l)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			n.fail(fmt.Errorf("%s: %w", what, err))
		}
	})
	n.servers = append(n.servers, server)
	n.later(func(ctx context.Context) error {
		if err := server.Shutdown(ctx); err != nil {
			return server.Close()
		}
		return nil
	})
}

// openMetrics serves metrics in clear where the operator asked for it.
func (n *Node) openMetrics() error {
	if n.cfg.MetricsAddr == "" {
		return nil
	}
	l, err := net.Listen("tcp", n.cfg.MetricsAddr)
	if err != nil {
		return listenError("metrics-addr", n.cfg.MetricsAddr, err)
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", n.obs.MetricsHandler())
	l = n.bound(l, "metrics", listen.Limits{Total: maxMetricsConnections, PerAddress: maxMetricsConnections / 2})
	n.serve(&http.Server{Handler: mux, ReadTimeout: metricsTimeout, WriteTimeout: metricsTimeout, IdleTimeout: metricsIdle, MaxHeaderBytes: metricsHeaderBytes}, l, "metrics listener")
	return nil
}

const (
	metricsTimeout     = 10 * time.Second
	metricsIdle        = 2 * time.Minute // Longer than between two looks of most who watch.
	metricsHeaderBytes = 16 << 10
)

// serveDebug puts metrics and profiles on the internode listener, behind its
// mutual TLS.
func (n *Node) serveDebug() {
	n.rpcServer.Handle("/metrics", n.obs.MetricsHandler())
	n.rpcServer.Handle("/debug/pprof/", http.HandlerFunc(pprof.Index))
	n.rpcServer.Handle("/debug/pprof/profile", http.HandlerFunc(pprof.Profile))
	n.rpcServer.Handle("/debug/pprof/symbol", http.HandlerFunc(pprof.Symbol))
	n.rpcServer.Handle("/debug/pprof/trace", http.HandlerFunc(pprof.Trace))
}

// forwarded returns the test for whether a request comes from a trusted proxy.
func (n *Node) forwarded() (func(*http.Request) bool, error) {
	var proxies []netip.Prefix
	for _, p := range n.cfg.TrustedProxies {
		prefix, err := parsePrefix(p)
		if err != nil {
			return nil, settingError("trusted-proxies", "%q is neither an address nor a network", p)
		}
		proxies = append(proxies, prefix)
	}
	return func(r *http.Request) bool { return from(r, proxies) }, nil
}

// ssecAllowed returns the test for whether a request may carry customer keys.
func (n *Node) ssecAllowed(listener net.Addr, forwarded func(*http.Request) bool) func(*http.Request) bool {
	loopback := isLoopback(listener)
	return func(r *http.Request) bool {
		rule := n.profile.Load().SSECPlainHTTP
		open := rule == profile.PlainHTTPAllow || (rule == profile.PlainHTTPLoopback && loopback)
		return open || r.TLS != nil || (r.Header.Get("X-Forwarded-Proto") == "https" && forwarded(r))
	}
}

func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}

// from reports whether a request's peer lies in one of the networks.
func from(r *http.Request, networks []netip.Prefix) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	for _, p := range networks {
		if p.Contains(peer.Addr().Unmap()) {
			return true
		}
	}
	return false
}

func isLoopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}
