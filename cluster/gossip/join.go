package gossip

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
)

// downCallsPerRound bounds how many members that are down are called in one round.
const downCallsPerRound = 2

// disputeLasts is how long after the last sign of a dispute about its address a node
// goes on to call others: once they find the old address dead there are no more
// signs, and they take the new one only from a call.
const disputeLasts = time.Minute

// joinLoop joins, for as long as this node lives, whom it ought to know alive.
func (g *Gossip) joinLoop(ctx context.Context) {
	var backoff time.Duration
	for turn := 0; ctx.Err() == nil; turn++ {
		err := g.joinRound(ctx, turn)
		wait := g.timing.joinEvery
		if g.members.alone() {
			if err != nil && g.events.JoinFailed != nil && ctx.Err() == nil {
				g.events.JoinFailed(g.seeds, err)
			}
			backoff = min(max(2*backoff, g.timing.joinFirst), g.timing.joinMax)
			wait = backoff
		} else {
			backoff = 0
		}
		wait += rand.N(wait/4 + 1) // So that nodes started together do not stay in step.
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-g.members.wake:
		}
		timer.Stop()
	}
}

// joinRound calls all that should be called now. It returns an error when nobody
// answered.
func (g *Gossip) joinRound(ctx context.Context, turn int) error {
	targets, failures := g.seedTargets(ctx)
	targets = append(targets, g.members.toCall(turn)...)
	slices.Sort(targets)
	answered := false
	for _, addr := range slices.Compact(targets) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := g.list.Join([]string{addr}); err != nil {
			failures = append(failures, joinError(addr, err))
		} else {
			answered = true
		}
	}
	if answered {
		return nil
	}
	return errors.Join(failures...)
}

// joinError makes an error Denied where the other side lives, and will never let this
// node in.
func joinError(addr string, err error) error {
	const op = "gossip.Join"
	switch text := err.Error(); {
	case strings.Contains(text, logOtherKey):
		return errs.Newf(op, errs.Denied, "%s does not gossip with this node's cluster key: give every node the same --cluster-key-file", addr)
	case strings.Contains(text, textOtherCluster):
		return errs.New(op, errs.Denied, errors.New(sentenceOf(text, textOtherCluster)))
	}
	return err
}

// sentenceOf returns the sentence with certain words out of memberlist's list of what
// went wrong.
func sentenceOf(list, words string) string {
	for line := range strings.Lines(list) {
		if strings.Contains(line, words) {
			if _, said, ok := strings.Cut(line, "failed to join "); ok {
				_, line, _ = strings.Cut(said, ": ")
			}
			return strings.TrimSpace(line)
		}
	}
	return list
}

// seedTargets returns the addresses of seeds that are no living members.
func (g *Gossip) seedTargets(ctx context.Context) (targets []string, failures []error) {
	skip := g.members.aliveAddrs()
	for _, seed := range g.seeds {
		addr := seed
		if !g.custom {
			host, port, _ := splitAddr(seed) // Checked by Start.
			limited, cancel := context.WithTimeout(ctx, g.timing.streamTimeout)
			ip, err := resolve(limited, host, "127.0.0.1")
			cancel()
			if err != nil {
				failures = append(failures, err)
				continue
			}
			addr = net.JoinHostPort(ip, strconv.Itoa(port))
		}
		if !slices.Contains(skip, addr) {
			targets = append(targets, addr)
		}
	}
	return targets, failures
}

// alone reports whether no other member is up.
func (m *members) alone() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, e := range m.byID {
		if id != m.self && e.State != Down {
			return false
		}
	}
	return true
}

// aliveAddrs returns the addresses of members that are up, this node's among them.
func (m *members) aliveAddrs() []string {
	var out []string
	for _, e := range m.all() {
		if e.State != Down {
			out = append(out, e.Addr)
		}
	}
	return out
}

// toCall returns members to call besides the seeds: some that are down, in turn,
// since after a partition or a restart without seeds nobody else may, and one that
// is up when this node's address is in dispute. It forgets who is down for long.
func (m *members) toCall(turn int) []string {
	m.mu.Lock()
	for id, e := range m.byID {
		if e.State == Down && time.Since(e.downSince) > downKept {
			delete(m.byID, id)
		}
	}
	disputed := !m.disputed.IsZero() && time.Since(m.disputed) < disputeLasts
	m.mu.Unlock()

	var down, up, out []string
	for _, e := range m.all() {
		switch {
		case e.State == Down:
			down = append(down, e.Addr)
		case e.Node != m.self:
			up = append(up, e.Addr)
		}
	}
	for i := range min(downCallsPerRound, len(down)) {
		out = append(out, down[(turn*downCallsPerRound+i)%len(down)])
	}
	if disputed && len(up) > 0 {
		out = append(out, up[turn%len(up)])
	}
	return out
}
