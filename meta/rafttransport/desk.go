package rafttransport

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster/errs"
)

// Requests between voters go to an address, and whoever answers there is taken for the
// server that was meant. So a request says which one that is, in the field of the
// leader's or candidate's address that Raft's protocol 3 does not read any more, and
// another server, such as a new incarnation of the same node, does not answer it: it
// appends nothing for the old one, and does not vote for it.
const addresseeTag = "to "

func addressee(id raft.ServerID) []byte { return append([]byte(addresseeTag), id...) }

// appendTo is where a request to append names its addressee.
func appendTo(r *raft.AppendEntriesRequest) *[]byte {
	//lint:ignore SA1019 Nobody reads it any more, which is what makes it free.
	return &r.Leader
}

// voteTo is where a request for a vote names its addressee.
func voteTo(r *raft.RequestVoteRequest) *[]byte {
	//lint:ignore SA1019 Nobody reads it any more, which is what makes it free.
	return &r.Candidate
}

// Rules says who a transport answers for, and whom it answers. Its functions may be called
// at any time from when Serve was called, by many goroutines.
type Rules struct {
	Self   raft.ServerID
	First  bool // Self is the node's first incarnation, as which releases without addressees know it.
	Votes  func() bool
	Last   func() uint64
	Peers  *Peers
	Agrees func(raft.ServerID) error // Whether its state may be right beside this one's.
}

// desk looks at what comes in before Raft does.
type desk struct {
	Rules
	passed chan raft.RPC
	ending chan struct{}
	once   sync.Once
	wg     sync.WaitGroup
}

// serve passes requests on until close.
func (d *desk) serve(in <-chan raft.RPC) {
	for {
		select {
		case <-d.ending:
			return
		case rpc := <-in:
			if err := d.admit(&rpc); err != nil {
				rpc.Respond(nil, err)
				continue
			}
			select {
			case d.passed <- rpc:
			case <-d.ending:
				rpc.Respond(nil, raft.ErrTransportShutdown)
				return
			}
		}
	}
}

func (d *desk) close() {
	d.once.Do(func() { close(d.ending) })
	d.wg.Wait()
}

// admit returns why a request is not for this server.
func (d *desk) admit(rpc *raft.RPC) error {
	switch r := rpc.Command.(type) {
	case *raft.AppendEntriesRequest:
		return d.forUs(*appendTo(r))
	case *raft.InstallSnapshotRequest:
		return d.forUs(r.Leader)
	case *raft.RequestVoteRequest:
		if err := d.forUs(*voteTo(r)); err != nil {
			return err
		}
		// Whoever asks this very server has it among its voters, which this server may not
		// know yet: the entry that made it one may reach it only with the next leader.
		if err := d.Peers.check(raft.ServerID(r.ID), r.LastLogIndex); err != nil {
			return err
		}
		if err := d.Agrees(raft.ServerID(r.ID)); err != nil {
			return err
		}
		d.tellStanding(rpc)
	case *raft.TimeoutNowRequest:
		return d.mayLead()
	}
	// A pre-vote has no field to spare. One that was meant for an earlier incarnation may be
	// answered by this one: it decides nothing, and the vote that follows is not given.
	return nil
}

func (d *desk) forUs(to []byte) error {
	id, tagged := bytes.CutPrefix(to, []byte(addresseeTag))
	if tagged && string(id) == string(d.Self) || !tagged && d.First {
		return nil
	}
	return errs.Newf("rafttransport.Serve", errs.Denied, "this is server %s, not %s: the node has lost what it was", d.Self, id)
}

// mayLead refuses to be made the leader without a vote. (A first incarnation may be told
// to by voters that know more of the group than it does.)
func (d *desk) mayLead() error {
	if d.First || d.Votes() {
		return nil
	}
	return errs.Newf("rafttransport.HandOver", errs.Denied, "server %s has no vote: the node has lost what it was, and was not given a vote again", d.Self)
}

// tellStanding has the answer to a vote say where this server's log ends.
func (d *desk) tellStanding(rpc *raft.RPC) {
	answers, whole := rpc.RespChan, make(chan raft.RPCResponse, 1)
	rpc.RespChan = whole
	last := d.Last()
	d.wg.Go(func() {
		select {
		case a := <-whole:
			if r, ok := a.Response.(*raft.RequestVoteResponse); ok && r != nil {
				r.Peers = appendStanding(last)
			}
			answers <- a
		case <-d.ending:
		}
	})
}

// checkVote takes a vote back that a server gave which has lost what it had, or whose state
// is not this one's.
func (t *Transport) checkVote(id raft.ServerID, resp *raft.RequestVoteResponse) error {
	last, told := standingOf(resp.Peers)
	resp.Peers = nil
	if !resp.Granted || t.desk == nil {
		return nil
	}
	err := t.desk.Agrees(id)
	if err == nil && told {
		err = t.desk.Peers.check(id, last)
	}
	if err != nil {
		resp.Granted = false
		return fmt.Errorf("a vote does not count: %w", err)
	}
	return nil
}
