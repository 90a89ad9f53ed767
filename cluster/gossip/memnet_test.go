package gossip

import (
	"errors"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// memNet is a network in memory for one synctest bubble. Links can be cut, and
// nodes killed without a word.
type memNet struct {
	mu    sync.Mutex
	ports map[string]*memPort
	cut   map[[2]string]bool
}

func newMemNet() *memNet {
	return &memNet{ports: make(map[string]*memPort), cut: make(map[[2]string]bool)}
}

// port returns a transport at an address that nobody else has now.
func (n *memNet) port(addr string) *memPort {
	p := &memPort{net: n, addr: addr, packets: make(chan *memberlist.Packet, 64),
		streams: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ports[addr] = p
	return p
}

// link cuts or mends the link between two addresses.
func (n *memNet) link(a, b string, up bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[[2]string{a, b}], n.cut[[2]string{b, a}] = !up, !up
}

func (n *memNet) reach(from, to string) *memPort {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut[[2]string{from, to}] {
		return nil
	}
	return n.ports[to]
}

type memAddr string

func (a memAddr) Network() string { return "mem" }
func (a memAddr) String() string  { return string(a) }

// memPort is a memberlist.Transport.
type memPort struct {
	net     *memNet
	addr    string
	packets chan *memberlist.Packet
	streams chan net.Conn
	once    sync.Once
	closed  chan struct{}
}

func (p *memPort) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	host, text, err := net.SplitHostPort(p.addr)
	if err != nil {
		return nil, 0, err
	}
	port, err := strconv.Atoi(text)
	return net.ParseIP(host).To4(), port, err
}

func (p *memPort) WriteTo(b []byte, addr string) (time.Time, error) {
	if to := p.net.reach(p.addr, addr); to != nil {
		select {
		case to.packets <- &memberlist.Packet{Buf: append([]byte(nil), b...), From: memAddr(p.addr), Timestamp: time.Now()}:
		default: // Lost, as packets are.
		}
	}
	return time.Now(), nil
}

func (p *memPort) PacketCh() <-chan *memberlist.Packet { return p.packets }
func (p *memPort) StreamCh() <-chan net.Conn           { return p.streams }

func (p *memPort) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	to := p.net.reach(p.addr, addr)
	if to == nil {
		time.Sleep(timeout)
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("timeout")}
	}
	here, there := net.Pipe()
	select {
	case to.streams <- there:
		return here, nil
	case <-to.closed:
	case <-p.closed:
	case <-time.After(timeout):
	}
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("refused")}
}

func (p *memPort) Shutdown() error {
	p.once.Do(func() {
		close(p.closed)
		p.net.mu.Lock()
		defer p.net.mu.Unlock()
		if p.net.ports[p.addr] == p {
			delete(p.net.ports, p.addr)
		}
	})
	return nil
}
