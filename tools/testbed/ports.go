package testbed

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
)

// ports are where a node listens.
type ports struct{ s3, rpc, raft, gossip, metrics int }

const portsPerNode = 5

// The ports of a node that has an address of its own (Network).
const (
	S3Port      = 9000
	RPCPort     = 9001
	RaftPort    = 9002
	GossipPort  = 9003
	MetricsPort = 9100
)

// PortsEnv names the environment variable that says which ports of loopback are used, as FIRST-LAST.
const PortsEnv = "CAIRN_TESTBED_PORTS"

// The default range lies below the ports that the kernel gives to outgoing connections: when a node
// that was down comes back, no connection may have taken its port.
const firstPort, lastPort = 20000, 32000

// taken remembers the ports that were looked at, so that none is handed out twice: whoever has one may
// not listen yet.
var taken sync.Map

// freePorts returns ports for a node that nobody uses now.
func freePorts() (ports, error) {
	found, err := FreePorts(portsPerNode)
	if err != nil {
		return ports{}, err
	}
	return ports{found[0], found[1], found[2], found[3], found[4]}, nil
}

// FreePorts returns n ports of loopback that nobody uses now, over TCP or UDP. It returns none of them
// again.
func FreePorts(n int) (found []int, err error) {
	first, last := firstPort, lastPort
	if s := os.Getenv(PortsEnv); s != "" {
		if _, err := fmt.Sscanf(s, "%d-%d", &first, &last); err != nil || last-first < n {
			return nil, fmt.Errorf("%s=%q is not of the form FIRST-LAST with at least %d ports", PortsEnv, s, n)
		}
	}
	begin, count := rand.IntN(last-first+1), last-first+1
	for i := 0; i < count && len(found) < n; i++ {
		port := first + (begin+i)%count
		if isFree(port) {
			found = append(found, port)
		}
	}
	if len(found) < n {
		return nil, fmt.Errorf("fewer than %d free ports in %d-%d; set %s to another range", n, first, last, PortsEnv)
	}
	return found, nil
}

// isFree reports whether nobody uses a port over TCP or UDP. It takes the port in any case, so that
// nobody else looks at it.
func isFree(port int) bool {
	if _, used := taken.LoadOrStore(port, true); used {
		return false
	}
	addr := net.JoinHostPort(loopback, strconv.Itoa(port))
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	defer l.Close()
	u, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	return u.Close() == nil
}
