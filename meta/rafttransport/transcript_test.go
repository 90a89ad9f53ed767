package rafttransport

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
)

// transcriptTimeout ends a request that hangs; no script waits for it.
const transcriptTimeout = 5 * time.Minute

// TestRuleTranscripts plays the scripts of testdata/rules: servers with real transports and
// a network in memory, what they send each other, and what comes of it. In the place of
// Raft stands something that agrees to everything that it is asked (see play), so whatever
// is refused, the rules refuse. Renew them with -rewrite and read the difference.
//
// Every command but servers and restart takes lines of input, and answers each with a line.
//
//	servers    begins anew; a line is: ID [first] [voter] last=N [term=N]. ID is the id of the
//	           server, and its address; first: the first incarnation of its node
//	notes      FROM: ID applied N   FROM hears how far another one has applied
//	           FROM: ID differs     FROM finds that its state and the other one's differ
//	           FROM: only ID...     FROM learns who is in the group now
//	send       FROM KIND TO [to=ID|nobody] [fields]   a request and what FROM makes of the answer.
//	           TO is where it arrives; to= names another server as the one that is meant.
//	           KIND and its fields:
//	             vote last=N    pre-vote    snapshot    lead
//	             append|pipelined term=N prev=N entries=N-N commit=N
//	hold       a line as of send: the request arrives, and its answer waits
//	release    the answers come, in the order in which they were held
//	tick       a read begins at a server
//	led        FROM term=N since=N by=ID,ID need=N   whether it led at that moment or later
//	restart    the notes about others are read again, as a process that starts reads them;
//	           spoil: damage the file first
func TestRuleTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/rules", func(t *testing.T, path string) {
		p := &play{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			p.t, p.d = t, d
			return p.do()
		})
		p.end()
	})
}

// play is the servers of a script.
type play struct {
	t       *testing.T
	d       *datadriven.TestData
	net     pipes
	servers map[raft.ServerID]*player
	order   []*player
	held    []*heldRequest
	told    []string // Events since the last line.
}

// player is one server.
type player struct {
	id      raft.ServerID
	first   bool
	voter   bool
	last    uint64
	term    uint64
	fs      *vfs.MemFS
	peers   *Peers
	differs map[raft.ServerID]bool
	*Transport
	got  chan string   // What Raft was given, a line for each request.
	gate chan struct{} // Raft answers once it is closed.
	done chan struct{}
}

// heldRequest is a request whose answer waits.
type heldRequest struct {
	line    string
	gate    chan struct{}
	outcome chan string
}

func (p *play) do() string {
	var b strings.Builder
	switch p.d.Cmd {
	case "servers":
		p.end()
		p.net, p.servers = pipes{}, map[raft.ServerID]*player{}
		for line := range strings.Lines(p.d.Input) {
			p.add(strings.Fields(line))
		}
		return "ok\n"
	case "restart":
		p.restart(p.d.HasArg("spoil"))
		return "ok\n"
	case "release":
		for _, h := range p.held {
			close(h.gate)
			fmt.Fprintf(&b, "%s: %s\n", h.line, <-h.outcome)
		}
		p.held = nil
		return b.String()
	}
	lines := map[string]func(words []string) string{
		"notes": p.note, "send": p.send, "hold": p.hold, "tick": p.tick, "led": p.led}
	do := lines[p.d.Cmd]
	if do == nil {
		p.d.Fatalf(p.t, "unknown command %q", p.d.Cmd)
	}
	for line := range strings.Lines(p.d.Input) {
		line = strings.TrimSpace(line)
		fmt.Fprintf(&b, "%s: %s\n", line, do(strings.Fields(line)))
		for _, told := range p.told {
			fmt.Fprintf(&b, "  %s\n", told)
		}
		p.told = nil
	}
	return b.String()
}

// add starts a server.
func (p *play) add(words []string) {
	s := &player{id: raft.ServerID(words[0]), last: p.number(words, "last"), term: p.number(words, "term"),
		first: slices.Contains(words, "first"), voter: slices.Contains(words, "voter"),
		fs: vfs.NewMem(), differs: map[raft.ServerID]bool{}, got: make(chan string, 1), done: make(chan struct{})}
	s.peers = OpenPeers(s.fs, "", p.shortOf(s))
	address := string(s.id)
	p.net[address] = make(listener)
	s.Transport = New(Options{Listener: p.net[address], Addr: address, Dial: p.net.dialBuffered,
		Timeout: transcriptTimeout, Logger: hclog.NewNullLogger()})
	s.Admit(Rules{Self: s.id, First: s.first, Votes: func() bool { return s.voter }, Last: func() uint64 { return s.last },
		Peers: s.peers, Agrees: s.agrees})
	p.servers[s.id], p.order = s, append(p.order, s)
	go s.play()
	s.Serve()
}

func (p *play) shortOf(s *player) func(id raft.ServerID, known, shown uint64) {
	return func(id raft.ServerID, known, shown uint64) {
		p.told = append(p.told, fmt.Sprintf("%s tells: server %s had applied entry %d, and shows %d", s.id, id, known, shown))
	}
}

func (s *player) agrees(id raft.ServerID) error {
	if s.differs[id] {
		return errs.Newf("test", errs.Denied, "the states of %s and %s differ", s.id, id)
	}
	return nil
}

// play stands in the place of Raft: it votes for whoever asks, takes whatever it is sent,
// and says what it was given. It refuses earlier terms alone.
func (s *player) play() {
	for {
		select {
		case rpc := <-s.Consumer():
			answer, got := s.answer(rpc)
			s.got <- got
			if s.gate != nil {
				<-s.gate
			}
			rpc.Respond(answer, nil)
		case <-s.done:
			return
		}
	}
}

func (s *player) answer(rpc raft.RPC) (answer any, got string) {
	switch r := rpc.Command.(type) {
	case *raft.RequestVoteRequest:
		return &raft.RequestVoteResponse{Term: r.Term, Granted: true}, "asked for a vote"
	case *raft.RequestPreVoteRequest:
		return &raft.RequestPreVoteResponse{Term: r.Term, Granted: true}, "asked whether it would vote"
	case *raft.InstallSnapshotRequest:
		n, _ := io.Copy(io.Discard, rpc.Reader)
		return &raft.InstallSnapshotResponse{Term: r.Term, Success: true}, fmt.Sprintf("given a snapshot of %d bytes", n)
	case *raft.TimeoutNowRequest:
		return &raft.TimeoutNowResponse{}, "told to lead"
	case *raft.AppendEntriesRequest:
		term := max(r.Term, s.term)
		return &raft.AppendEntriesResponse{Term: term, Success: r.Term == term, LastLog: s.last},
			fmt.Sprintf("given %d entries after %d, to commit to %d", len(r.Entries), r.PrevLogEntry, r.LeaderCommitIndex)
	}
	panic(fmt.Sprintf("a command %T", rpc.Command))
}

func (p *play) note(words []string) string {
	s := p.server(strings.TrimSuffix(words[0], ":"))
	switch id := raft.ServerID(words[1]); {
	case id == "only":
		var members []raft.Server
		for _, w := range words[2:] {
			members = append(members, raft.Server{ID: raft.ServerID(w)})
		}
		s.peers.KeepOnly(members)
	case words[2] == "differs":
		s.differs[id] = true
	default:
		var n uint64
		_, err := fmt.Sscan(words[3], &n)
		require.NoError(p.t, err)
		s.peers.Applied(id, n)
	}
	return "noted"
}

// send sends a request and tells what the other's Raft was given, and what the sender
// makes of the answer.
func (p *play) send(words []string) string {
	to := p.server(words[2])
	outcome := p.request(words)
	select {
	case got := <-to.got:
		return got + "; " + outcome
	default:
		return outcome
	}
}

// request returns what the sender makes of the answer.
func (p *play) request(words []string) string {
	from, to := p.server(words[0]), p.server(words[2])
	meant, address := to.id, raft.ServerAddress(to.id)
	transport := raft.Transport(from.Transport)
	for _, w := range words {
		if name, ok := strings.CutPrefix(w, "to="); ok {
			meant = raft.ServerID(name)
		}
	}
	if meant == "nobody" { // As releases without incarnations send it.
		transport = from.NetworkTransport
	}
	header := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(from.id), Addr: []byte(from.id)}
	term := p.number(words, "term")
	var err error
	good := "it agrees"
	switch words[1] {
	case "vote":
		r := &raft.RequestVoteResponse{}
		err = transport.RequestVote(meant, address,
			&raft.RequestVoteRequest{RPCHeader: header, Term: term, LastLogIndex: p.number(words, "last")}, r)
		require.Equal(p.t, err == nil, r.Granted, "an error and a vote")
		good = "the vote counts"
	case "pre-vote":
		err = transport.(raft.WithPreVote).RequestPreVote(meant, address,
			&raft.RequestPreVoteRequest{RPCHeader: header}, &raft.RequestPreVoteResponse{})
	case "snapshot":
		data := []byte("CAIRNSNP") // As every stream of a snapshot begins.
		err = transport.InstallSnapshot(meant, address,
			&raft.InstallSnapshotRequest{RPCHeader: header, Size: int64(len(data))},
			&raft.InstallSnapshotResponse{}, bytes.NewReader(data))
	case "lead":
		err = transport.TimeoutNow(meant, address, &raft.TimeoutNowRequest{RPCHeader: header}, &raft.TimeoutNowResponse{})
	case "append", "pipelined":
		var r raft.AppendEntriesResponse
		r, err = p.append(transport, meant, address, words, header)
		good = fmt.Sprintf("success=%t in term %d", r.Success, r.Term)
	default:
		p.d.Fatalf(p.t, "unknown: %q", words)
	}
	if err != nil {
		return err.Error()
	}
	return good
}

func (p *play) append(t raft.Transport, meant raft.ServerID, address raft.ServerAddress, words []string,
	header raft.RPCHeader) (r raft.AppendEntriesResponse, err error) {
	args := &raft.AppendEntriesRequest{RPCHeader: header, Term: p.number(words, "term"),
		PrevLogEntry: p.number(words, "prev"), LeaderCommitIndex: p.number(words, "commit")}
	for _, w := range words {
		var lo, hi uint64
		if n, _ := fmt.Sscanf(w, "entries=%d-%d", &lo, &hi); n == 2 {
			for i := lo; i <= hi; i++ {
				args.Entries = append(args.Entries, &raft.Log{Index: i})
			}
		}
	}
	if words[1] == "append" {
		err = t.AppendEntries(meant, address, args, &r)
		return r, err
	}
	pipe, err := t.AppendEntriesPipeline(meant, address)
	require.NoError(p.t, err)
	defer pipe.Close()
	f, err := pipe.AppendEntries(args, &r)
	require.NoError(p.t, err)
	return r, f.Error()
}

// hold sends a request in the background, and waits until the other's Raft has it.
func (p *play) hold(words []string) string {
	to := p.server(words[2])
	h := &heldRequest{line: strings.Join(words, " "), gate: make(chan struct{}), outcome: make(chan string, 1)}
	to.gate = h.gate
	go func() { h.outcome <- p.request(words) }()
	select {
	case got := <-to.got:
		p.held = append(p.held, h)
		return got
	case outcome := <-h.outcome:
		return "not held: " + outcome
	}
}

func (p *play) tick(words []string) string {
	return fmt.Sprintf("it is moment %d", p.server(words[0]).Tick())
}

func (p *play) led(words []string) string {
	var by []raft.ServerID
	for _, w := range words {
		if ids, ok := strings.CutPrefix(w, "by="); ok {
			for id := range strings.SplitSeq(ids, ",") {
				by = append(by, raft.ServerID(id))
			}
		}
	}
	now := make(chan struct{})
	close(now)
	need, term, since := p.number(words, "need"), p.number(words, "term"), p.number(words, "since")
	if p.server(words[0]).Answered(now, by, int(need), term, since) {
		return "it led"
	}
	return "nothing shows that it led"
}

// restart has all servers read what they noted about others.
func (p *play) restart(spoil bool) {
	for _, s := range p.order {
		require.NoError(p.t, s.peers.Store(s.fs, ""))
		if spoil {
			f, err := s.fs.Create(peersName, vfs.WriteCategoryUnspecified)
			require.NoError(p.t, err)
			_, err = f.Write([]byte("not what it was"))
			require.NoError(p.t, err)
			require.NoError(p.t, f.Close())
		}
		s.peers = OpenPeers(s.fs, "", p.shortOf(s))
		s.desk.Peers = s.peers // Nobody asks it meanwhile.
	}
}

// end stops all servers.
func (p *play) end() {
	for _, s := range p.order {
		close(s.done)
		if s.Transport != nil {
			require.NoError(p.t, s.Close())
			s.Wait()
		}
	}
	p.order, p.held = nil, nil
}

func (p *play) server(id string) *player {
	s := p.servers[raft.ServerID(id)]
	if s == nil {
		p.d.Fatalf(p.t, "no server %q", id)
	}
	return s
}

// number returns what stands behind key=; 0: nothing does.
func (p *play) number(words []string, key string) (n uint64) {
	for _, w := range words {
		if text, ok := strings.CutPrefix(w, key+"="); ok {
			_, err := fmt.Sscan(text, &n)
			require.NoError(p.t, err, w)
		}
	}
	return n
}
