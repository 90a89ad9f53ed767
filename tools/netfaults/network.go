package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/cairnstore/cairn/tools/testbed"
)

const (
	subnet    = "10.77.0."
	hub       = subnet + "1" // The program's own address.
	firstHost = 10
	netnsDir  = "/run/netns"
)

// network is a bridge with a namespace for each node behind it. It is made in the program's own network
// namespace and ends with it.
type network struct {
	nodes  int
	netem  bool     // The kernel can delay packets.
	taps   bool     // The kernel has devices for cables. They are used if it has no netem.
	cables []*cable // The cable of each node, if cables are used.
}

var _ testbed.Network = (*network)(nil)

func newNetwork(nodes int) (*network, error) {
	// `ip netns` keeps its namespaces in a directory. It becomes a file system that only this program
	// sees.
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("make mounts private: %w", err)
	}
	if err := os.MkdirAll(netnsDir, 0o755); err != nil {
		return nil, err
	}
	if err := syscall.Mount("tmpfs", netnsDir, "tmpfs", 0, ""); err != nil {
		return nil, fmt.Errorf("mount %s: %w", netnsDir, err)
	}
	n := &network{nodes: nodes, netem: hasNetem(), taps: hasTaps()}
	for _, args := range [][]string{
		{"ip", "link", "set", "lo", "up"},
		{"ip", "link", "add", "hub", "type", "bridge"},
		{"ip", "addr", "add", hub + "/24", "dev", "hub"},
		{"ip", "link", "set", "hub", "up"},
	} {
		if err := command(args...); err != nil {
			return nil, err
		}
	}
	for i := range nodes {
		if err := n.plug(i); err != nil {
			return nil, err
		}
	}
	return n, n.heal()
}

// hasNetem reports whether the kernel has netem. It tries it on the loopback device of the program's
// own namespace.
func hasNetem() bool {
	return exec.Command("tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "0ms").Run() == nil &&
		exec.Command("tc", "qdisc", "del", "dev", "lo", "root").Run() == nil
}

func hasTaps() bool {
	f, err := tap("probe")
	if err != nil {
		return false
	}
	return f.Close() == nil
}

// delays reports whether packets can be delayed.
func (n *network) delays() bool { return n.netem || n.taps }

// plug makes the namespace of node i, with an address, and connects it to the bridge.
func (n *network) plug(i int) error {
	if err := command("ip", "netns", "add", space(i)); err != nil {
		return err
	}
	if err := n.lay(i); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"ip", "link", "set", port(i), "master", "hub"},
		{"ip", "link", "set", port(i), "up"},
		{"ip", "-n", space(i), "addr", "add", address(i) + "/24", "dev", "eth0"},
		{"ip", "-n", space(i), "link", "set", "eth0", "up"},
		{"ip", "-n", space(i), "link", "set", "lo", "up"},
	} {
		if err := command(args...); err != nil {
			return err
		}
	}
	return nil
}

// lay lays a cable between eth0 of node i and the node's port of the bridge.
func (n *network) lay(i int) error {
	if n.netem || !n.taps {
		return command("ip", "link", "add", port(i), "type", "veth", "peer", "name", "eth0", "netns", space(i))
	}
	far := "far" + strconv.Itoa(i+1)
	c, err := newCable(port(i), far)
	if err != nil {
		return err
	}
	n.cables = append(n.cables, c)
	if err := command("ip", "link", "set", far, "netns", space(i)); err != nil {
		return err
	}
	return command("ip", "-n", space(i), "link", "set", far, "name", "eth0")
}

func space(i int) string   { return "node" + strconv.Itoa(i+1) }
func port(i int) string    { return "port" + strconv.Itoa(i+1) }
func address(i int) string { return subnet + strconv.Itoa(firstHost+i) }

// Host implements testbed.Network.
func (n *network) Host(i int) (string, []string, error) {
	if i >= n.nodes {
		return "", nil, fmt.Errorf("the network has %d nodes, not %d", n.nodes, i+1)
	}
	return address(i), []string{"ip", "netns", "exec", space(i)}, nil
}

// drop makes the node to receive nothing more from the node from.
func (n *network) drop(from, to int) error {
	return command("ip", "netns", "exec", space(to), "iptables", "-A", "INPUT", "-s", address(from), "-j", "DROP")
}

// cut separates two sides, in both directions.
func (n *network) cut(a, b []int) error {
	for _, i := range a {
		for _, j := range b {
			if err := n.drop(i, j); err != nil {
				return err
			}
			if err := n.drop(j, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// lose makes every node lose a share of what other nodes send it.
func (n *network) lose(share float64) error {
	for i := range n.nodes {
		err := command("ip", "netns", "exec", space(i), "iptables", "-A", "INPUT", "!", "-s", hub, "-m", "statistic",
			"--mode", "random", "--probability", strconv.FormatFloat(share, 'f', -1, 64), "-j", "DROP")
		if err != nil {
			return err
		}
	}
	return nil
}

// slow delays the packets between nodes.
func (n *network) slow(delay, jitter time.Duration) error {
	for i := range n.nodes {
		if err := n.late(i, delay, jitter); err != nil {
			return err
		}
	}
	return nil
}

// late delays every packet to node i and, if a cable does it, every packet from it.
func (n *network) late(i int, delay, jitter time.Duration) error {
	if !n.delays() {
		return nil
	}
	if n.netem {
		return command("tc", "qdisc", "replace", "dev", port(i), "root", "netem", "delay", delay.String(), jitter.String())
	}
	n.cables[i].delay.Store(int64(delay / 2)) // A packet from node to node passes two cables.
	n.cables[i].jitter.Store(int64(jitter / 2))
	return nil
}

// link pulls or plugs the cable of a node.
func (n *network) link(i int, up bool) error {
	state := "down"
	if up {
		state = "up"
	}
	return command("ip", "link", "set", port(i), state)
}

// heal takes every fault away.
func (n *network) heal() error {
	for i := range n.nodes {
		if err := command("ip", "netns", "exec", space(i), "iptables", "-F"); err != nil {
			return err
		}
		if err := n.late(i, 0, 0); err != nil {
			return err
		}
		if err := n.link(i, true); err != nil {
			return err
		}
	}
	return nil
}
