package main

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/cairnstore/cairn/tools/testbed"
)

// planes are the listeners that nodes have for each other.
var planes = []struct {
	name string
	port int
}{
	{"gossip", testbed.GossipPort},
	{"raft", testbed.RaftPort},
	{"internode", testbed.RPCPort},
}

// idle tells how much an idle cluster sends, by plane: what nodes receive at the port of the plane, or
// from it.
func (t *trial) idle(ctx context.Context) error {
	d := t.traffic
	if err := t.bed.WaitRedundant(ctx); err != nil {
		return err
	}
	if err := t.count(); err != nil {
		return err
	}
	cpu, err := t.cpu()
	if err != nil {
		return err
	}
	if err := pause(ctx, d); err != nil {
		return err
	}
	after, err := t.cpu()
	if err != nil {
		return err
	}
	fmt.Printf("%d idle nodes, mean of a node over %s: %.0f CPU s an hour\n", t.nodes, d,
		(after-cpu).Seconds()/float64(t.nodes)/d.Seconds()*time.Hour.Seconds())
	for _, p := range planes {
		bytes, packets, err := t.counted(p.port)
		if err != nil {
			return err
		}
		per := float64(t.nodes) * d.Seconds()
		fmt.Printf("  %-10s receives %7.0f B/s in %5.1f packets/s\n", p.name, bytes/per, packets/per)
	}
	return nil
}

// count makes every node count the packets of each plane from now on.
func (t *trial) count() error {
	for i := range t.nodes {
		for _, p := range planes {
			for _, rule := range [][]string{{"udp", "--dport"}, {"tcp", "--dport"}, {"tcp", "--sport"}} {
				err := command("ip", "netns", "exec", space(i), "iptables", "-A", "INPUT", "!", "-s", hub, "-p", rule[0], rule[1], strconv.Itoa(p.port))
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// counted returns how much all nodes have received of a plane since count.
func (t *trial) counted(port int) (bytes, packets float64, err error) {
	for i := range t.nodes {
		out, err := exec.Command("ip", "netns", "exec", space(i), "iptables", "-L", "INPUT", "-v", "-x", "-n").Output()
		if err != nil {
			return 0, 0, fmt.Errorf("counters of %s: %w", space(i), err)
		}
		for _, line := range strings.Split(string(out), "\n") {
			f := strings.Fields(line)
			if len(f) < 2 || !strings.HasSuffix(line, "pt:"+strconv.Itoa(port)) {
				continue
			}
			p, errP := strconv.ParseFloat(f[0], 64)
			b, errB := strconv.ParseFloat(f[1], 64)
			if errP != nil || errB != nil {
				return 0, 0, fmt.Errorf("counters of %s: %q", space(i), line)
			}
			packets, bytes = packets+p, bytes+b
		}
	}
	return bytes, packets, nil
}

// cpu returns the CPU time that all nodes have used.
func (t *trial) cpu() (sum time.Duration, err error) {
	for _, n := range t.bed.Nodes() {
		one, err := n.CPU()
		if err != nil {
			return 0, err
		}
		sum += one
	}
	return sum, nil
}
