package raftlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	iofs "io/fs"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/files"
)

// Pebble cannot tell a write-ahead log that a crash cut short from one whose last block
// rotted after it was synced. So the log has a mark beside it, a small file that says how
// far the log was durable once, and how many variables had been set:
//
//	two slots, at 0 and 512: generation (8) last entry (8) sets (8) crc32c of the slot (4)
//
// Integers are little endian; the whole slot of the greater generation counts. The mark
// is written after the log was synced, so it never promises what a crash could undo, and
// lowered before the end of the log is deleted. After an entry it is written at once,
// which survives the end of the process, and synced within markSyncEvery, for the power
// to fail; after a variable (a term, a vote) it is synced before the call returns. A log
// that holds less than its mark says has lost what this node answered for: see Cut.
const (
	markName   = "mark"
	markBytes  = 8 + 8 + 8 + 4
	markStride = 512 // So that one torn sector spoils one slot.

	// markSize is the size of the file from the start: its slots are overwritten where they
	// lie, which needs no room on a full file system.
	markSize = 2 * markStride

	// markSyncEvery is the least time between two syncs of the mark for entries.
	markSyncEvery = 100 * time.Millisecond
)

// mark is the open file. Safe for concurrent use.
type mark struct {
	file   vfs.File
	failed func(error)

	mu         sync.Mutex
	generation uint64
	last, sets uint64
	broken     bool // A write of it failed: the file says less than is true, which does no harm.

	dirty   chan struct{} // Holds one token where the file is to be synced.
	closing chan struct{}
	ended   sync.WaitGroup
}

// openMark opens the mark in dir, and makes it where there is none.
func openMark(fs vfs.FS, dir string, failed func(error)) (*mark, error) {
	path := fs.PathJoin(dir, markName)
	_, err := fs.Stat(path)
	made := errors.Is(err, iofs.ErrNotExist)
	f, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	m := &mark{file: f, failed: failed, dirty: make(chan struct{}, 1), closing: make(chan struct{})}
	if !made {
		err = m.read()
	}
	if err == nil {
		err = m.extend()
	}
	if err == nil && made {
		err = files.SyncDir(fs, dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	m.ended.Go(m.keepSynced)
	return m, nil
}

// read takes over what the file says: nothing where no slot is whole.
func (m *mark) read() error {
	info, err := m.file.Stat()
	if err != nil {
		return err
	}
	for at := int64(0); at < 2*markStride; at += markStride {
		var b [markBytes]byte
		if info.Size() < at+markBytes {
			continue
		}
		if _, err := m.file.ReadAt(b[:], at); err != nil {
			return err
		}
		g := binary.LittleEndian.Uint64(b[:])
		if crc32.Checksum(b[:24], castagnoli) != binary.LittleEndian.Uint32(b[24:]) || g <= m.generation {
			continue
		}
		m.generation, m.last, m.sets = g, binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])
	}
	return nil
}

// extend gives the file its size; a slot of zeros says nothing.
func (m *mark) extend() error {
	info, err := m.file.Stat()
	if err != nil || info.Size() >= markSize {
		return err
	}
	if _, err := m.file.WriteAt(make([]byte, markSize-info.Size()), info.Size()); err != nil {
		return err
	}
	return m.file.Sync()
}

// note writes how far the log is durable. sync says whether the file must be too.
func (m *mark) note(sync bool, change func(last, sets *uint64)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.last, &m.sets)
	if m.broken {
		return
	}
	m.generation++
	b := make([]byte, 0, markBytes)
	b = binary.LittleEndian.AppendUint64(b, m.generation)
	b = binary.LittleEndian.AppendUint64(b, m.last)
	b = binary.LittleEndian.AppendUint64(b, m.sets)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	_, err := m.file.WriteAt(b, int64(m.generation%2)*markStride)
	if vfs.IsNoSpaceError(err) { // A file system that copies on writing: the next note tries this slot again.
		m.generation--
		return
	}
	if err == nil && sync {
		err = m.file.SyncData()
	}
	if err != nil {
		m.breakLocked(err)
		return
	}
	if !sync {
		select {
		case m.dirty <- struct{}{}:
		default:
		}
	}
}

// breakLocked gives the mark up: after a failed sync nobody knows what the file says.
func (m *mark) breakLocked(err error) {
	if m.broken {
		return
	}
	m.broken = true
	if m.failed != nil {
		m.failed(errs.Newf("raftlog.mark", errs.Internal, "the mark beside the Raft log cannot be written: %w", err))
	}
}

// keepSynced syncs the mark a little after entries were noted.
func (m *mark) keepSynced() {
	for {
		select {
		case <-m.closing:
			return
		case <-m.dirty:
		}
		if err := m.file.SyncData(); err != nil {
			m.mu.Lock()
			m.breakLocked(err)
			m.mu.Unlock()
		}
		t := time.NewTimer(markSyncEvery)
		select {
		case <-m.closing:
			t.Stop()
			return
		case <-t.C:
		}
	}
}

func (m *mark) close() error {
	close(m.closing)
	m.ended.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	var err error
	if !m.broken {
		err = m.file.SyncData()
	}
	return errors.Join(err, m.file.Close())
}

// judge compares what the log holds with what the mark says.
func (m *mark) judge(last, sets uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case last < m.last:
		return fmt.Errorf("the Raft log ends at entry %d, but it was durable up to entry %d once", last, m.last)
	case sets < m.sets:
		return fmt.Errorf("the Raft log holds %d changes of term and vote, but %d were durable once", sets, m.sets)
	}
	return nil
}

// Cut returns nil, or in a sentence what the log has lost: bytes of its write-ahead log
// that were synced are gone or damaged, and what they held was taken for a torn tail. The
// entries that are left are a beginning of the log. Whoever votes must not vote under
// the same name with it; once that is durable, Accept makes this log the one that counts.
func (s *Store) Cut() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.cut
}

// Accept makes the mark say what the log holds.
func (s *Store) Accept() error {
	return s.gate.write("raftlog.Accept", func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.cut = nil
		s.mark.note(true, func(last, sets *uint64) { *last, *sets = s.last, s.sets })
		return nil
	})
}
