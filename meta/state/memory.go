package state

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// bucketsCached is how many buckets the applier keeps decoded.
const bucketsCached = 4096

// memory is what the applier keeps decoded of the records that nearly every
// command needs. It mirrors the database plus the batch in progress; it is made
// from the database by Open, so a restored or reopened state starts afresh. Only
// the applier uses it. Messages in it are replaced, never changed.
type memory struct {
	cluster     *metapb.Cluster
	refused     *metapb.Contradictions
	nodes       []*metapb.Node   // Ascending by id.
	volumes     []*metapb.Volume // Volume i+1.
	nextFree    []uint64         // Next lease block of volume i+1.
	volumeStats []*volumeStats   // Of volume i+1.
	sessions    map[keys.ID]*session
	ordered     []*session // All sessions, in the order in which they were opened.
	leases      map[lease]*session
	buckets     map[string]*metapb.Bucket // A cache; absent means look.
	owned       map[string]uint32         // Buckets that an account has, by its id; absent: none.
}

// lease names a block of extent numbers of a volume.
type lease struct {
	volume shard.VolumeID
	block  uint64
}

// volume returns a volume; nil where there is none.
func (m *memory) volume(id shard.VolumeID) *metapb.Volume {
	if id == 0 || uint64(id) > uint64(len(m.volumes)) {
		return nil
	}
	return m.volumes[id-1]
}

// loadMemory reads the database.
func loadMemory(db *pebble.DB) (*memory, error) {
	m := &memory{cluster: new(metapb.Cluster), refused: new(metapb.Contradictions), sessions: make(map[keys.ID]*session),
		leases: make(map[lease]*session), buckets: make(map[string]*metapb.Bucket), owned: make(map[string]uint32)}
	if _, err := getProto(db, keys.AppendCluster(nil), m.cluster); err != nil {
		return nil, err
	}
	if _, err := getProto(db, keys.AppendRefused(nil), m.refused); err != nil {
		return nil, err
	}
	// Sessions come before what belongs to them.
	for _, load := range []struct {
		kind keys.Kind
		add  func(k keys.Key, v []byte) error
	}{
		{keys.KindNode, m.loadNode}, {keys.KindVolume, m.loadVolume}, {keys.KindNextBlock, m.loadNextBlock},
		{keys.KindVolumeStats, m.loadStats}, {keys.KindSession, m.loadSession}, {keys.KindResult, m.loadResult},
		{keys.KindLease, m.loadLease}, {keys.KindPin, m.loadPin},
		{keys.KindBucket, m.loadOwned},
	} {
		if err := scanKind(db, load.kind, load.add); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(m.ordered, func(a, b *session) int { return cmp.Compare(a.rec.Opened, b.rec.Opened) })
	return m, nil
}

func (m *memory) loadNode(_ keys.Key, v []byte) error {
	n := new(metapb.Node)
	m.nodes = append(m.nodes, n)
	return unmarshal(v, n)
}

func (m *memory) loadVolume(k keys.Key, v []byte) error {
	vol := new(metapb.Volume)
	m.volumes = append(m.volumes, vol)
	m.nextFree = append(m.nextFree, 0)
	m.volumeStats = append(m.volumeStats, new(volumeStats))
	if uint64(k.Volume) != uint64(len(m.volumes)) {
		return corrupt("volume %d is missing", len(m.volumes))
	}
	return unmarshal(v, vol)
}

func (m *memory) loadNextBlock(k keys.Key, v []byte) error {
	if m.volume(k.Volume) == nil || len(v) != 8 {
		return corrupt("lease blocks of volume %d", k.Volume)
	}
	m.nextFree[k.Volume-1] = binary.BigEndian.Uint64(v)
	return nil
}

func (m *memory) loadSession(k keys.Key, v []byte) error {
	s := &session{id: k.ID}
	m.sessions[k.ID] = s
	m.ordered = append(m.ordered, s)
	return unmarshal(v, &s.rec)
}

func (m *memory) loadResult(k keys.Key, v []byte) error {
	s := m.sessions[k.ID]
	if s == nil {
		return corrupt("a result belongs to no session")
	}
	s.results = append(s.results, result{seq: k.Seq, data: slices.Clone(v), stored: true})
	return nil
}

func (m *memory) loadLease(k keys.Key, v []byte) error {
	rec := new(metapb.Lease)
	if err := unmarshal(v, rec); err != nil {
		return err
	}
	s, err := m.liveSession(rec.Session)
	if err != nil {
		return err
	}
	l := lease{k.Volume, k.Block}
	m.leases[l] = s
	s.leases = append(s.leases, l)
	return nil
}

func (m *memory) loadPin(k keys.Key, v []byte) error {
	rec := new(metapb.Pin)
	if err := unmarshal(v, rec); err != nil {
		return err
	}
	s, err := m.liveSession(rec.Session)
	if err != nil {
		return err
	}
	s.pins = append(s.pins, k.ID)
	return nil
}

func (m *memory) loadOwned(_ keys.Key, v []byte) error {
	b := new(metapb.Bucket)
	if err := unmarshal(v, b); err != nil {
		return err
	}
	m.owned[b.Owner]++
	return nil
}

// disown counts a bucket less of an account's.
func (m *memory) disown(account string) {
	if m.owned[account]--; m.owned[account] == 0 {
		delete(m.owned, account)
	}
}

func (m *memory) liveSession(id []byte) (*session, error) {
	if id, ok := keys.ParseID(id); ok {
		if s := m.sessions[id]; s != nil && s.rec.Ended == 0 {
			return s, nil
		}
	}
	return nil, corrupt("a lease or pin belongs to no live session")
}

// scanKind calls f for every record of a kind, in order.
func scanKind(r pebble.Reader, kind keys.Kind, f func(k keys.Key, v []byte) error) error {
	prefix := keys.AppendKind(nil, kind)
	return scan(r, prefix, keys.PrefixEnd(slices.Clone(prefix)), func(key, v []byte) error {
		k, err := decodeKey(key)
		if err != nil {
			return err
		}
		return f(k, v)
	})
}

// errStop ends a scan early; scan returns nil.
var errStop = errors.New("stop")

// scan calls f for every record from lower to upper (exclusive). f must not keep
// key or value.
func scan(r pebble.Reader, lower, upper []byte, f func(key, value []byte) error) (err error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return dbError(err)
	}
	defer func() { // After a panic of f too.
		if cerr := it.Close(); err == nil && cerr != nil {
			err = dbError(cerr)
		}
	}()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return dbError(err)
		}
		err = f(it.Key(), v)
		if err == errStop { //nolint:errorlint // A private sentinel, never wrapped.
			return nil
		}
		if err != nil {
			return of(it.Key(), err)
		}
	}
	if err := it.Error(); err != nil {
		return dbError(err)
	}
	return nil
}

// get calls f with the value under key and reports whether there is one. f must
// not keep the value.
func get(r pebble.Reader, key []byte, f func(value []byte) error) (bool, error) {
	v, closer, err := r.Get(key)
	if err == pebble.ErrNotFound { //nolint:errorlint // Returned bare, on a hot path.
		return false, nil
	}
	if err != nil {
		return false, dbError(err)
	}
	err = of(key, f(v))
	if cerr := closer.Close(); err == nil && cerr != nil {
		err = dbError(cerr)
	}
	return err == nil, err
}

// getProto reads the record under key into m and reports whether there is one.
func getProto(r pebble.Reader, key []byte, m proto.Message) (bool, error) {
	v, closer, err := r.Get(key)
	if err == pebble.ErrNotFound { //nolint:errorlint // Returned bare, on a hot path.
		return false, nil
	}
	if err != nil {
		return false, dbError(err)
	}
	err = of(key, unmarshal(v, m))
	if cerr := closer.Close(); err == nil && cerr != nil {
		err = dbError(cerr)
	}
	return err == nil, err
}

func unmarshal(v []byte, m proto.Message) error {
	if err := proto.Unmarshal(v, m); err != nil {
		return undecodable(err)
	}
	return nil
}

func dbError(err error) error {
	return errs.New("state", openKind(err), err)
}
