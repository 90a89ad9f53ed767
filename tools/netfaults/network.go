package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/cairnstore/cairn/tools/testbed"
)

const (
	subnet    = "10.77.0."
	hub       = subnet + "1" // The program's own address.
	firstHost = 10
	netnsDir  = "/run/netns"
)

// network is a bridge with a namespace for each node behind it. It is made in the
// program's own network namespace and ends with it.
type network struct {
	nodes int
	delay bool // The kernel can delay packets.
}

var _ testbed.Network = (*network)(nil)

func newNetwork(nodes int) (*network, error) {
	// What `ip netns` remembers lies in a file system that only we see.
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("make mounts private: %w", err)
	}
	if err := os.MkdirAll(netnsDir, 0o755); err != nil {
		return nil, err
	}
	if err := syscall.Mount("tmpfs", netnsDir, "tmpfs", 0, ""); err != nil {
		return nil, fmt.Errorf("mount %s: %w", netnsDir, err)
	}
	n := &network{nodes: nodes}
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
	n.delay = exec.Command("tc", "qdisc", "add", "dev", port(0), "root", "netem", "delay", "0ms").Run() == nil
	return n, n.heal()
}

// plug makes the machine of node i.
func (n *network) plug(i int) error {
	for _, args := range [][]string{
		{"ip", "netns", "add", space(i)},
		{"ip", "link", "add", port(i), "type", "veth", "peer", "name", "eth0", "netns", space(i)},
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

// drop lets node to receive nothing more from node from.
func (n *network) drop(from, to int) error {
	return command("ip", "netns", "exec", space(to), "iptables", "-A", "INPUT", "-s", address(from), "-j", "DROP")
}

// cut separates two sides, both ways.
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

// slow delays every packet to every node.
func (n *network) slow(delay, jitter string) error {
	for i := range n.nodes {
		if err := command("tc", "qdisc", "replace", "dev", port(i), "root", "netem", "delay", delay, jitter); err != nil {
			return err
		}
	}
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
		if n.delay {
			if err := command("tc", "qdisc", "replace", "dev", port(i), "root", "netem", "delay", "0ms"); err != nil {
				return err
			}
		}
		if err := n.link(i, true); err != nil {
			return err
		}
	}
	return nil
}
