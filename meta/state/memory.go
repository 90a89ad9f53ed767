package state

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// bucketsCached is how many records of buckets are kept decoded at most.
const bucketsCached = 4096

// memory holds, decoded, the records that nearly every command needs. It is what the database
// and the batch in progress say together. It is made from the database (loadMemory), and a
// command that changes a record changes both. Only the goroutine that applies uses it. Messages
// in it are replaced, never changed, since queries may have them.
type memory struct {
	cluster     *metapb.Cluster
	refused     *metapb.Contradictions
	nodes       []*metapb.Node   // Ascending by id.
	volumes     []*metapb.Volume // At i, volume i+1.
	nextFree    []uint64         // At i, the next lease block of volume i+1.
	volumeStats []*volumeStats   // At i, the sums of volume i+1.
	sessions    map[keys.ID]*session
	ordered     []*session // All sessions, in the order in which they were opened.
	leases      map[record.LeaseName]*session
	buckets     map[string]*metapb.Bucket // A cache by name: one that is absent may still exist.
	owned       map[string]uint32         // How many buckets each account has; absent: none.
}

// volume returns a volume; nil if there is none of that id.
func (m *memory) volume(id shard.VolumeID) *metapb.Volume {
	if id == 0 || uint64(id) > uint64(len(m.volumes)) {
		return nil
	}
	return m.volumes[id-1]
}

// loadMemory reads a memory from the database. A bad record among these is an error, since
// every command needs them: see the package comment, "Contradictions".
func loadMemory(db *pebble.DB) (*memory, error) {
	m := &memory{cluster: new(metapb.Cluster), refused: new(metapb.Contradictions), sessions: make(map[keys.ID]*session),
		leases: make(map[record.LeaseName]*session), buckets: make(map[string]*metapb.Bucket), owned: make(map[string]uint32)}
	if _, err := record.Get(db, keys.AppendCluster(nil), m.cluster); err != nil {
		return nil, err
	}
	if _, err := record.Get(db, keys.AppendRefused(nil), m.refused); err != nil {
		return nil, err
	}
	// Volumes and sessions come before what belongs to them.
	for _, load := range []struct {
		kind keys.Kind
		add  func(k keys.Key, v []byte) error
	}{
		{keys.KindNode, m.loadNode}, {keys.KindVolume, m.loadVolume}, {keys.KindNextBlock, m.loadNextBlock},
		{keys.KindVolumeStats, m.loadStats}, {keys.KindSession, m.loadSession}, {keys.KindResult, m.loadResult},
		{keys.KindLease, m.loadLease}, {keys.KindPin, m.loadPin},
		{keys.KindBucket, m.loadOwned},
	} {
		if err := record.ScanKind(db, load.kind, load.add); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(m.ordered, func(a, b *session) int { return cmp.Compare(a.rec.Opened, b.rec.Opened) })
	return m, nil
}

func (m *memory) loadNode(_ keys.Key, v []byte) error {
	n := new(metapb.Node)
	m.nodes = append(m.nodes, n)
	return record.Unmarshal(v, n)
}

func (m *memory) loadVolume(k keys.Key, v []byte) error {
	vol := new(metapb.Volume)
	m.volumes = append(m.volumes, vol)
	m.nextFree = append(m.nextFree, 0)
	m.volumeStats = append(m.volumeStats, new(volumeStats))
	if uint64(k.Volume) != uint64(len(m.volumes)) {
		return record.Corrupt("volume %d is missing", len(m.volumes))
	}
	return record.Unmarshal(v, vol)
}

func (m *memory) loadNextBlock(k keys.Key, v []byte) error {
	if m.volume(k.Volume) == nil || len(v) != 8 {
		return record.Corrupt("lease blocks of volume %d", k.Volume)
	}
	m.nextFree[k.Volume-1] = binary.BigEndian.Uint64(v)
	return nil
}

func (m *memory) loadSession(k keys.Key, v []byte) error {
	s := &session{id: k.ID}
	m.sessions[k.ID] = s
	m.ordered = append(m.ordered, s)
	return record.Unmarshal(v, &s.rec)
}

func (m *memory) loadResult(k keys.Key, v []byte) error {
	s := m.sessions[k.ID]
	if s == nil {
		return record.Corrupt("a result belongs to no session")
	}
	s.results = append(s.results, result{seq: k.Seq, data: slices.Clone(v), stored: true})
	return nil
}

func (m *memory) loadLease(k keys.Key, v []byte) error {
	rec := new(metapb.Lease)
	if err := record.Unmarshal(v, rec); err != nil {
		return err
	}
	s, err := m.liveSession(rec.Session)
	if err != nil {
		return err
	}
	l := record.LeaseName{Volume: k.Volume, Block: k.Block}
	m.leases[l] = s
	s.leases = append(s.leases, l)
	return nil
}

func (m *memory) loadPin(k keys.Key, v []byte) error {
	rec := new(metapb.Pin)
	if err := record.Unmarshal(v, rec); err != nil {
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
	if err := record.Unmarshal(v, b); err != nil {
		return err
	}
	m.owned[b.Owner]++
	return nil
}

// disown counts one bucket less for an account.
func (m *memory) disown(account string) {
	if m.owned[account]--; m.owned[account] == 0 {
		delete(m.owned, account)
	}
}

// liveSession returns the session of that id, which must be open.
func (m *memory) liveSession(id []byte) (*session, error) {
	if id, ok := keys.ParseID(id); ok {
		if s := m.sessions[id]; s != nil && s.rec.Ended == 0 {
			return s, nil
		}
	}
	return nil, record.Corrupt("a lease or pin belongs to no live session")
}
