package group

import (
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/files"
)

// failing makes the n-th I/O fail, and tells whether there was one.
func failing(fs vfs.FS, n int) (vfs.FS, func() bool) {
	return errorfs.Wrap(fs, errorfs.InjectorFunc(func(errorfs.Op) error {
		if n--; n == -1 {
			return errorfs.ErrInjected
		}
		return nil
	})), func() bool { return n < 0 }
}

// TestSetAsideFails: metadata that are disowned are set aside, durably, or the start fails
// and the next one goes on: whichever I/O fails, none of them is ever opened again.
func TestSetAsideFails(t *testing.T) {
	dirs := []string{logDir, stateDirName, snapshotsDir}
	for n, more := 0, true; more; n++ {
		fs := vfs.NewCrashableMem()
		require.NoError(t, files.MkdirSynced(fs, "meta"))
		p := Promise{Number: 2, Server: "1", Disowned: "it was wrong"}
		require.NoError(t, writePromise(fs, "meta", p))
		for _, d := range dirs {
			require.NoError(t, files.MkdirSynced(fs, fs.PathJoin("meta", d)))
			require.NoError(t, files.Replace(fs, fs.PathJoin("meta", d), "of", []byte(d)))
		}
		older := fs.PathJoin("meta", disownedName, "older")
		require.NoError(t, files.MkdirSynced(fs, fs.PathJoin("meta", disownedName)))
		require.NoError(t, files.MkdirSynced(fs, older))

		wrapped, failed := failing(fs, n)
		err := (&Group{cfg: Config{FS: wrapped, Dir: "meta"}}).setAside()
		more = failed()
		fs = fs.CrashClone(vfs.CrashCloneCfg{})
		if err != nil {
			require.ErrorIs(t, err, errorfs.ErrInjected, "I/O %d", n)
			require.NoError(t, (&Group{cfg: Config{FS: fs, Dir: "meta"}}).setAside(), "I/O %d: the next start", n)
		}
		for _, d := range dirs {
			_, err := fs.Stat(fs.PathJoin("meta", d))
			require.True(t, files.IsNotExist(err), "I/O %d: %s: %v", n, d, err)
			b, err := files.Read(fs, fs.PathJoin("meta", disownedName, p.Server, d, "of"))
			require.NoError(t, err, "I/O %d", n)
			require.Equal(t, d, string(b))
		}
		_, err = fs.Stat(older)
		require.True(t, files.IsNotExist(err), "I/O %d: %v", n, err)
	}
}

// TestPromiseIsKeptOrTold: a promise that could not be kept, in the directory or on a drive,
// is told, and is kept when it is made again.
func TestPromiseIsKeptOrTold(t *testing.T) {
	p := Promise{Number: 2, Server: "1", Term: 3, Index: 4}
	for n, more := 0, true; more; n++ {
		fs := vfs.NewMem()
		require.NoError(t, fs.MkdirAll("meta", 0o755))
		require.NoError(t, fs.MkdirAll("drive", 0o755))
		wrapped, failed := failing(fs, n)
		g := &Group{cfg: Config{FS: wrapped, Dir: "meta", Promises: PromiseDirs{FS: wrapped, Dirs: []string{"drive"}}}}
		err := g.keepPromise(p)
		more = failed()
		require.Equal(t, more, err != nil, "I/O %d: %v", n, err)
		require.NoError(t, g.keepPromise(p), "I/O %d", n)
		for _, dir := range []string{"meta", "drive"} {
			got, ok, err := readPromise(fs, dir)
			require.NoError(t, err)
			require.True(t, ok, "I/O %d: %s", n, dir)
			require.Equal(t, p, got)
		}
	}
}

// TestDisownedLeader: a leader that has disowned its state takes no command and answers
// nothing, though it leads still.
func TestDisownedLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 1, 0, nil)
		n := c.leader()
		c.set(n, "k", "before")
		_, err := n.group.read(t.Context(), getRegister("k"))
		require.NoError(t, err)
		require.NoError(t, n.group.Disown("it was wrong"))
		last := n.group.Stats().LastLogIndex
		_, err = n.group.proposeAll(t.Context(), [][]byte{mustMarshal(t, setRegister("k", "after"))})
		require.ErrorIs(t, err, errNotLeader)
		_, err = n.group.read(t.Context(), getRegister("k"))
		require.ErrorIs(t, err, errNotLeader)
		require.Equal(t, last, n.group.Stats().LastLogIndex, "an entry was written")
		c.close()
	})
}
