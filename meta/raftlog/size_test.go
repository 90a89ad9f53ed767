package raftlog

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster/effort"
)

// TestSizes compares the sums with those of a slice, whatever is appended, cut and reopened.
func TestSizes(t *testing.T) {
	effort.SkipLessened(t)
	rapid.Check(t, func(t *rapid.T) {
		fs := vfs.NewMem()
		s := open(t, fs)
		var want []uint64 // Bytes of each entry.
		first := uint64(1)
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				from := first + uint64(len(want))
				n := rapid.Uint64Range(1, 20).Draw(t, "n")
				require.NoError(t, s.StoreLogs(entries(from, from+n-1)))
				for i := from; i < from+n; i++ {
					want = append(want, uint64(len(entry(i).Data)))
				}
			},
			"cut": func(t *rapid.T) {
				if len(want) < 2 {
					return
				}
				n := rapid.IntRange(1, len(want)-1).Draw(t, "n")
				if rapid.Bool().Draw(t, "suffix") {
					require.NoError(t, s.DeleteRange(first+uint64(len(want)-n), first+uint64(len(want))-1))
					want = want[:len(want)-n]
					return
				}
				require.NoError(t, s.DeleteRange(first, first+uint64(n)-1))
				want, first = want[n:], first+uint64(n)
			},
			"reopen": func(t *rapid.T) {
				require.NoError(t, s.Close())
				s = open(t, fs)
			},
			"": func(t *rapid.T) {
				sum := uint64(0)
				for _, b := range want {
					sum += b
				}
				require.Equal(t, sum, s.Bytes())
				most, fit, used := rapid.Uint64Range(0, sum+1).Draw(t, "most"), 0, uint64(0)
				for fit < len(want) && used+want[len(want)-1-fit] <= most {
					used += want[len(want)-1-fit]
					fit++
				}
				require.Equal(t, uint64(fit), s.Within(most))
			},
		})
		require.NoError(t, s.Close())
	})
}

// TestLogShrinksOnDisk: what is cut off the beginning gives its room back. Thirty times
// what the log keeps passes through it, with small memtables, so that few bytes suffice;
// what stays on the disk are the entries kept, what is still to be flushed, and what the
// database's levels hold before they are compacted.
func TestLogShrinksOnDisk(t *testing.T) {
	const keep, entryBytes, round, most = 1 << 20, 64 << 10, 250, 15 << 20
	fs := vfs.NewMem()
	s, err := Open(Options{FS: fs, Dir: "log", memTable: keep})
	require.NoError(t, err)
	data := make([]byte, entryBytes)
	for i := range uint64(2 * round) {
		data[0], data[1] = byte(i), byte(i>>8)
		require.NoError(t, s.StoreLog(&raft.Log{Index: i + 1, Term: 1, Data: data}))
		if i%8 == 7 {
			first, err := s.FirstIndex()
			require.NoError(t, err)
			require.NoError(t, s.DeleteRange(first, i+1-s.Within(keep)))
			require.LessOrEqual(t, s.Bytes(), uint64(keep))
		}
		if i%round == round-1 { // Compactions take their time, and writes do not wait for them.
			for onDisk(t, fs, "log") > most {
				time.Sleep(10 * time.Millisecond) // Ended by the deadline of all tests alone.
			}
		}
	}
	require.NoError(t, s.Close())
}

// onDisk returns how many bytes the files of a directory have.
func onDisk(t *testing.T, fs vfs.FS, dir string) (sum uint64) {
	names, err := fs.List(dir)
	require.NoError(t, err)
	for _, name := range names {
		if info, err := fs.Stat(fs.PathJoin(dir, name)); err == nil { // Else it has just gone.
			sum += uint64(info.Size())
		}
	}
	return sum
}
