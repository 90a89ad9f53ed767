package sim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
)

// client does one operation after another on keys of its own, at any node, and remembers what each key
// may hold.
type client struct {
	c    *Cluster
	id   int
	rng  *rand.Rand
	key  *sse.CustomerKey
	keys map[string]*keyState
	err  error
}

// keyState is what a key may hold. may[0] is the value of the last operation that was acknowledged. The
// others are those of operations whose outcome was never known: such an operation may still be on its
// way, and take effect later. Nil stands for no object.
type keyState struct {
	sealed bool
	may    [][]byte
}

func (s *keyState) acked(v []byte) {
	if len(s.may) == 0 {
		s.may = [][]byte{nil}
	}
	s.may[0] = v
}

func (s *keyState) unknown(v []byte) { s.may = append(s.may, v) }

func (s *keyState) allows(got []byte) bool {
	for _, v := range s.may {
		if (v == nil) == (got == nil) && bytes.Equal(v, got) {
			return true
		}
	}
	return false
}

func (s *keyState) String() string {
	out := "one of"
	for _, v := range s.may {
		out += " " + describe(v)
	}
	return out
}

func describe(v []byte) string {
	if v == nil {
		return "nothing"
	}
	sum := sha256.Sum256(v)
	return fmt.Sprintf("%d bytes (%x)", len(v), sum[:4])
}

func newClient(c *Cluster, id int, rng *rand.Rand) *client {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(rng.Uint32())
	}
	return &client{c: c, id: id, rng: rng, key: &sse.CustomerKey{Key: key}, keys: map[string]*keyState{}}
}

// run does the client's operations. It stops at the first wrong answer, which is in err.
func (cl *client) run(ctx context.Context) {
	for i := range opsPerClient {
		if ctx.Err() != nil {
			return
		}
		if cl.err = cl.step(ctx); cl.err != nil {
			cl.err = fmt.Errorf("client %d, operation %d: %w", cl.id, i, cl.err)
			return
		}
		time.Sleep(time.Duration(cl.rng.IntN(1500)) * time.Millisecond)
	}
}

func (cl *client) step(ctx context.Context) error {
	key := fmt.Sprintf("c%d/k%d", cl.id, cl.rng.IntN(6))
	st := cl.keys[key]
	if st == nil {
		st = &keyState{sealed: cl.rng.IntN(2) == 0}
		st.acked(nil)
		cl.keys[key] = st
	}
	m := cl.machine()
	if m == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	switch cl.rng.IntN(6) {
	case 0, 1:
		return cl.put(ctx, m, key, st)
	case 2:
		return cl.read(ctx, m, key, st)
	case 3:
		return cl.remove(ctx, m, key, st)
	default:
		return cl.assemble(ctx, key, st)
	}
}

// machine returns a machine whose node runs now; nil if there is none.
func (cl *client) machine() *Machine {
	up := cl.c.Up()
	if len(up) == 0 {
		return nil
	}
	return up[cl.rng.IntN(len(up))]
}

func (cl *client) value() []byte {
	v := make([]byte, []int{1, 900, 1025, 5000, 70000, extentBytes, extentBytes + 1, 3 * extentBytes}[cl.rng.IntN(8)])
	for i := range v {
		v[i] = byte(cl.rng.Uint32())
	}
	return v
}

func (cl *client) keyOf(sealed bool) *sse.CustomerKey {
	if sealed {
		return cl.key
	}
	return nil
}

// outcome notes a write of v: it was acknowledged or, if there is an error, may still take effect. It
// returns an error if the write got a refusal that no write should get here.
func outcome(st *keyState, v []byte, err error) error {
	var e *s3err.Error
	switch {
	case err == nil:
		st.acked(v)
	case errors.As(err, &e) && (e.Code == s3err.NoSuchKey || e.Code == s3err.NoSuchUpload || e.Code == s3err.BadDigest):
		return fmt.Errorf("a write got a wrong refusal: %w", err)
	default:
		st.unknown(v)
	}
	return nil
}

func (cl *client) put(ctx context.Context, m *Machine, key string, st *keyState) error {
	n := m.Node()
	if n == nil {
		return nil
	}
	v := cl.value()
	_, err := n.Objects().Put(ctx, &object.PutInput{Caller: caller, Bucket: bucket, Key: key,
		Description: object.Description{Attributes: &metapb.Attributes{}, CustomerKey: cl.keyOf(st.sealed)},
		Body:        object.Body{Reader: bytes.NewReader(v), Size: int64(len(v))}})
	return outcome(st, v, err)
}

func (cl *client) remove(ctx context.Context, m *Machine, key string, st *keyState) error {
	n := m.Node()
	if n == nil {
		return nil
	}
	_, err := n.Objects().Delete(ctx, caller, bucket, []*metapb.ObjectName{{Key: key}})
	return outcome(st, nil, err)
}

// read checks a value while faults go on. A node that does not answer is not wrong.
func (cl *client) read(ctx context.Context, m *Machine, key string, st *keyState) error {
	got, err := cl.get(ctx, m, key)
	if err != nil {
		return nil
	}
	if !st.allows(got) {
		return fmt.Errorf("read %s at %s: %s, expected %s", key, m.Name, describe(got), st)
	}
	return nil
}

// get returns the bytes of a key; nil if there is no such object.
func (cl *client) get(ctx context.Context, m *Machine, key string) ([]byte, error) {
	n := m.Node()
	if n == nil {
		return nil, errors.New("the node is down")
	}
	return fetch(ctx, n.Objects(), key, cl.keyOf(cl.keys[key].sealed))
}

// fetch returns the bytes of an object; nil if there is no such object.
func fetch(ctx context.Context, o *object.Service, key string, sse *sse.CustomerKey) ([]byte, error) {
	got, err := o.Get(ctx, &object.GetInput{Caller: caller, Bucket: bucket, Key: key,
		Range: object.Range{Kind: metapb.RangeKind_RANGE_ALL}, CustomerKey: sse})
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	buf := bytes.NewBuffer([]byte{})
	if _, err := got.WriteTo(ctx, buf); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// assemble makes an object of ranges of others and of fresh bytes. It retries each request at other
// nodes, as a client would.
func (cl *client) assemble(ctx context.Context, key string, st *keyState) error {
	up := &object.UploadInput{Caller: caller, Bucket: bucket, Key: key,
		Description: object.Description{Attributes: &metapb.Attributes{}, CustomerKey: cl.keyOf(st.sealed)}}
	var id string
	if !cl.retry(ctx, func(n *object.Service) (err error) { id, err = n.CreateUpload(ctx, up); return err }) {
		return nil
	}
	var v []byte
	var parts []object.CompletePart
	for number := 1; number <= 1+cl.rng.IntN(3); number++ {
		piece, etag, ok := cl.part(ctx, key, id, number, st)
		if !ok {
			return nil // The upload stays open, and nobody completes it.
		}
		v = append(v, piece...)
		parts = append(parts, object.CompletePart{Number: number, ETag: etag})
	}
	tried := false
	ok := cl.retry(ctx, func(n *object.Service) error {
		tried = true
		_, err := n.Complete(ctx, &object.CompleteInput{Caller: caller, Bucket: bucket, Key: key, UploadID: id, Parts: parts})
		return err
	})
	switch {
	case ok:
		st.acked(v)
	case tried:
		st.unknown(v)
	}
	return nil
}

// part makes a part of a range of another object of this client, if there is one whose value is
// certain, or of fresh bytes. It returns what the part holds.
func (cl *client) part(ctx context.Context, key, id string, number int, st *keyState) (v []byte, etag string, ok bool) {
	if src := cl.certain(); src != "" && cl.rng.IntN(3) > 0 {
		from := cl.keys[src]
		whole := from.may[0]
		first := cl.rng.IntN(len(whole))
		last := first + cl.rng.IntN(len(whole)-first)
		ok = cl.retry(ctx, func(n *object.Service) error {
			job, err := n.CopyPart(ctx, &object.CopyPartInput{Caller: caller, Bucket: bucket, Key: key, UploadID: id, PartNumber: number,
				CustomerKey: cl.keyOf(st.sealed), Source: object.CopySource{Bucket: bucket, Key: src, CustomerKey: cl.keyOf(from.sealed),
					Range: &object.Range{Kind: metapb.RangeKind_RANGE_FIRST_LAST, First: uint64(first), Last: uint64(last)}}})
			if err != nil {
				return err
			}
			defer job.Close()
			term := cl.c.term()
			done, err := job.Run(ctx)
			if cl.c.term() != term {
				_, _ = fmt.Fprintln(cl.c.log, leaderLeftACopy)
			}
			if err == nil {
				etag = done.ETag
			}
			return err
		})
		return whole[first : last+1], etag, ok
	}
	v = cl.value()
	ok = cl.retry(ctx, func(n *object.Service) error {
		p, err := n.PutPart(ctx, &object.PartInput{Caller: caller, Bucket: bucket, Key: key, UploadID: id, PartNumber: number,
			CustomerKey: cl.keyOf(st.sealed), Body: object.Body{Reader: io.Reader(bytes.NewReader(v)), Size: int64(len(v))}})
		if err == nil {
			etag = p.Etag
		}
		return err
	})
	return v, etag, ok
}

// certain returns a key of which it is certain what it holds, and that this is not empty; "" if there
// is none.
func (cl *client) certain() string {
	for i := range 6 {
		key := fmt.Sprintf("c%d/k%d", cl.id, i)
		if st := cl.keys[key]; st != nil && len(st.may) == 1 && len(st.may[0]) > 0 {
			return key
		}
	}
	return ""
}

// retry repeats a request, at random nodes, until one accepts it (true) or ctx ends.
func (cl *client) retry(ctx context.Context, do func(*object.Service) error) bool {
	for ctx.Err() == nil {
		if m := cl.machine(); m != nil {
			if n := m.Node(); n != nil && do(n.Objects()) == nil {
				return true
			}
		}
		time.Sleep(200 * time.Millisecond)
	}
	return false
}
