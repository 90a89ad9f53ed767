package rafttransport

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster/errs"
)

// addresseeTag begins the field in which a request names the server that it is meant for
// (G8). Raft sends requests to an address and takes whoever answers there for the server
// that it meant. A new incarnation of a node would append entries, and give votes, in the
// place of the one that lost them. The field is that of the leader's or the candidate's
// address, which Raft's protocol 3 does not read any more.
const addresseeTag = "to "

// addressee returns the field for a server.
func addressee(id raft.ServerID) []byte { return append([]byte(addresseeTag), id...) }

// appendTo returns the field of a request to append that names its addressee.
func appendTo(r *raft.AppendEntriesRequest) *[]byte {
	//lint:ignore SA1019 Nobody reads it any more, which is what makes it free.
	return &r.Leader
}

// voteTo returns the field of a request for a vote that names its addressee.
func voteTo(r *raft.RequestVoteRequest) *[]byte {
	//lint:ignore SA1019 Nobody reads it any more, which is what makes it free.
	return &r.Candidate
}

// Rules says as which server a transport answers, and what it must know of the group to
// decide what Raft gets to see. Many goroutines call its functions at the same time, from
// when Serve was called until Close returns. All fields are required.
type Rules struct {
	// Self is the id of this server: its node and incarnation.
	Self raft.ServerID
	// First says that Self is the first incarnation of its node. Releases that name no
	// addressee know nodes by their first incarnation alone.
	First bool
	// Votes says whether this server has a vote, as far as it knows.
	Votes func() bool
	// Last returns the index of the last entry in this server's log.
	Last func() uint64
	// Peers knows how far other servers have applied the log.
	Peers *Peers
	// Agrees returns an error where the states of this server and of another one differ, so
	// that one of them is damaged.
	Agrees func(raft.ServerID) error
}

// desk looks at every request before Raft does. It refuses those that the rules do not let
// in and passes the others on.
type desk struct {
	Rules
	passed chan raft.RPC // What Raft gets.
	ending chan struct{} // Closed by close.
	once   sync.Once
	wg     sync.WaitGroup
}

// serve passes on or refuses what comes in, until close is called.
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

// close ends serve and whatever tellStanding has begun, and waits for them. It may be called
// twice.
func (d *desk) close() {
	d.once.Do(func() { close(d.ending) })
	d.wg.Wait()
}

// admit returns nil where Raft may see a request, else an error of kind Denied for whoever
// sent it.
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
		// It does not matter whether this server knows that it has a vote. Whoever asks it by
		// its name has it among its voters, and the entry that made it one may reach it only
		// with the next leader. If it waited for that entry, nobody might be elected.
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
	// A pre-vote is let in. Its message has no field to spare for an addressee, so one that
	// was meant for an earlier incarnation may be answered by this one. That decides nothing:
	// the vote that follows names its addressee, and is refused.
	return nil
}

// forUs returns an error unless a request is meant for this server. The bytes of a snapshot
// that is refused stay on the connection. Raft takes the first of them, the C of CAIRNSNP,
// for a command that it does not know, and closes the connection; that ends the sending.
func (d *desk) forUs(to []byte) error {
	id, tagged := bytes.CutPrefix(to, []byte(addresseeTag))
	if tagged && string(id) == string(d.Self) || !tagged && d.First {
		return nil
	}
	return errs.Newf("rafttransport.Serve", errs.Denied,
		"this is server %s, not %s: the node has lost what it was", d.Self, id)
}

// mayLead returns an error where this server must not be made the leader, since it has no
// vote: its node has lost what it promised, and nobody has given it a vote again. A first
// incarnation has lost nothing. It may be told to lead by voters that know more of the
// group than it does, so it is not asked whether it knows of a vote.
func (d *desk) mayLead() error {
	if d.First || d.Votes() {
		return nil
	}
	return errs.Newf("rafttransport.HandOver", errs.Denied,
		"server %s has no vote: the node has lost what it was, and was not given a vote again", d.Self)
}

// tellStanding makes Raft's answer to a request for a vote say where this server's log ends.
// The candidate needs that to see whether this server has lost entries that it had applied
// (checkVote).
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

// checkVote returns an error where a vote that this server was given does not count: the
// voter's log ends before what it had applied once, or its state differs from this one's.
// Then the answer is changed to one that grants nothing, too.
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
