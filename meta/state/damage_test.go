package state

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// damaged is a state that was flushed and opened several times, and a log that goes
// on past what it has applied.
type damaged struct {
	m       *machine
	applied int
}

// newDamaged flushes after each life, and opens the state again after the first ones.
func newDamaged(t *testing.T, lives, reopened int) damaged {
	m := newMachine(t, nil)
	c := newClient(t, m, 1, 1, 0)
	c.bucket(t, "b")
	commands := func(life int) (out []*metapb.Command) {
		for i := range 10 {
			out = append(out, put("b", fmt.Sprint(life, i), 100*life+i+1, []byte("x")),
				put("b", "overwritten", 100*life+i+50, fmt.Append(nil, life, i)), deleteKeys("b", fmt.Sprint(life, i/2)))
		}
		return out
	}
	for life := range lives {
		for _, cmd := range commands(life) {
			c.ok(t, cmd)
		}
		require.NoError(t, m.s.Flush())
		if life < reopened {
			m.close()
			m.open()
		}
	}
	m.close()
	d := damaged{m, len(m.log)}
	for _, cmd := range commands(lives) {
		m.append(c.stamp(cmd))
	}
	return d
}

func (d damaged) clone() *vfs.MemFS { return d.m.fs.CrashClone(vfs.CrashCloneCfg{}) }

// goOn opens the state, applies the log, and returns what the state then holds and
// where it stood at first. What was applied one by one comes in one batch, which takes
// fewer sequence numbers.
func (d damaged) goOn(t *testing.T, fs *vfs.MemFS) (dump string, applied int, err error) {
	s, err := Open(Options{FS: fs, Dir: d.m.dir, CacheBytes: 1 << 20})
	if err != nil {
		return "", 0, err
	}
	index, _ := s.Applied()
	after := machine{t: t, fs: fs, s: s}
	for end := d.applied; end <= len(d.m.log); end++ {
		after.log = d.m.log[:end]
		after.catchUp()
	}
	defer after.close()
	return after.dump(), int(index), nil
}

// TestDamagedManifest flips bytes of the files by which the database knows what it
// holds, and cuts them short. Open refuses the state, or finds an older one, which
// the log brings up to date; never one that holds more or less than it says.
func TestDamagedManifest(t *testing.T) {
	for shape, n := range map[string]struct{ lives, reopened int }{
		"opened again": {2, 1}, // The MANIFEST begins with all tables.
		"grown":        {3, 1}, // Tables came later.
	} {
		d := newDamaged(t, n.lives, n.reopened)
		want, applied, err := d.goOn(t, d.clone())
		require.NoError(t, err)
		require.Equal(t, d.applied, applied)
		names, err := d.m.fs.List(d.m.dir)
		require.NoError(t, err)
		for _, name := range names {
			if strings.HasSuffix(name, ".sst") || name == "LOCK" {
				continue // Tables have checksums.
			}
			t.Run(shape+"/"+name, func(t *testing.T) { d.flipAndCut(t, d.m.fs.PathJoin(d.m.dir, name), want) })
		}
	}
}

func (d damaged) flipAndCut(t *testing.T, path, want string) {
	stride := int64(1)
	if strings.Contains(path, "OPTIONS") && !effort.Long() {
		stride = 23
	}
	if effort.Lessened() {
		stride *= 11
	}
	info, err := d.m.fs.Stat(path)
	require.NoError(t, err)
	refused, behind, whole := 0, 0, 0
	for at := int64(0); at < info.Size(); at += stride {
		for _, cut := range []bool{false, true} {
			fs := d.clone()
			damage(t, fs, path, at, cut)
			got, applied, err := d.goOn(t, fs)
			switch {
			case err != nil:
				require.Equal(t, errs.Corrupt, errs.KindOf(err), "byte %d, cut %v: %v", at, cut, err)
				refused++
				continue
			case applied < d.applied:
				behind++
			default:
				whole++
			}
			require.Equal(t, want, got, "byte %d, cut %v, found at %d", at, cut, applied)
		}
	}
	t.Logf("refused %d, behind %d, whole %d", refused, behind, whole)
}

// damage flips a byte of a file, or cuts it off there.
func damage(t *testing.T, fs vfs.FS, path string, at int64, cut bool) {
	t.Helper()
	f, err := fs.Open(path)
	require.NoError(t, err)
	info, err := f.Stat()
	require.NoError(t, err)
	b := make([]byte, info.Size())
	_, err = f.ReadAt(b, 0)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	if b[at] ^= 0x40; cut {
		b = b[:at]
	}
	f, err = fs.Create(path, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	_, err = f.Write(b)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}
