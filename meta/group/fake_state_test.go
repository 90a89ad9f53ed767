package group

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta/files"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/state"
)

// fakeState is a state machine of registers: CreateBucket sets a register named like
// the bucket to its owner, GetBucket reads it. Like the real one it is durable only
// by Flush and Checkpoint. It counts what is applied and refuses what comes twice.
type fakeState struct {
	fs      vfs.FS
	dir     string
	applies *atomic.Int64 // Entries applied, over the runs of a node.

	delay atomic.Int64 // Of each Apply.

	refused atomic.Pointer[metapb.Contradictions]

	mu sync.Mutex
	d  fakeData
}

type fakeData struct {
	Index, Term uint64
	Part        int // How many commands of the entry after Index are applied.
	Registers   map[string]string
	Sessions    map[string]uint64 // Id → node; open ones.
	Results     map[string]uint64 // Session and seq → index of its application.
	Sets        int               // Commands that had effect.
	Hash        [sha256.Size]byte // Over all entries.
	Hashes      map[uint64]string // By index: over all entries so far, and this one's term and hash.
}

const fakeFile = "registers.json"

func openFakeState(applies *atomic.Int64) openStateFunc {
	return func(fs vfs.FS, dir string) (stateMachine, error) {
		s := &fakeState{fs: fs, dir: dir, applies: applies, d: fakeData{Registers: map[string]string{},
			Sessions: map[string]uint64{}, Results: map[string]uint64{}, Hashes: map[uint64]string{}}}
		if err := fs.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		b, err := files.Read(fs, fs.PathJoin(dir, fakeFile))
		if files.IsNotExist(err) {
			return s, nil
		}
		if err != nil {
			return nil, err
		}
		return s, json.Unmarshal(b, &s.d)
	}
}

func (s *fakeState) Applied() (uint64, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.d.Index, s.d.Term
}

func (s *fakeState) FeatureLevel() uint32 { return cluster.FeatureLevelMax }

func (s *fakeState) Apply(entries []state.Entry) ([]*metapb.Result, error) {
	if d := s.delay.Load(); d > 0 {
		time.Sleep(time.Duration(d))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*metapb.Result, len(entries))
	for i, e := range entries {
		if e.Index <= s.d.Index || e.Part != s.d.Part {
			return nil, fmt.Errorf("command %d of entry %d is applied after %d commands of entry %d",
				e.Part, e.Index, s.d.Part, s.d.Index)
		}
		s.applies.Add(1)
		if e.Command != nil {
			r, err := s.apply(e)
			if err != nil {
				return nil, err
			}
			out[i] = r
		}
		s.d.Part++
		if !e.More {
			s.d.Index, s.d.Term, s.d.Part = e.Index, e.Term, 0
		}
		s.d.Hash = sha256.Sum256(fmt.Appendf(s.d.Hash[:], "%d %d %x", e.Index, e.Term, e.Command))
		own := sha256.Sum256(e.Command)
		s.d.Hashes[e.Index] = fmt.Sprintf("%x in term %d, itself %x", s.d.Hash[:8], e.Term, own[:4])
	}
	return out, nil
}

func (s *fakeState) apply(e state.Entry) (*metapb.Result, error) {
	cmd := new(metapb.Command)
	if err := proto.Unmarshal(e.Command, cmd); err != nil {
		return nil, err
	}
	switch op := cmd.Op.(type) {
	case *metapb.Command_OpenSession:
		for id, node := range s.d.Sessions {
			if node == op.OpenSession.Node && id != fmt.Sprintf("%x", op.OpenSession.Session) {
				delete(s.d.Sessions, id)
			}
		}
		s.d.Sessions[fmt.Sprintf("%x", op.OpenSession.Session)] = op.OpenSession.Node
		return &metapb.Result{Index: e.Index}, nil
	case *metapb.Command_CreateBucket:
		id := fmt.Sprintf("%x", cmd.Session)
		if _, ok := s.d.Sessions[id]; !ok {
			return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_STALE_SESSION}, nil
		}
		key := fmt.Sprintf("%s/%d", id, cmd.Seq)
		if at, ok := s.d.Results[key]; ok {
			return &metapb.Result{Index: at}, nil
		}
		s.d.Results[key] = e.Index
		s.d.Registers[op.CreateBucket.Bucket.Name] = op.CreateBucket.Bucket.Owner
		s.d.Sets++
		return &metapb.Result{Index: e.Index}, nil
	}
	return nil, fmt.Errorf("command %T is not known", cmd.Op)
}

func (s *fakeState) Contradictions() (uint64, *metapb.Contradictions) {
	index, _ := s.Applied()
	return index, s.refused.Load()
}

func (s *fakeState) Query(q *metapb.Query) (*metapb.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &metapb.Answer{ViewEpoch: 1}
	switch op := q.Op.(type) {
	case *metapb.Query_Bucket:
		a.Bucket = &metapb.Bucket{Name: op.Bucket.Name, Owner: s.d.Registers[op.Bucket.Name]}
	case *metapb.Query_View:
		a.View = &metapb.ViewAnswer{Epoch: 1, ClusterId: "test"}
	}
	return a, nil
}

func (s *fakeState) write(dir string) error {
	s.mu.Lock()
	b, err := json.Marshal(s.d)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return files.Replace(s.fs, dir, fakeFile, b)
}

func (s *fakeState) Flush() error { return s.write(s.dir) }

func (s *fakeState) Checkpoint(dir string) error {
	if err := files.MkdirSynced(s.fs, dir); err != nil {
		return err
	}
	if err := s.Flush(); err != nil {
		return err
	}
	return s.write(dir)
}

func (s *fakeState) Close() error { return s.Flush() }

func (s *fakeState) snapshot() fakeData {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.d
	d.Registers, d.Hashes = maps.Clone(d.Registers), maps.Clone(d.Hashes)
	return d
}

func setRegister(name, value string) *metapb.Command {
	return &metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{
		Bucket: &metapb.Bucket{Name: name, Owner: value}}}}
}

func getRegister(name string) *metapb.Query {
	return &metapb.Query{Op: &metapb.Query_Bucket{Bucket: &metapb.GetBucket{Name: name}}}
}
