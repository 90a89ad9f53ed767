package group

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/snapshot"
)

// eraSkipBlocks is how many lease blocks of every volume a new era passes over. Commands that
// are lost may have leased blocks, but never so many; so no extent number is given out twice.
// Block numbers have 64 bits.
const eraSkipBlocks = 1 << 24

// recoveredAddr stands for the address of the voter that begins an era. It is replaced once
// the node has registered.
const recoveredAddr = "recovered:0"

// Recovered tells where an era begins.
type Recovered struct {
	Era   uint64
	Index uint64 // The last entry that is kept, before the one that begins the era.
	Term  uint64 // The term of that entry.
}

// Standing is how far a node's metadata reach, and who the members of the group were.
type Standing struct {
	LastIndex    uint64 // The last entry of the log or the snapshot, committed or not.
	LastTerm     uint64
	AppliedIndex uint64 // The last entry that the state has applied.
	Era          uint64 // As of AppliedIndex, like ClusterID.
	ClusterID    string // Empty where no cluster was formed by then.
	Members      []Member
}

// Inspected returns where the metadata in cfg.Dir stand. No Group may be open there.
func Inspected(cfg Config) (Standing, error) {
	const op = "group.Inspected"
	o, err := openOffline(cfg)
	if err != nil {
		return Standing{}, errs.Wrap(op, err)
	}
	s, err := o.standing()
	return s, errors.Join(err, o.close())
}

// Recover makes this node the only voter and begins a new era: the given one, or that after
// the present one if it is later. It is for the case that a majority of the voters is lost for
// good. It keeps all entries of this node's log, also those that were never committed; entries
// that only the others had are lost. After a crash it can be called again. No Group may be open
// in cfg.Dir. Errors: Corrupt, and Invalid where there is nothing to recover.
func Recover(cfg Config, era uint64) (Recovered, error) {
	const op = "group.Recover"
	o, err := openOffline(cfg)
	if err != nil {
		return Recovered{}, errs.Wrap(op, err)
	}
	r, err := o.recover(era)
	return r, errors.Join(errs.Wrap(op, err), o.close())
}

// offline is a node's metadata that are open without Raft.
type offline struct {
	cfg Config
	*Group
}

// openOffline opens the metadata in cfg.Dir; the caller closes them.
func openOffline(cfg Config) (*offline, error) {
	if cfg.Node == 0 || cfg.FS == nil || cfg.Dir == "" {
		return nil, errors.New("node, file system and directory are needed")
	}
	cfg.Timing, cfg.Events = cfg.Timing.withDefaults(), cfg.Events.withDefaults()
	if cfg.CacheBytes == 0 {
		cfg.CacheBytes = DefaultCacheBytes
	}
	if cfg.openState == nil {
		cfg.openState = openRealState(cfg)
	}
	o := &offline{cfg: cfg, Group: &Group{cfg: cfg, id: serverID(cfg.Node, "")}}
	if err := o.openDisk(); err != nil {
		return nil, errors.Join(err, o.closeDisk())
	}
	p, ok, err := readPromise(cfg.FS, cfg.Dir)
	if err != nil && !errs.Is(err, errs.Corrupt) {
		return nil, errors.Join(err, o.closeDisk())
	}
	if ok {
		o.id, o.promised = raft.ServerID(p.Server), p
	}
	return o, nil
}

// promise makes durable as which server this node begins an era. The server has promised
// nothing in it. What was promised in earlier eras does not bind it: the operator has given
// that up.
func (o *offline) promise(era uint64) error {
	p := Promise{Number: max(o.promised.Number, 1), Server: string(o.id), Era: era}
	if err := writePromise(o.cfg.FS, o.cfg.Dir, p); err != nil {
		return err
	}
	return o.log.Accept()
}

func (o *offline) close() error { return o.closeDisk() }

// last returns the index and term of the last entry: the log's, or the snapshot's where the log
// ends before.
func (o *offline) last() (index, term uint64, err error) {
	if m := o.snaps.Latest(); m != nil {
		index, term = m.Raft.Index, m.Raft.Term
	}
	last, err := o.log.LastIndex()
	if err != nil || last <= index {
		return index, term, err
	}
	var l raft.Log
	if err := o.log.GetLog(last, &l); err != nil {
		return 0, 0, err
	}
	return l.Index, l.Term, nil
}

func (o *offline) standing() (s Standing, err error) {
	if s.LastIndex, s.LastTerm, err = o.last(); err != nil {
		return s, err
	}
	s.AppliedIndex, _ = o.fsm.state.applied()
	a, err := o.fsm.state.query(&metapb.Query{Op: &metapb.Query_View{View: &metapb.GetView{}}})
	if err != nil {
		return s, err
	}
	s.ClusterID, s.Era = a.GetView().GetClusterId(), a.GetView().GetEra()
	servers, err := o.configuration()
	for _, m := range servers {
		s.Members = append(s.Members, member(m))
	}
	return s, err
}

// configuration returns the servers of the newest Raft configuration, committed or not.
func (o *offline) configuration() (servers []raft.Server, err error) {
	if m := o.snaps.Latest(); m != nil {
		servers = m.Raft.Configuration.Servers
	}
	first, err := o.log.FirstIndex()
	if err != nil || first == 0 {
		return servers, err
	}
	last, err := o.log.LastIndex()
	if err != nil {
		return nil, err
	}
	for i := last; i >= first; i-- {
		var l raft.Log
		if err := o.log.GetLog(i, &l); err != nil {
			return nil, err
		}
		if l.Type == raft.LogConfiguration {
			return raft.DecodeConfiguration(l.Data).Servers, nil
		}
	}
	return servers, nil
}

func (o *offline) recover(era uint64) (Recovered, error) {
	last, term, err := o.last()
	if err != nil {
		return Recovered{}, err
	}
	if last == 0 {
		return Recovered{}, errs.Newf("group.Recover", errs.Invalid,
			"%s holds no metadata: this node was no voter and no standby; recover another one", o.cfg.Dir)
	}
	if err := o.replay(last); err != nil {
		return Recovered{}, err
	}
	s, err := o.standing()
	if err != nil {
		return Recovered{}, err
	}
	return o.begin(last, term, max(era, s.Era+1))
}

// replay applies the entries up to last that the state has not applied yet.
func (o *offline) replay(last uint64) error {
	applied, _ := o.fsm.state.applied()
	first, err := o.log.FirstIndex()
	if err != nil {
		return err
	}
	for i := max(applied+1, first); first != 0 && i <= last; i++ {
		l := new(raft.Log)
		if err := o.log.GetLog(i, l); err != nil {
			return err
		}
		if err, failed := o.fsm.Apply(l).(error); failed {
			return fmt.Errorf("apply entry %d: %w", i, err)
		}
	}
	return nil
}

// begin begins an era. It applies the command that does so as the entry after last, and makes a
// snapshot whose configuration has this node as the only voter. Then it drops the log; if a
// crash comes before, the snapshot counts as received, so the next start drops the log. After a
// crash anywhere it can be done again, and begins the era after this one.
func (o *offline) begin(last, term, era uint64) (Recovered, error) {
	r := Recovered{Era: era, Index: last, Term: term}
	if err := o.promise(era); err != nil {
		return r, err
	}
	command, err := proto.Marshal(&metapb.Command{Op: &metapb.Command_BeginEra{
		BeginEra: &metapb.BeginEra{Era: era, SkipBlocks: eraSkipBlocks}}})
	if err != nil {
		return r, err
	}
	entry := &raft.Log{Index: last + 1, Term: term, Type: raft.LogCommand, Data: command}
	// The log has the entry before the state: a state that is ahead of its log after a crash
	// would be refused.
	if err := o.log.StoreLog(entry); err != nil {
		return r, err
	}
	if err, failed := o.fsm.Apply(entry).(error); failed {
		return r, err
	}
	if err := o.raiseTerm(term); err != nil {
		return r, err
	}
	if err := o.snapshot(entry.Index, term); err != nil {
		return r, err
	}
	first, err := o.log.FirstIndex()
	if err != nil || first == 0 {
		return r, err
	}
	end, err := o.log.LastIndex()
	if err != nil {
		return r, err
	}
	return r, o.log.DeleteRange(first, end)
}

// raiseTerm makes Raft's term at least that of the snapshot. Otherwise it would elect a leader
// in a term before it.
func (o *offline) raiseTerm(term uint64) error {
	have, err := o.log.GetUint64([]byte(stableTerm))
	if err == nil && have >= term {
		return nil
	}
	return o.log.SetUint64([]byte(stableTerm), term)
}

// snapshot makes a snapshot of the state as of an entry, in which this node is the only voter.
// The log need not reach it.
func (o *offline) snapshot(index, term uint64) error {
	at, atTerm := o.fsm.state.applied()
	if at != index {
		return errs.Newf("group.Recover", errs.Internal, "the state is as of entry %d, not %d", at, index)
	}
	c, err := o.snaps.Checkpoint(at, atTerm, o.fsm.state.current.Checkpoint)
	if err != nil {
		return err
	}
	defer c.Release()
	only := raft.Configuration{Servers: []raft.Server{{Suffrage: raft.Voter, ID: o.id, Address: recoveredAddr}}}
	sink, err := o.snaps.Create(1, index, term, only, index, nil)
	if err != nil {
		return err
	}
	k, ok := sink.(*snapshot.Sink)
	if !ok {
		return errs.Newf("group.Recover", errs.Internal, "a sink of type %T", sink)
	}
	k.MarkReceived()
	return c.Persist(k)
}
