package listen

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 5 * time.Minute // No deadline of the product.

// served is a listener whose connections are kept.
type served struct {
	*Listener
	mu      sync.Mutex
	conns   []net.Conn
	refused []Reason
}

func serve(t *testing.T, limits Limits) *served {
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &served{}
	s.Listener = New(raw, limits, Events{
		Refused:      func(r Reason, _ net.Addr) { s.mu.Lock(); s.refused = append(s.refused, r); s.mu.Unlock() },
		AcceptFailed: func(err error) { t.Errorf("a listener that was closed has not failed: %v", err) },
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := s.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte{1})
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_ = s.Close()
		wg.Wait()
		for _, c := range s.conns {
			_ = c.Close()
		}
	})
	return s
}

// dial reports whether a connection from a loopback address is kept.
func (s *served) dial(t *testing.T, from string) (net.Conn, bool) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", s.Addr().String())
	if err != nil {
		return nil, false // Reset before the dialer looked.
	}
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	_, err = io.ReadFull(c, make([]byte, 1))
	return c, err == nil
}

func TestBounds(t *testing.T) {
	proxy := netip.MustParseAddr("127.0.0.8")
	many := serve(t, Limits{Total: 3, PerAddress: 1, Proxies: func(a netip.Addr) bool { return a == proxy }})
	for _, want := range []bool{true, true, true, false} {
		_, ok := many.dial(t, "127.0.0.8")
		require.Equal(t, want, ok, "a proxy has as many as all")
	}
	operator := netip.MustParseAddr("127.0.0.9")
	s := serve(t, Limits{Total: 4, PerAddress: 2, Reserve: 1, Operators: func(a netip.Addr) bool { return a == operator }})
	kept := func(from string) bool { _, ok := s.dial(t, from); return ok }
	require.True(t, kept("127.0.0.1"))
	require.True(t, kept("127.0.0.1"))
	require.False(t, kept("127.0.0.1"), "the third of one address")
	require.True(t, kept("127.0.0.2"))
	require.True(t, kept("127.0.0.3"))
	require.False(t, kept("127.0.0.4"), "the fifth of all")
	require.True(t, kept("127.0.0.9"), "an operator gets in")
	require.False(t, kept("127.0.0.9"), "beyond the reserve operators are like others")
	require.Equal(t, 5, s.Open())
	require.Equal(t, 4, s.Most())
	s.mu.Lock()
	require.Equal(t, []Reason{FullAddress, Full, Full}, s.refused)
	_ = s.conns[0].Close()
	_ = s.conns[0].Close() // Counts once.
	s.mu.Unlock()
	require.True(t, kept("127.0.0.1"), "there is room again")
	require.False(t, kept("127.0.0.2"))
	s.mu.Lock()
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	require.Zero(t, s.Open())
	require.Empty(t, s.addresses, "nothing is kept of those who left")
}

// An address of IPv6 is its network: whoever has one has 2^64 of them.
func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{"192.0.2.1:5": "192.0.2.1", "[::ffff:192.0.2.1]:5": "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:7": "2001:db8:1:2::", "[::1]:7": "::1", "[fe80::1%eth0]:7": "fe80::"} {
		require.Equal(t, want, network(peerOf(named{text})).String(), text)
	}
	require.False(t, peerOf(named{"pipe"}).IsValid())
}

type named struct{ text string }

func (n named) RemoteAddr() net.Addr { return address(n.text) }

func (named) Read([]byte) (int, error)         { return 0, io.EOF }
func (named) Write([]byte) (int, error)        { return 0, io.EOF }
func (named) Close() error                     { return nil }
func (named) LocalAddr() net.Addr              { return nil }
func (named) SetDeadline(time.Time) error      { return nil }
func (named) SetReadDeadline(time.Time) error  { return nil }
func (named) SetWriteDeadline(time.Time) error { return nil }

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// failing is a listener that cannot accept.
type failing struct{ net.Listener }

func (failing) Accept() (net.Conn, error) { return nil, errors.New("too many open files") }
func (failing) Close() error              { return nil }

func TestFailuresAreTold(t *testing.T) {
	var told []string
	tell := func(err error) { told = append(told, err.Error()) }
	l := New(failing{}, Limits{}, Events{AcceptFailed: tell})
	_, err := l.Accept()
	require.Error(t, err)
	require.NoError(t, l.Close())
	_, err = l.Accept()
	require.Error(t, err)
	w := Watch(failing{}, tell)
	_, err = w.Accept()
	require.Error(t, err)
	require.NoError(t, w.Close())
	_, err = w.Accept()
	require.Error(t, err)
	require.Equal(t, []string{"too many open files", "too many open files"}, told, "a closed listener is no failure")
}
