package node

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"

	"github.com/cairnstore/cairn/cluster/listen"
)

// Bounds of connections.
const (
	defaultMaxConnections = 4096
	minConnections        = 16
	// operatorReserve is how many connections are left for operators when all others are taken.
	operatorReserve = 16
	// filesDivisor: connections of clients may take half of the files that a process may have
	// open. The other half is for drives, databases and other nodes.
	filesDivisor = 2
	// maxMetricsConnections bounds the listener of --metrics-addr, which few clients use.
	maxMetricsConnections = 64
	// troubleShown is how long the status shows that connections were refused.
	troubleShown = 10 * time.Minute
)

// Connections says who may connect, and how often.
type Connections struct {
	MaxConnections           int
	MaxConnectionsPerAddress int
	OperatorAddresses        []string
}

func (c *Config) connectionFlags(fs *pflag.FlagSet) {
	fs.IntVar(&c.MaxConnections, "max-connections", defaultMaxConnections, "connections to the S3 listener at a time; never more than half of the files that the process may have open")
	fs.IntVar(&c.MaxConnectionsPerAddress, "max-connections-per-address", 0, "of them those of one address, or one IPv6 network of 64 bits; --trusted-proxies are not bounded (0: half of all)")
	fs.StringSliceVar(&c.OperatorAddresses, "operator-addresses", []string{"127.0.0.0/8", "::1"}, "addresses or networks that get in when all connections are taken: of operators and health checks")
}

func (c *Config) validateConnections() error {
	switch {
	case c.MaxConnections < minConnections:
		return settingError("max-connections", "%d is less than %d", c.MaxConnections, minConnections)
	case c.MaxConnectionsPerAddress < 0:
		return settingError("max-connections-per-address", "%d is negative", c.MaxConnectionsPerAddress)
	}
	_, err := prefixes("operator-addresses", c.OperatorAddresses)
	return err
}

// prefixes reads a setting of addresses and networks.
func prefixes(name string, list []string) (out []netip.Prefix, err error) {
	for _, text := range list {
		p, err := parsePrefix(text)
		if err != nil {
			return nil, settingError(name, "%q is neither an address nor a network", text)
		}
		out = append(out, p)
	}
	return out, nil
}

func among(list []netip.Prefix) func(netip.Addr) bool {
	return func(a netip.Addr) bool {
		for _, p := range list {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
}

// doors are the listeners of a node. Its status and metrics tell of them.
type doors struct {
	mu  sync.Mutex
	all []*door
}

// door is one listener.
type door struct {
	name            string
	open            func() int // How many connections are open; nil: they are not counted.
	refused, failed atomic.Int64
	refusedAt       atomic.Int64 // Unix nanoseconds; 0: never.
	failedAt        atomic.Int64
	failure         atomic.Pointer[string]
}

func (d *doors) add(name string) *door {
	d.mu.Lock()
	defer d.mu.Unlock()
	x := &door{name: name}
	d.all = append(d.all, x)
	return x
}

func (d *doors) list() []*door {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.all[:len(d.all):len(d.all)]
}

// connections returns how many connections are open, by listener.
func (d *doors) connections() map[string]int {
	out := map[string]int{}
	for _, x := range d.list() {
		if x.open != nil {
			out[x.name] = x.open()
		}
	}
	return out
}

// warnings are sentences about connections that were refused, or failed, lately.
func (d *doors) warnings(node string, now time.Time) (out []string) {
	lately := func(at int64) bool { return at != 0 && now.Sub(time.Unix(0, at)) < troubleShown }
	for _, x := range d.list() {
		if lately(x.failedAt.Load()) {
			out = append(out, fmt.Sprintf("node %s: the %s listener could not accept connections (%s; %d times since the start): raise the limit of open files (LimitNOFILE)",
				node, x.name, *x.failure.Load(), x.failed.Load()))
		}
		if lately(x.refusedAt.Load()) {
			out = append(out, fmt.Sprintf("node %s: the %s listener refused connections, for there were too many (%d since the start): see --max-connections",
				node, x.name, x.refused.Load()))
		}
	}
	return out
}

// doorEvents are the events of a listener. They are noted for the status.
func (n *Node) doorEvents(d *door) listen.Events {
	told := n.obs.Connections(d.name)
	return listen.Events{
		Refused: func(r listen.Reason, from net.Addr) {
			d.refused.Add(1)
			d.refusedAt.Store(time.Now().UnixNano())
			told.Refused(r, from)
		},
		AcceptFailed: func(err error) {
			text := err.Error()
			d.failed.Add(1)
			d.failure.Store(&text)
			d.failedAt.Store(time.Now().UnixNano())
			told.AcceptFailed(err)
		},
	}
}

// bound keeps the connections of a listener for clients within limits.
func (n *Node) bound(l net.Listener, name string, limits listen.Limits) net.Listener {
	d := n.doors.add(name)
	b := listen.New(l, limits, n.doorEvents(d))
	d.open = b.Open
	return b
}

// watch notes what goes wrong with a listener for other nodes. It sets no bounds: the peers are
// few, and known once they have shaken hands.
func (n *Node) watch(l net.Listener, name string) net.Listener {
	return listen.Watch(l, n.doorEvents(n.doors.add(name)).AcceptFailed)
}

// clientLimits are the bounds of the S3 listener.
func (n *Node) clientLimits() (listen.Limits, error) {
	operators, err := prefixes("operator-addresses", n.cfg.OperatorAddresses)
	if err != nil {
		return listen.Limits{}, err
	}
	proxies, err := prefixes("trusted-proxies", n.cfg.TrustedProxies)
	if err != nil {
		return listen.Limits{}, err
	}
	total := n.cfg.MaxConnections
	if files := maxOpenFiles(); files > 0 && total > files/filesDivisor {
		total = max(minConnections, files/filesDivisor)
		n.log.Warn("fewer connections than --max-connections: the limit of open files is low", "max-connections", n.cfg.MaxConnections, "open-files", files, "allowed", total)
	}
	per := n.cfg.MaxConnectionsPerAddress
	if per == 0 {
		per = total / 2
	}
	return listen.Limits{Total: total, PerAddress: per, Reserve: operatorReserve, Operators: among(operators), Proxies: among(proxies)}, nil
}
