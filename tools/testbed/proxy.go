package testbed

import (
	"io"
	"net"
	"sync"
	"time"
)

// Proxy is a TCP load balancer in front of the nodes. Each connection goes to the next node that takes
// it. If the node dies, the connection is cut.
type Proxy struct {
	c    *Cluster
	l    net.Listener
	done sync.WaitGroup

	mu    sync.Mutex
	next  int
	conns map[net.Conn]bool
}

const proxyDialTimeout = time.Second

// NewProxy returns a proxy that listens on loopback. The caller must close it.
func (c *Cluster) NewProxy() (*Proxy, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		return nil, err
	}
	p := &Proxy{c: c, l: l, conns: map[net.Conn]bool{}}
	p.done.Go(p.serve)
	return p, nil
}

// Host returns the address to which clients connect.
func (p *Proxy) Host() string { return p.l.Addr().String() }

// Close cuts every connection and waits until nothing runs any more.
func (p *Proxy) Close() {
	_ = p.l.Close()
	p.mu.Lock()
	for conn := range p.conns {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.done.Wait()
}

func (p *Proxy) serve() {
	for {
		conn, err := p.l.Accept()
		if err != nil {
			return
		}
		p.done.Go(func() { p.forward(conn) })
	}
}

func (p *Proxy) forward(client net.Conn) {
	defer p.track(client)()
	node := p.dial()
	if node == nil {
		return
	}
	defer p.track(node)()
	var one sync.WaitGroup
	one.Go(func() { pipe(node, client) })
	pipe(client, node)
	one.Wait()
}

// track makes the connection known to Close, which cuts it. The caller must call the func that it
// returns, which closes the connection.
func (p *Proxy) track(conn net.Conn) func() {
	p.mu.Lock()
	p.conns[conn] = true
	p.mu.Unlock()
	return func() {
		_ = conn.Close()
		p.mu.Lock()
		delete(p.conns, conn)
		p.mu.Unlock()
	}
}

// pipe copies until from ends, and then ends to. After an error it closes both.
func pipe(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if tcp, ok := to.(*net.TCPConn); ok && err == nil {
		_ = tcp.CloseWrite()
		return
	}
	_ = to.Close()
	_ = from.Close()
}

// dial connects to the next node that takes a connection; nil if none does.
func (p *Proxy) dial() net.Conn {
	nodes := p.c.Up()
	p.mu.Lock()
	first := p.next
	p.next++
	p.mu.Unlock()
	for i := range nodes {
		conn, err := net.DialTimeout("tcp", nodes[(first+i)%len(nodes)].Host(), proxyDialTimeout)
		if err == nil {
			return conn
		}
	}
	return nil
}
