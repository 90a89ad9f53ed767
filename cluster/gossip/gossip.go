package gossip

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
)

// State is what is believed of a member. Who is not known is Down.
type State int

// The states.
const (
	Down State = iota
	Suspect
	Alive
)

// String returns the state in a word.
func (s State) String() string {
	switch s {
	case Alive:
		return "alive"
	case Suspect:
		return "suspect"
	default:
		return "down"
	}
}

// Liveness is what most of Cairn wants of this package.
type Liveness interface {
	State(cluster.NodeID) State
}

var _ Liveness = (*Gossip)(nil)

// Member is a node that was heard of.
type Member struct {
	Meta
	Addr  string // Of its gossip, host:port.
	State State
}

// Config is how a node gossips.
type Config struct {
	Self          Meta
	BindAddr      string   // host:port; no host: all addresses.
	AdvertiseAddr string   // host:port that others reach; empty: what BindAddr says.
	Key           []byte   // 32 bytes that encrypt.
	OtherKeys     [][]byte // What others may encrypt with besides, while the key is rotated.
	Label         string   // Separates clusters that share a key; may be empty.
	Seeds         []string // host:port of any members; may hold this node.

	Transport memberlist.Transport // nil: the network. Owned by Gossip from Start on.
	Events    Events
	Fast      bool // Quicker to find failures, for nodes on one machine.
}

// Events are told what happens; any may be nil. They must not block, and must not
// call SetCluster, Leave or Close.
type Events struct {
	// MemberChanged is called when a member came, went or said something new.
	MemberChanged func(Member)
	// JoinFailed is called after a round in which no seed answered, while
	// this node is alone.
	JoinFailed func(seeds []string, err error)
	// WrongKey is called, at most once a minute, when a peer has another key.
	WrongKey func(text string)
	// AddrConflict is called when two addresses claim to be one node.
	AddrConflict func(node, known, claimed string)
	// Log is called with everything else that memberlist says; level is DEBUG,
	// INFO, WARN or ERR.
	Log func(level, text string)
}

// metaUpdateTimeout bounds how long a change of this node's meta is pushed; later
// syncs carry it in any case.
const metaUpdateTimeout = 5 * time.Second

// Gossip is a running member.
type Gossip struct {
	list    *memberlist.Memberlist
	members *members
	timing  timing
	events  Events
	seeds   []string
	custom  bool // The transport is the caller's: addresses are not resolved.

	update   chan struct{} // Meta changed; capacity 1.
	cancel   context.CancelFunc
	loops    sync.WaitGroup
	closing  sync.Mutex // Held by Leave and Close.
	isClosed bool
}

// Start begins to gossip and to join the seeds. ctx only bounds Start itself.
// Errors are Invalid (a setting) or Unavailable (the address cannot be bound).
func Start(ctx context.Context, cfg Config) (*Gossip, error) {
	const op = "gossip.Start"
	if err := checkConfig(&cfg); err != nil {
		return nil, errs.New(op, errs.Invalid, err)
	}
	g := &Gossip{timing: timingOf(cfg.Fast), events: cfg.Events, seeds: cfg.Seeds,
		custom: cfg.Transport != nil, update: make(chan struct{}, 1)}
	g.members = newMembers(cfg.Self, cfg.Events)
	conf, err := g.listConfig(ctx, &cfg)
	if err != nil {
		return nil, errs.New(op, errs.Invalid, err)
	}
	if g.list, err = memberlist.Create(conf); err != nil {
		return nil, errs.Newf(op, errs.Unavailable, "gossip on %s: %w", cfg.BindAddr, err)
	}
	// The loops outlive the call, not the Gossip: Close ends them.
	var running context.Context
	running, g.cancel = context.WithCancel(context.WithoutCancel(ctx))
	g.loops.Go(func() { g.joinLoop(running) })
	g.loops.Go(func() { g.updateLoop(running) })
	return g, nil
}

func checkConfig(cfg *Config) error {
	if err := cfg.Self.check(); err != nil {
		return err
	}
	if len(cfg.Key) != 32 {
		return fmt.Errorf("the gossip key has %d bytes, not 32", len(cfg.Key))
	}
	if len(cfg.Label) > memberlist.LabelMaxSize {
		return fmt.Errorf("the gossip label has %d bytes, at most %d", len(cfg.Label), memberlist.LabelMaxSize)
	}
	for _, s := range cfg.Seeds {
		if _, _, err := splitAddr(s); err != nil {
			return fmt.Errorf("seed %q is not host:port: %w", s, err)
		}
	}
	return nil
}

// listConfig translates the settings for memberlist.
func (g *Gossip) listConfig(ctx context.Context, cfg *Config) (*memberlist.Config, error) {
	conf := memberlist.DefaultLANConfig()
	g.timing.apply(conf)
	conf.Name = cfg.Self.Node.String()
	conf.Label = cfg.Label
	keyring, err := memberlist.NewKeyring(cfg.OtherKeys, cfg.Key)
	if err != nil {
		return nil, err
	}
	conf.Keyring = keyring
	conf.EnableCompression = false // Small messages, and its garbage costs more than the bytes.
	conf.Transport = cfg.Transport
	conf.Delegate, conf.Events, conf.Alive = g.members, g.members, g.members
	conf.Conflict, conf.Ping, conf.Merge = g.members, g.members, g.members
	conf.Logger = newLogger(g.members, cfg.Events)
	if cfg.Transport != nil {
		return conf, nil
	}
	host, port, err := splitAddr(cfg.BindAddr)
	if err != nil {
		return nil, fmt.Errorf("gossip address %q is not host:port: %w", cfg.BindAddr, err)
	}
	if conf.BindAddr, err = resolve(ctx, host, "0.0.0.0"); err != nil {
		return nil, fmt.Errorf("gossip address %q: %w", cfg.BindAddr, err)
	}
	conf.BindPort, conf.AdvertisePort = port, port
	if cfg.AdvertiseAddr == "" {
		return conf, nil
	}
	if host, port, err = splitAddr(cfg.AdvertiseAddr); err != nil {
		return nil, fmt.Errorf("advertised gossip address %q is not host:port: %w", cfg.AdvertiseAddr, err)
	}
	if conf.AdvertiseAddr, err = resolve(ctx, host, ""); err != nil {
		return nil, fmt.Errorf("advertised gossip address %q: %w", cfg.AdvertiseAddr, err)
	}
	if port != 0 {
		conf.AdvertisePort = port
	}
	return conf, nil
}

func splitAddr(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("%q is not a port number", text)
	}
	return host, int(n), nil
}

// resolve returns host as an address that memberlist understands.
func resolve(ctx context.Context, host, ifEmpty string) (string, error) {
	if host == "" {
		return ifEmpty, nil
	}
	if net.ParseIP(host) != nil {
		return host, nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return "", err
	}
	for _, ip := range ips {
		if ip.Unmap().Is4() { // Where a name has both, as net.Dial would mostly end up.
			return ip.Unmap().String(), nil
		}
	}
	return ips[0].String(), nil
}

// Members returns all known members, this node among them, ascending by node.
// Those that are down stay in it for a day.
func (g *Gossip) Members() []Member { return g.members.all() }

// Member returns one of Members.
func (g *Gossip) Member(id cluster.NodeID) (Member, bool) { return g.members.member(id) }

// State returns what is believed of a node.
func (g *Gossip) State(id cluster.NodeID) State { return g.members.state(id) }

// Alive reports whether a node is Alive: Suspect is not.
func (g *Gossip) Alive(id cluster.NodeID) bool { return g.State(id) == Alive }

// Addr returns the address at which others reach this node's gossip.
func (g *Gossip) Addr() string { return g.members.selfAddr() }

// Changed returns a channel that receives after Members changed, once for any
// number of changes. It is for one reader.
func (g *Gossip) Changed() <-chan struct{} { return g.members.changed }

// SetCluster tells all members that this node belongs to a formed cluster, and to which
// era of its metadata. It returns at once; Invalid where the id is too long.
func (g *Gossip) SetCluster(id string, era uint64) error {
	if err := g.members.setCluster(id, era); err != nil {
		return errs.New("gossip.SetCluster", errs.Invalid, err)
	}
	select {
	case g.update <- struct{}{}:
	default: // One is due, and takes the newest.
	}
	return nil
}

// SetRoom tells all members how much room this node's metadata have.
func (g *Gossip) SetRoom(room uint32) {
	g.members.setRoom(room)
	select {
	case g.update <- struct{}{}:
	default: // One is due, and takes the newest.
	}
}

// updateLoop pushes changes of this node's meta.
func (g *Gossip) updateLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.update:
			// When it times out, the sync between members still carries it.
			_ = g.list.UpdateNode(metaUpdateTimeout)
		}
	}
}

// Leave tells the others that this node goes on purpose, so that they need not
// find out. It waits at most timeout for the message to leave. Only Close may
// follow.
func (g *Gossip) Leave(timeout time.Duration) error {
	g.closing.Lock()
	defer g.closing.Unlock()
	if g.isClosed {
		return nil
	}
	g.stopLoops() // Else they would join again.
	if err := g.list.Leave(timeout); err != nil {
		return errs.New("gossip.Leave", errs.Unavailable, err)
	}
	return nil
}

// Close stops gossiping, without a word to the others.
func (g *Gossip) Close() error {
	g.closing.Lock()
	defer g.closing.Unlock()
	if g.isClosed {
		return nil
	}
	g.isClosed = true
	g.cancel()
	err := g.list.Shutdown()
	g.stopLoops()
	if err != nil {
		return errs.New("gossip.Close", errs.Unavailable, err)
	}
	return nil
}

func (g *Gossip) stopLoops() {
	g.cancel()
	g.loops.Wait()
}
