package accesslog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

const dir = "access-log"

// place is where lines are delivered, and what a log reported.
type place struct {
	mu        sync.Mutex
	away      map[string]bool // Targets that do not take anything.
	objects   []string        // TARGET BUCKET: lines, each of which ends with a semicolon.
	tries     []time.Time     // Of targets in away.
	delivered int
	dropped   int
	waiting   int64
	trouble   []string
}

func (p *place) write(_ context.Context, s Stream, lines []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away[s.Target] {
		p.tries = append(p.tries, time.Now())
		return errors.New("away")
	}
	p.objects = append(p.objects, s.Target+" "+s.Bucket+": "+strings.ReplaceAll(string(lines), "\n", ";"))
	return nil
}

func (p *place) events() Events {
	return Events{
		Delivered: func(n int) { p.mu.Lock(); defer p.mu.Unlock(); p.delivered += n },
		Waiting:   func(n int64) { p.mu.Lock(); defer p.mu.Unlock(); p.waiting = n },
		Dropped:   func(n int) { p.mu.Lock(); defer p.mu.Unlock(); p.dropped += n },
		Trouble: func(n int, cause error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.trouble = append(p.trouble, fmt.Sprintf("%d: %v", n, cause))
		},
	}
}

// told returns what was reported of lines.
func (p *place) told() (delivered, dropped int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delivered, p.dropped
}

func (p *place) waits() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting
}

func (p *place) set(target string, away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = map[string]bool{target: away}
}

func (p *place) open(t *testing.T, fs vfs.FS, more ...func(*Config)) *Log {
	c := Config{FS: fs, Dir: dir, Every: time.Minute, Write: p.write, Events: p.events()}
	for _, m := range more {
		m(&c)
	}
	l, err := Open(c)
	require.NoError(t, err)
	return l
}

func stream(bucket, target string) Stream { return Stream{Bucket: bucket, Target: target, Owner: "o"} }

// files are the files of the log.
func files(t *testing.T, fs vfs.FS) []string {
	names, err := fs.List(dir)
	require.NoError(t, err)
	return names
}

// Lines of one stream become one object, in order, when their time has come and not before. Then
// nothing of them is left on disk.
func TestDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, p := vfs.NewMem(), &place{}
		l := p.open(t, fs)
		require.NoError(t, l.Deliver(t.Context()))
		_, err := fs.List(dir)
		require.Error(t, err, "nothing was logged, nothing is made")
		for i := range 3 {
			l.Add(stream("a", "x"), fmt.Appendf(nil, "a%d\n", i))
			l.Add(stream("b", "x"), fmt.Appendf(nil, "b%d\n", i))
			time.Sleep(2 * spillEvery)
		}
		require.NoError(t, l.Deliver(t.Context()))
		require.Empty(t, p.objects, "a minute is not over")
		segments, _, why := l.Late()
		require.Zero(t, segments)
		require.NoError(t, why)
		require.NotZero(t, p.waits())

		time.Sleep(time.Minute)
		require.NoError(t, l.Deliver(t.Context()))
		require.ElementsMatch(t, []string{"x a: a0;a1;a2;", "x b: b0;b1;b2;"}, p.objects)
		require.Empty(t, files(t, fs))
		require.Zero(t, p.waits())
		delivered, dropped := p.told()
		require.Equal(t, 6, delivered)
		require.Zero(t, dropped)
		require.NoError(t, l.Close())
	})
}

// A segment that has grown is delivered before its time.
func TestLargeSegments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{}
		l := p.open(t, vfs.NewMem(), func(c *Config) { c.Every = time.Hour })
		line := []byte(strings.Repeat("x", 1<<20-1) + "\n")
		for range segmentBytes / len(line) {
			l.Add(stream("a", "x"), line)
			synctest.Wait() // It is written at once: there is much.
		}
		require.NoError(t, l.Deliver(t.Context()))
		require.Len(t, p.objects, 1)
		require.NoError(t, l.Close())
	})
}

// What a node logged outlives it: a clean stop loses nothing, a crash the lines of the last second.
func TestRestart(t *testing.T) {
	for _, clean := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			fs, p := vfs.NewCrashableMem(), &place{}
			l := p.open(t, fs)
			l.Add(stream("a", "x"), []byte("early\n"))
			time.Sleep(2 * spillEvery)
			l.Add(stream("a", "x"), []byte("late\n"))
			want := "x a: early;"
			if clean {
				require.NoError(t, l.Close())
				want = "x a: early;late;"
			}
			// What a killed process has written stays with the operating system.
			next := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 2))})
			again := p.open(t, next)
			again.Add(stream("a", "x"), []byte("new\n"))
			require.NoError(t, again.Deliver(t.Context()), "what an earlier node left is due")
			require.Equal(t, []string{want}, p.objects)
			time.Sleep(2 * time.Minute)
			require.NoError(t, again.Deliver(t.Context()))
			require.Equal(t, []string{want, "x a: new;"}, p.objects)
			require.NoError(t, again.Close())
			require.NoError(t, l.Close())
		})
	}
}

// A stream that cannot be delivered is tried less and less often and does not hold up others. What
// is left of its segment survives a restart, and is given up after a day.
func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, p := vfs.NewMem(), &place{}
		p.set("gone", true)
		l := p.open(t, fs)
		l.Add(stream("a", "gone"), []byte("1\n"))
		l.Add(stream("b", "x"), []byte("2\n"))
		l.Add(stream("a", "gone"), []byte("3\n"))
		time.Sleep(2 * time.Minute)
		require.NoError(t, l.Deliver(t.Context()))
		segments, bytes, why := l.Late()
		require.Equal(t, 1, segments)
		require.Equal(t, bytes, p.waits())
		require.ErrorContains(t, why, "access logs of bucket a for gone: away")
		require.Equal(t, []string{"x b: 2;"}, p.objects)
		for range 60 {
			time.Sleep(retryMin)
			require.NoError(t, l.Deliver(t.Context()))
		}
		require.Len(t, p.tries, 6, "5, 10, 20, 40, 80, 160 seconds after one another")
		require.Equal(t, []string{"x b: 2;"}, p.objects, "nothing comes twice")
		require.NoError(t, l.Close())

		p.set("gone", false)
		l = p.open(t, fs)
		require.NoError(t, l.Deliver(t.Context()))
		require.Equal(t, []string{"x b: 2;", "gone a: 1;3;"}, p.objects)
		require.Empty(t, files(t, fs))

		p.set("gone", true)
		l.Add(stream("a", "gone"), []byte("4\n"))
		time.Sleep(2 * time.Minute)
		require.NoError(t, l.Deliver(t.Context()))
		require.Len(t, files(t, fs), 1)
		time.Sleep(maxAge)
		require.NoError(t, l.Deliver(t.Context()))
		require.Empty(t, files(t, fs))
		segments, _, why = l.Late()
		require.Zero(t, segments)
		require.NoError(t, why)
		_, dropped := p.told()
		require.Equal(t, 1, dropped)
		require.Equal(t, []string{"1: " + errAge.Error()}, p.trouble)
		require.NoError(t, l.Close())
	})
}

// Lines that find no room, in memory or on disk, are dropped, counted and reported.
func TestNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{}
		l := p.open(t, vfs.NewMem(), func(c *Config) { c.SpoolBytes = 1000 })
		for range 100 {
			l.Add(stream("a", "x"), []byte(strings.Repeat("x", 99)+"\n")) // More than the disk takes.
		}
		time.Sleep(2 * spillEvery)
		_, dropped := p.told()
		require.Equal(t, 100, dropped, "a chunk is written whole or not")
		l.Add(stream("a", "x"), []byte("small\n"))
		time.Sleep(2 * time.Minute)
		require.NoError(t, l.Deliver(t.Context()))
		require.Equal(t, []string{"x a: small;"}, p.objects)
		require.Equal(t, []string{"100: " + errSpool.Error()}, p.trouble)

		// Lines that are not written to disk are bounded too.
		l.Add(stream("a", "x"), make([]byte, pendingBytes+1))
		_, dropped = p.told()
		require.Equal(t, 101, dropped)
		require.NoError(t, l.Close())
	})
}

// A bucket whose lines cannot be delivered leaves half of the space to the others.
func TestShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{}
		p.set("gone", true)
		l := p.open(t, vfs.NewMem(), func(c *Config) { c.SpoolBytes = 10_000 })
		line := []byte(strings.Repeat("x", 499) + "\n")
		for range 60 {
			l.Add(stream("a", "gone"), line)
			l.Add(stream("b", "x"), line)
			time.Sleep(time.Minute)
			require.NoError(t, l.Deliver(t.Context()))
		}
		delivered, dropped := p.told()
		require.Equal(t, 60, delivered)
		require.Less(t, p.waits(), int64(7000))
		require.Greater(t, dropped, 40)
		require.Equal(t, []string{"1: " + errShare.Error()}, p.trouble[:1])

		p.set("gone", false)
		time.Sleep(retryMax)
		require.NoError(t, l.Deliver(t.Context()))
		l.Add(stream("a", "gone"), line)
		time.Sleep(time.Minute + spillEvery)
		require.NoError(t, l.Deliver(t.Context()))
		delivered, lost := p.told()
		require.Equal(t, dropped, lost)
		require.Equal(t, 121-dropped, delivered)
		require.Zero(t, p.waits())
		require.NoError(t, l.Close())
	})
}

// countingFS counts files that are opened for reading.
type countingFS struct {
	vfs.FS
	opened int
}

func (f *countingFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f.opened++
	return f.FS.Open(name, opts...)
}

// A segment is not read before something in it is to be tried.
func TestResting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, p := &countingFS{FS: vfs.NewMem()}, &place{}
		p.set("gone", true)
		l := p.open(t, fs)
		for range 3 {
			l.Add(stream("a", "gone"), []byte("1\n"))
			time.Sleep(2 * time.Minute)
			require.NoError(t, l.Deliver(t.Context()))
		}
		for range 10 {
			time.Sleep(retryMax)
			require.NoError(t, l.Deliver(t.Context()))
		}
		before := fs.opened
		for range 50 {
			time.Sleep(5 * time.Second)
			require.NoError(t, l.Deliver(t.Context()))
		}
		require.Equal(t, before, fs.opened)
		time.Sleep(retryMax)
		require.NoError(t, l.Deliver(t.Context()))
		require.Equal(t, before+3, fs.opened)
		require.NoError(t, l.Close())
	})
}

// A segment that is damaged, or cut short, is delivered up to there.
func TestDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, damage := range []func([]byte) []byte{
			func(raw []byte) []byte { return raw[:len(raw)-1] },
			func(raw []byte) []byte { raw[len(raw)-1] ^= 1; return raw },
			func(raw []byte) []byte { return append(raw, 1, 2, 3) },
		} {
			fs, p := vfs.NewMem(), &place{}
			l := p.open(t, fs)
			l.Add(stream("a", "x"), []byte("1\n"))
			time.Sleep(2 * spillEvery)
			l.Add(stream("b", "x"), []byte("2\n"))
			require.NoError(t, l.Close())
			name := fs.PathJoin(dir, files(t, fs)[0])
			raw := damage(contents(t, fs, name))
			require.NoError(t, fs.Remove(name))
			put(t, fs, name, raw)
			put(t, fs, fs.PathJoin(dir, "0000000000000009"+newSuffix), []byte("half"))

			l = p.open(t, fs)
			require.NoError(t, l.Deliver(t.Context()))
			require.Equal(t, "x a: 1;", p.objects[0])
			require.Empty(t, files(t, fs))
			_, dropped := p.told()
			require.Equal(t, 1, dropped)
			require.NoError(t, l.Close())
		}
	})
}

func contents(t *testing.T, fs vfs.FS, name string) []byte {
	f, err := fs.Open(name)
	require.NoError(t, err)
	raw, err := io.ReadAll(f)
	require.NoError(t, errors.Join(err, f.Close()))
	return raw
}

func put(t *testing.T, fs vfs.FS, name string, raw []byte) {
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	_, err = f.Write(raw)
	require.NoError(t, errors.Join(err, f.Close()))
}

// If Deliver is stopped between two objects, nothing counts as failed.
func TestStopWhileDelivering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p := &place{}
		l := p.open(t, vfs.NewMem(), func(c *Config) {
			c.Write = func(ctx context.Context, s Stream, lines []byte) error {
				defer cancel()
				return p.write(ctx, s, lines)
			}
		})
		l.Add(stream("a", "x"), []byte("1\n"))
		time.Sleep(2 * spillEvery)
		l.Add(stream("b", "x"), []byte("2\n"))
		time.Sleep(2 * time.Minute)
		require.NoError(t, l.Deliver(ctx))
		require.Equal(t, []string{"x a: 1;"}, p.objects)
		require.NoError(t, l.Deliver(t.Context()))
		require.Equal(t, []string{"x a: 1;", "x b: 2;"}, p.objects)
		require.NoError(t, l.Close())
	})
}

// Requests may log while lines are written and delivered.
func TestConcurrently(t *testing.T) {
	p := &place{}
	l := p.open(t, vfs.NewMem(), func(c *Config) { c.Every = time.Millisecond })
	const writers, each = 4, 500
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for range each {
				l.Add(stream(fmt.Sprint(i), "x"), []byte(strings.Repeat("x", 1000)+"\n"))
			}
		})
	}
	ended := make(chan struct{})
	go func() { wg.Wait(); close(ended) }()
	for delivering := true; delivering; {
		select {
		case <-ended:
			delivering = false
		default:
		}
		require.NoError(t, l.Deliver(t.Context()))
	}
	require.NoError(t, l.Close())
	require.NoError(t, l.Deliver(t.Context()), "what Close wrote is due")
	delivered, dropped := p.told()
	require.Equal(t, writers*each, delivered+dropped)
	require.Zero(t, dropped)
}
