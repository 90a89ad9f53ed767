package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/linear"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// TestLinearizable runs clients at different nodes on few keys, while leaders are killed and cut off.
// Porcupine judges what they saw: every key must behave as one register, whichever nodes the requests
// went to.
func TestLinearizable(t *testing.T) {
	eachSeed(t, 6, 2000, func(ctx context.Context, seed uint64, nodes int, log *Log) error {
		h := linear.NewHistory()
		if err := recordHistory(ctx, seed, nodes, log, h); err != nil {
			return err
		}
		return h.Check()
	})
}

const (
	registers     = 3
	registerUsers = 4
	registerOps   = 60
)

// recordHistory is one run, whose operations it adds to h.
func recordHistory(ctx context.Context, seed uint64, nodes int, log *Log, h *linear.History) error {
	c, err := form(ctx, seed, nodes, log)
	defer c.Stop()
	if err != nil {
		return err
	}
	n, err := newNemesis(ctx, c, log.Trace)
	if err != nil {
		return err
	}
	busy, rest := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for i := range registerUsers {
		u := &registerUser{c: c, h: h, id: i, rng: rand.New(rand.NewPCG(seed, uint64(200+i)))}
		wg.Go(func() { u.run(busy) })
	}
	n.kinds = electionBlows()
	err = n.run(ctx, 5)
	rest()
	wg.Wait()
	return err
}

// electionBlows returns the blows after which another node may lead.
func electionBlows() (out []blow) {
	for _, b := range blows() {
		switch b.name {
		case "power cut of the leader", "partition of the leader", "flapping links", "power cut at a sync", "hanging log", "slow network":
			out = append(out, b)
		}
	}
	return out
}

// registerUser does one operation after another on the registers.
type registerUser struct {
	c   *Cluster
	h   *linear.History
	id  int
	rng *rand.Rand
	seq int
}

func (u *registerUser) run(ctx context.Context) {
	for range registerOps {
		if ctx.Err() != nil {
			return
		}
		if up := u.c.Up(); len(up) > 0 {
			if n := up[u.rng.IntN(len(up))].Node(); n != nil {
				u.step(n.Objects())
			}
		}
		time.Sleep(time.Duration(u.rng.IntN(2000)) * time.Millisecond)
	}
}

func (u *registerUser) key() string { return "r" + strconv.Itoa(u.rng.IntN(registers)) }

// value returns a value that nobody else writes. It is small, or so large that it lies in extents.
func (u *registerUser) value() string {
	u.seq++
	tag := fmt.Sprintf("%d.%d", u.id, u.seq)
	if u.rng.IntN(2) == 0 {
		return tag
	}
	return tag + string(bytes.Repeat([]byte{'.'}, 3000))
}

// short returns a value without its padding.
func short(v []byte) string { return string(bytes.TrimRight(v, ".")) }

// step does one operation. The end of the run does not cut it off, because its outcome counts.
func (u *registerUser) step(o *object.Service) {
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	key := u.key()
	switch u.rng.IntN(8) {
	case 0, 1, 2:
		u.read(ctx, o, key)
	case 3:
		u.write(ctx, o, key, nil)
	case 4:
		u.write(ctx, o, key, &metapb.Conditions{IfNoneMatch: "*"})
	case 5:
		call := u.h.Now()
		_, err := o.Delete(ctx, caller, bucket, []*metapb.ObjectName{{Key: key}})
		u.h.Add(u.id, linear.Operation{Key: key, Kind: linear.Write}, call, err == nil)
	case 6:
		u.copy(ctx, o, u.key(), key)
	case 7:
		u.assemble(ctx, o, key)
	}
}

func (u *registerUser) read(ctx context.Context, o *object.Service, key string) {
	call := u.h.Now()
	if v, err := fetch(ctx, o, key, nil); err == nil {
		u.h.Add(u.id, linear.Operation{Key: key, Kind: linear.Read, Value: short(v)}, call, true)
	}
}

func (u *registerUser) write(ctx context.Context, o *object.Service, key string, c *metapb.Conditions) {
	v, call := u.value(), u.h.Now()
	op := linear.Operation{Key: key, Kind: linear.Write, Value: short([]byte(v))}
	if c != nil {
		op.Kind = linear.Fill
	}
	_, err := o.Put(ctx, &object.PutInput{Caller: caller, Bucket: bucket, Key: key,
		Description: object.Description{Attributes: &metapb.Attributes{}},
		Body:        object.Body{Reader: bytes.NewReader([]byte(v)), Size: int64(len(v))}, Conditions: c})
	var s3 *s3err.Error
	if errors.As(err, &s3) && s3.Code == s3err.PreconditionFailed {
		u.h.Add(u.id, linear.Operation{Key: key, Kind: linear.Declined, Value: op.Value}, call, true)
		return
	}
	if err != nil && op.Kind == linear.Fill {
		op.Kind = linear.MayFill
	}
	u.h.Add(u.id, op, call, err == nil)
}

// copy makes one register hold what another held at some time meanwhile. Only later reads tell what
// that was.
func (u *registerUser) copy(ctx context.Context, o *object.Service, from, to string) {
	if from == to {
		return
	}
	call := u.h.Now()
	job, err := o.Copy(ctx, &object.CopyInput{Caller: caller, Bucket: bucket, Key: to,
		Description: object.Description{Attributes: &metapb.Attributes{}}, ReplaceAttributes: true,
		Source: object.CopySource{Bucket: bucket, Key: from}})
	if err != nil {
		return // Nothing was written.
	}
	defer job.Close()
	_, err = job.Run(ctx)
	u.h.Add(u.id, linear.Operation{Key: to, Kind: linear.Copy}, call, err == nil)
}

// assemble writes a value by an upload of one part. It repeats Complete until it is answered, as
// clients do: the repeats must have no second effect.
func (u *registerUser) assemble(ctx context.Context, o *object.Service, key string) {
	id, err := o.CreateUpload(ctx, &object.UploadInput{Caller: caller, Bucket: bucket, Key: key, Description: object.Description{Attributes: &metapb.Attributes{}}})
	if err != nil {
		return
	}
	v := u.value()
	p, err := o.PutPart(ctx, &object.PartInput{Caller: caller, Bucket: bucket, Key: key, UploadID: id, PartNumber: 1,
		Body: object.Body{Reader: bytes.NewReader([]byte(v)), Size: int64(len(v))}})
	if err != nil {
		return
	}
	call := u.h.Now()
	for err = errors.New("not tried"); err != nil && ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		if up := u.c.Up(); len(up) > 0 {
			if n := up[u.rng.IntN(len(up))].Node(); n != nil {
				_, err = n.Objects().Complete(ctx, &object.CompleteInput{Caller: caller, Bucket: bucket, Key: key, UploadID: id,
					Parts: []object.CompletePart{{Number: 1, ETag: p.Etag}}})
			}
		}
	}
	u.h.Add(u.id, linear.Operation{Key: key, Kind: linear.Write, Value: short([]byte(v))}, call, err == nil)
}

// eachSeed runs a simulation for some seeds (see seeds), each in a bubble of its own. Even seeds run
// three nodes, odd ones six.
func eachSeed(t *testing.T, few, many int, run func(ctx context.Context, seed uint64, nodes int, log *Log) error) {
	mustReach(t)
	first, count := seeds(t, few, many)
	for i := range count {
		seed := first + uint64(i)
		nodes := []int{3, 6}[seed%2]
		t.Run(fmt.Sprintf("seed=%d/nodes=%d", seed, nodes), func(t *testing.T) {
			t.Parallel()
			log := watched(t)
			synctest.Test(t, func(t *testing.T) {
				if err := run(t.Context(), seed, nodes, log); err != nil {
					fail(t, seed, log, err)
				}
			})
		})
	}
}
