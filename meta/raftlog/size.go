package raftlog

import "github.com/hashicorp/raft"

// sizes holds how many bytes each entry of the log takes, of its data and extensions.
// The caller locks.
type sizes struct {
	of    []uint32 // By entry, from the first.
	bytes uint64
}

func (s *sizes) push(l *raft.Log) {
	n := len(l.Data) + len(l.Extensions)
	s.of = append(s.of, uint32(n))
	s.bytes += uint64(n)
}

// dropFirst and dropLast forget n entries of the beginning or the end.
func (s *sizes) dropFirst(n uint64) {
	for _, size := range s.of[:n] {
		s.bytes -= uint64(size)
	}
	s.of = append([]uint32(nil), s.of[n:]...) // Not a slice: its array would keep what was dropped.
}

func (s *sizes) dropLast(n uint64) {
	keep := uint64(len(s.of)) - n
	for _, size := range s.of[keep:] {
		s.bytes -= uint64(size)
	}
	s.of = s.of[:keep]
}

// within returns how many of the last entries have at most so many bytes together.
func (s *sizes) within(most uint64) uint64 {
	if s.bytes <= most {
		return uint64(len(s.of))
	}
	sum, n := uint64(0), uint64(0)
	for i := len(s.of) - 1; i >= 0; i-- {
		if sum += uint64(s.of[i]); sum > most {
			break
		}
		n++
	}
	return n
}

// Bytes returns how many bytes the entries of the log have together.
func (s *Store) Bytes() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.sizes.bytes
}

// Within returns how many of the last entries have at most so many bytes together.
func (s *Store) Within(most uint64) uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.sizes.within(most)
}
