package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/proof"
	"github.com/cairnstore/cairn/s3api/sse"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/stripe"
)

// spoiler is an Engine whose readers change the first byte that they read, behind all
// checks of blocks, as often as it is told to.
type spoiler struct {
	Engine
	left atomic.Int64
}

func (s *spoiler) NewReader(ctx context.Context, r stripe.ReadRequest) io.ReadCloser {
	rc := s.Engine.NewReader(ctx, r)
	if s.left.Add(-1) < 0 {
		return rc
	}
	return &spoilt{ReadCloser: rc}
}

type spoilt struct {
	io.ReadCloser
	done bool
}

func (s *spoilt) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if n > 0 && !s.done {
		p[0] ^= 1
		s.done = true
	}
	return n, err
}

// spoilt returns a service like w's whose first reads are spoilt, and how often it has
// told of it.
func (w *world) spoiling(reads int64) (*Service, *atomic.Int64) {
	told := new(atomic.Int64)
	s := &spoiler{Engine: w.engine}
	s.left.Store(reads)
	return New(Deps{Meta: w.meta, Topology: w.meta, Engine: s, Alive: w.alive, Budget: w.budget}, w.cfg,
		Events{WrongSum: func([]byte, shard.ExtentID) { told.Add(1) }}), told
}

// TestWrongPlaintextIsNeverSentWhole: bytes that pass every check of their blocks, and
// are not those of their extent, end the read before its last byte.
func TestWrongPlaintextIsNeverSentWhole(t *testing.T) {
	w := newWorld(t, setup{})
	for _, k := range []*sse.CustomerKey{nil, testKey('1')} {
		w.put("one", contentOf(50_000, 1), k)
		w.put("several", contentOf(3*testExtent+100, 2), k)
		w.multipart("parts", k, contentOf(testExtent, 3), contentOf(2*testExtent+9, 4))
		for _, tc := range []struct {
			key string
			r   Range
		}{
			{"one", Range{}}, {"several", Range{}}, {"parts", Range{}}, {"parts", Range{Kind: metapb.RangeKind_RANGE_PART, Part: 2}},
			{"several", *fromTo(0, 2*testExtent+5)}, // Its first extents are whole.
		} {
			s, told := w.spoiling(1)
			g, err := s.Get(t.Context(), &GetInput{Caller: alice, Bucket: testBucket, Key: tc.key, CustomerKey: k, Range: tc.r})
			require.NoError(t, err)
			var out bytes.Buffer
			n, err := g.WriteTo(t.Context(), &out)
			require.ErrorIs(t, err, proof.ErrWrong, "%s %v", tc.key, tc.r.Kind)
			require.Equal(t, errs.Corrupt, errs.KindOf(err))
			require.Less(t, n, int64(g.Length))
			require.EqualValues(t, out.Len(), n)
			require.EqualValues(t, 1, told.Load())
			noSecrets(t, err)
		}
	}
}

// swapping is a metadata client that tells the first two pieces of everything in the
// wrong order.
type swapping struct{ meta.Client }

func (s swapping) Read(ctx context.Context, q *metapb.Query) (*metapb.Answer, error) {
	a, err := s.Client.Read(ctx, q)
	if p := a.GetObject().GetContent().GetPieces(); len(p) > 1 {
		a = proto.CloneOf(a)
		p = a.Object.Content.Pieces
		p[0], p[1] = p[1], p[0]
	}
	return a, err
}

// TestWrongPlacesAreNoticed: every piece is what its own record says, but it is not
// where it belongs: what is recorded of the whole, or of the part, tells.
func TestWrongPlacesAreNoticed(t *testing.T) {
	w := newWorld(t, setup{})
	b := contentOf(3*testExtent, 1)
	w.put("k", b, nil)
	w.multipart("parts", nil, contentOf(3*testExtent, 3), contentOf(9, 4))
	s := New(Deps{Meta: swapping{w.meta}, Topology: w.meta, Engine: w.engine, Budget: w.budget}, w.cfg, Events{})
	for _, tc := range []GetInput{{Key: "k"}, {Key: "parts"}, {Key: "parts", Range: Range{Kind: metapb.RangeKind_RANGE_PART, Part: 1}}} {
		tc.Caller, tc.Bucket = alice, testBucket
		g, err := s.Get(t.Context(), &tc)
		require.NoError(t, err)
		n, err := g.WriteTo(t.Context(), io.Discard)
		require.ErrorIs(t, err, proof.ErrWrong)
		require.Less(t, n, int64(g.Length))
	}
	c, err := s.Copy(t.Context(), &CopyInput{Caller: alice, Source: CopySource{Bucket: testBucket, Key: "k"}, Bucket: testBucket, Key: "dst",
		Description: Description{CustomerKey: testKey('1')}})
	require.NoError(t, err)
	_, err = c.Run(t.Context())
	c.Close()
	require.ErrorIs(t, err, proof.ErrWrong)
	require.Zero(t, w.orphans())
}

// TestWrongCopyIsNotCommitted: a copy that read wrong bytes is made again, and where
// they stay wrong there is none, and nothing is left of it.
func TestWrongCopyIsNotCommitted(t *testing.T) {
	for _, algorithm := range []string{"", "SHA256"} { // In tasks, and as one stream.
		for _, size := range []int{50_000, 3*testExtent + 100} {
			for _, times := range []int64{1, 1 << 40} {
				t.Run(fmt.Sprintf("%s/%d/%d", algorithm, size, times), func(t *testing.T) {
					w := newWorld(t, setup{})
					b := contentOf(size, 1)
					w.put("src", b, nil)
					s, told := w.spoiling(times)
					c, err := s.Copy(t.Context(), &CopyInput{Caller: alice, Source: CopySource{Bucket: testBucket, Key: "src"}, Bucket: testBucket,
						Key: "dst", Description: Description{CustomerKey: testKey('1')}, Digest: Digest{Algorithm: algorithm}})
					require.NoError(t, err)
					defer c.Close()
					_, err = c.Run(t.Context())
					require.Positive(t, told.Load())
					require.Zero(t, w.orphans())
					if times == 1 {
						require.NoError(t, err)
						w.same(b, "dst", testKey('1'))
						return
					}
					require.ErrorIs(t, err, proof.ErrWrong)
					_, err = w.Get(t.Context(), &GetInput{Caller: alice, Bucket: testBucket, Key: "dst", Head: true})
					require.Error(t, err)
				})
			}
		}
	}
}

// TestPageOfAnother: a page that does not continue the content is used by nobody.
func TestPageOfAnother(t *testing.T) {
	w := newWorld(t, setup{config: Config{ExtentMaxBytes: crumb}})
	w.put("k", contentOf(10*crumb, 1), nil)
	for name, change := range map[string]func(*metapb.ContentAnswer){
		"another content": func(a *metapb.ContentAnswer) { a.ContentId = newID() },
		"another place":   func(a *metapb.ContentAnswer) { a.Offset += crumb },
		"another size":    func(a *metapb.ContentAnswer) { a.ContentSize -= crumb },
		"a piece is lost": func(a *metapb.ContentAnswer) { a.Pieces = a.Pieces[1:] },
		"and its length":  func(a *metapb.ContentAnswer) { a.Pieces, a.Length = a.Pieces[1:], a.Length-crumb; a.Offset += crumb },
	} {
		g, err := w.Get(t.Context(), &GetInput{Caller: alice, Bucket: testBucket, Key: "k"})
		require.NoError(t, err)
		c := g.content
		change(c.page)
		c.paged = c.page.Length
		var out bytes.Buffer
		_, err = g.WriteTo(t.Context(), &out)
		require.Error(t, err, name)
		require.Empty(t, out.Bytes(), name)
	}
}

// TestReadGoesOnWithItsProof: a read that begins again in the middle of an extent is
// compared as a whole.
func TestReadGoesOnWithItsProof(t *testing.T) {
	w := newWorld(t, setup{})
	b := contentOf(2*testExtent, 1)
	w.put("k", b, nil)
	for _, wrong := range []bool{false, true} {
		g, err := w.Get(t.Context(), &GetInput{Caller: alice, Bucket: testBucket, Key: "k"})
		require.NoError(t, err)
		c := g.content
		c.s = New(Deps{Meta: w.meta, Topology: w.meta, Engine: &halting{Engine: w.engine, wrong: wrong}, Budget: w.budget}, w.cfg, Events{})
		var out bytes.Buffer
		_, err = g.WriteTo(t.Context(), &out)
		if wrong {
			require.ErrorIs(t, err, proof.ErrWrong)
			continue
		}
		require.NoError(t, err)
		require.True(t, bytes.Equal(b, out.Bytes()))
	}
}

// halting is an Engine whose first reader fails in the middle of its extent, as if it
// had been moved; before that, it may have been wrong.
type halting struct {
	Engine
	wrong, halted bool
}

func (h *halting) NewReader(ctx context.Context, r stripe.ReadRequest) io.ReadCloser {
	rc := h.Engine.NewReader(ctx, r)
	if h.halted {
		return rc
	}
	h.halted = true
	half := io.MultiReader(io.LimitReader(rc, testExtent/2), elsewhere{})
	return &spoilt{ReadCloser: struct {
		io.Reader
		io.Closer
	}{half, rc}, done: !h.wrong}
}

type elsewhere struct{}

func (elsewhere) Read([]byte) (int, error) {
	return 0, errs.New("test", errs.Unavailable, errors.New("the extent is elsewhere"))
}

// BenchmarkProof reads an object that is one extent, once whole, which compares it with
// its record, and once but for its last byte, which cannot. The cost is their ratio.
func BenchmarkProof(b *testing.B) {
	const size = 8 << 20
	w := newWorld(b, setup{config: Config{ExtentMaxBytes: size}})
	w.put("k", contentOf(size, 1), nil)
	read := func(r Range) float64 {
		g, err := w.Get(context.Background(), &GetInput{Caller: alice, Bucket: testBucket, Key: "k", Range: r})
		if err == nil {
			start := cpu()
			_, err = g.WriteTo(context.Background(), io.Discard)
			if err == nil {
				return cpu() - start
			}
		}
		b.Error(err)
		return 0
	}
	var whole, short float64
	b.SetBytes(2 * size)
	for b.Loop() {
		short += read(*fromTo(0, size-2))
		whole += read(Range{})
	}
	b.ReportMetric(whole/short, "whole/short")
	b.ReportMetric(1e9*(whole-short)/float64(b.N)/size, "ns/byte")
}
