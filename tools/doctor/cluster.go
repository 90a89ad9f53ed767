package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/node/admin/adminpb/adminpbconnect"
)

// Bounds of what is asked of a cluster.
const (
	connectTries   = 3
	connectTimeout = 3 * time.Second
	nodesAtOnce    = 8
)

// Cluster is where a cluster is asked.
type Cluster struct {
	Endpoint string         // http(s)://HOST:PORT.
	HTTP     *http.Client   // Reaches the endpoint.
	Roots    *x509.CertPool // Nil: those of this machine.
	Admin    adminpbconnect.AdminServiceClient
}

// Examine asks a cluster how it is, and looks at the ways to its nodes from here.
func (c *Cluster) Examine(ctx context.Context) []Finding {
	out := c.endpoint(ctx)
	health, err := c.Admin.ShowHealth(ctx, &adminpb.ShowHealthRequest{})
	if err != nil {
		return append(out, failed("health", err))
	}
	for _, h := range health.Checks {
		f := Finding{"cluster", h.Name, OK, h.Found, h.Action}
		switch h.State {
		case "warning", "critical":
			f.State = Warning
		}
		out = append(out, f)
	}
	status, err := c.Admin.Status(ctx, &adminpb.StatusRequest{})
	if err != nil {
		return append(out, failed("nodes", err))
	}
	out = append(out, versions(status))
	out = append(out, c.settings(ctx)...)
	return append(out, c.nodes(ctx, status)...)
}

// failed is the finding that the cluster has refused or not answered.
func failed(what string, err error) Finding {
	f := unknown("cluster", what, err)
	if code := connect.CodeOf(err); code == connect.CodePermissionDenied || code == connect.CodeUnauthenticated {
		f.Action = "ask as the cluster's root, or as somebody whose policy allows admin:ShowHealth, admin:Status, " +
			"admin:ListSettings and admin:ShowSetting"
	}
	return f
}

func versions(s *adminpb.StatusResponse) Finding {
	byValue := map[string][]string{}
	for _, n := range s.Nodes {
		if n.Answered {
			byValue[n.Version] = append(byValue[n.Version], n.S3Addr)
		}
	}
	if len(byValue) == 0 {
		return unknown("cluster", "versions", errors.New("no node has answered"))
	}
	return judgeSame("versions", byValue, "finish the update: new features begin when all nodes have one version")
}

// settings compares what nodes have in force. Only those that differ are told one by one.
func (c *Cluster) settings(ctx context.Context) (out []Finding) {
	const what = "settings"
	all, err := c.Admin.ListSettings(ctx, &adminpb.ListSettingsRequest{})
	if err != nil {
		return []Finding{failed(what, err)}
	}
	for _, s := range all.Settings {
		everywhere, err := c.Admin.ShowSetting(ctx, &adminpb.ShowSettingRequest{Name: s.Name})
		if err != nil {
			return append(out, failed(what, err))
		}
		byValue := map[string][]string{}
		for _, n := range everywhere.Nodes {
			if n.Error == "" {
				byValue[n.Value] = append(byValue[n.Value], n.S3Addr)
			}
		}
		if len(byValue) > 1 {
			out = append(out, judgeSame("setting "+s.Name, byValue,
				fmt.Sprintf("say it for all: cairn config set %s VALUE", s.Name)))
		}
	}
	if len(out) == 0 {
		out = append(out, good("cluster", what, "%d that the cluster may change are alike everywhere", len(all.Settings)))
	}
	return out
}

// endpoint looks at the address that was given: its name, its certificate, its clock.
func (c *Cluster) endpoint(ctx context.Context) []Finding {
	u, err := url.Parse(c.Endpoint)
	if err != nil {
		return []Finding{unknown(c.Endpoint, "address", err)}
	}
	where := u.Host
	var out []Finding
	if net.ParseIP(u.Hostname()) == nil {
		addrs, err := net.DefaultResolver.LookupHost(ctx, u.Hostname())
		if err != nil {
			return []Finding{{where, "name", Warning, err.Error(), "mend the name in DNS, or give --endpoint an address"}}
		}
		out = append(out, good(where, "name", "%s", strings.Join(addrs, ", ")))
	}
	if u.Scheme == "https" {
		out = append(out, c.certificate(ctx, where, u.Hostname()))
	} else if ip := net.ParseIP(u.Hostname()); ip == nil || !ip.IsLoopback() {
		out = append(out, Finding{where, "TLS", Advice, "requests go in clear",
			"give nodes --tls-cert and --tls-key: whoever listens reads data and session tokens"})
	}
	return append(out, c.clock(ctx, where))
}

// certificate looks at what a listener shows, and whether it is trusted for the name.
func (c *Cluster) certificate(ctx context.Context, addr, name string) Finding {
	const what = "certificate"
	// It is verified below, so that one which is not trusted can be told by what is wrong with it.
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: connectTimeout},
		Config: &tls.Config{ServerName: name, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return unknown(addr, what, err)
	}
	defer func() { _ = conn.Close() }()
	chain := conn.(*tls.Conn).ConnectionState().PeerCertificates
	f := judgeCertificate(addr, chain[0], time.Now())
	if f.Sick() {
		return f
	}
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{DNSName: name, Roots: c.Roots, Intermediates: between}); err != nil {
		return Finding{addr, what, Warning, err.Error(),
			"give --ca-file the authority that signed it, and the certificate all names of the endpoint"}
	}
	return f
}

// clock compares this machine's clock with the Date of an answer.
func (c *Cluster) clock(ctx context.Context, where string) Finding {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, strings.TrimRight(c.Endpoint, "/")+"/livez", nil)
	if err != nil {
		return unknown(where, "clock", err)
	}
	began := time.Now()
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return unknown(where, "clock", err)
	}
	_ = resp.Body.Close()
	told, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return unknown(where, "clock", fmt.Errorf("the answer has no date: %w", err))
	}
	return judgeOffset(where, time.Since(told), time.Since(began))
}

// nodes tries the way to every node from this machine, some at once.
func (c *Cluster) nodes(ctx context.Context, s *adminpb.StatusResponse) []Finding {
	found := make([]Finding, len(s.Nodes))
	var wg sync.WaitGroup
	slots := make(chan struct{}, nodesAtOnce)
	for i, n := range s.Nodes {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			found[i] = way(ctx, n.S3Addr)
		})
	}
	wg.Wait()
	return found
}

// way connects to a node some times and judges the quickest.
func way(ctx context.Context, addr string) Finding {
	d := net.Dialer{Timeout: connectTimeout}
	var best time.Duration
	for i := range connectTries {
		began := time.Now()
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return Finding{addr, "network", Warning, err.Error(),
				"start the node, or open the way to it: clients on this machine cannot reach it"}
		}
		took := time.Since(began)
		_ = conn.Close()
		if i == 0 || took < best {
			best = took
		}
	}
	return judgeTrip(addr, best)
}
