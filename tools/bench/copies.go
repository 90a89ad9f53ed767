package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cairnstore/cairn/tools/load"
)

// copies are parts made of ranges of one large object.
type copies struct {
	objects   // How many parts, of what size, and how many are copied at once.
	from, to  *customerKey
	unaligned bool // The ranges have many lengths and begin at odd places.
}

// sourceParts is of how many parts the object is made that parts are copied from.
const sourceParts = 16

// source makes sure that the target has the large object, encrypted under a key or plain, and returns
// where it lies and what it holds.
func (r *turn) source(ctx context.Context, key *customerKey) (place, load.Value, error) {
	o := r.plan.objects(objects{sourceParts, 64 * mib, 4})
	at := place{key: "source/" + map[bool]string{true: "plain", false: "key"}[key == nil], sse: key}
	whole := r.value(at.key, o.total())
	return at, whole, r.once("the object that parts are copied from, "+key.String(), func() error {
		return r.upload(ctx, at, o.count, o.clients, func(ctx context.Context, upload string, i int) (string, error) {
			return r.client.putPart(ctx, at, upload, i+1, whole.Slice(int64(i)*o.bytes, o.bytes))
		})
	})
}

// upload makes an object of parts while no clock runs.
func (r *turn) upload(ctx context.Context, at place, parts, clients int,
	part func(ctx context.Context, upload string, i int) (etag string, err error),
) error {
	id, err := r.sdk.create(ctx, at, "")
	if err != nil {
		return err
	}
	etags := make([]string, parts)
	_, err = each(ctx, parts, clients, func(ctx context.Context, i int) (err error) {
		etags[i], err = part(ctx, id, i)
		return err
	})
	if err == nil {
		err = r.client.complete(ctx, at, id, etags)
	}
	if err != nil {
		err = errors.Join(err, r.abort(ctx, at, id))
	}
	return err
}

// spans returns the range of the source that each part is made of.
func (r *turn) spans(c copies, whole int64) []span {
	dice, all := r.dice(), make([]span, c.count)
	for i := range all {
		all[i] = span{int64(i) * c.bytes % (whole - c.bytes + 1), c.bytes}
		if c.unaligned {
			n := minPart + dice.Int64N(2*(max(c.bytes, minPart+1)-minPart)) // On average as long as the row says.
			all[i] = span{dice.Int64N(whole - n + 1), n}
		}
	}
	return all
}

func copyParts(name string, c copies, f formula) scenario {
	what := func(p plan) string {
		kind := fmt.Sprintf("%v to %v", c.from, c.to)
		if c.unaligned {
			kind = "unaligned ranges of many lengths"
		}
		return fmt.Sprintf("copy parts, %v, and Complete: %v", kind, p.objects(c.objects))
	}
	return scenario{name, what, f, func(ctx context.Context, r *turn) error {
		c := c
		c.objects = r.plan.objects(c.objects)
		return r.copyParts(ctx, c)
	}}
}

func (r *turn) copyParts(ctx context.Context, c copies) error {
	from, whole, err := r.source(ctx, c.from)
	if err != nil {
		return err
	}
	to, ranges := place{key: "copied/parts", sse: c.to}, r.spans(c, whole.Size())
	var want load.Value
	for _, s := range ranges {
		want = load.Join(want, whole.Slice(s.off, s.n))
	}
	id, err := r.sdk.create(ctx, to, "")
	if err != nil {
		return err
	}
	err = r.measure(ctx, c.clients, func() (w work, err error) {
		etags := make([]string, c.count)
		w.took, err = each(ctx, c.count, c.clients, func(ctx context.Context, i int) (err error) {
			etags[i], err = r.client.copyPart(ctx, from, to, id, i+1, ranges[i])
			return err
		})
		if err != nil {
			return w, err
		}
		began := time.Now()
		err = r.client.complete(ctx, to, id, etags)
		w.bytes, w.ops, w.complete = want.Size(), c.count, time.Since(began)
		return w, err
	})
	if err != nil {
		return errors.Join(err, r.abort(ctx, to, id))
	}
	return errors.Join(r.verifyParts(ctx, to, want, ranges), r.drop(ctx, to))
}

// verifyParts checks an object that was made of parts: its length, the bytes on both sides of some
// borders between parts, and the last bytes. If it is encrypted under a customer's key, it checks that
// the key is needed.
func (r *turn) verifyParts(ctx context.Context, at place, want load.Value, parts []span) error {
	n, err := r.client.size(ctx, at)
	if err != nil {
		return err
	}
	if n != want.Size() {
		return wrong("%s: %d bytes long, %d were put together", at.key, n, want.Size())
	}
	const around = mib
	borders := map[int]bool{}
	for _, i := range r.some(len(parts)) {
		borders[i] = true
	}
	end := int64(0)
	for i, p := range parts {
		end += p.n
		off := min(end-around/2, want.Size()-around)
		if !borders[i] {
			continue
		}
		if err := r.client.get(ctx, at, want, off, around); err != nil {
			return err
		}
	}
	if at.sse == nil {
		return nil
	}
	open := at
	open.sse = nil
	if _, err := r.client.size(ctx, open); err == nil {
		return wrong("%s: answers without the customer's key", at.key)
	}
	return nil
}

func copyObject(name string, o objects) scenario {
	what := func(p plan) string { return "CopyObject, " + p.objects(o).String() }
	return scenario{name, what, referFormula, func(ctx context.Context, r *turn) error {
		const from = "source/object"
		o, key := r.plan.objects(o), numbered("copied/object-")
		err := r.once("the object that is copied", func() error {
			_, err := r.client.put(ctx, place{key: from}, r.value(from, o.bytes))
			return err
		})
		if err != nil {
			return err
		}
		err = r.measure(ctx, o.clients, func() (work, error) {
			took, err := each(ctx, o.count, o.clients, func(ctx context.Context, i int) error {
				return r.client.copyObject(ctx, from, key(i))
			})
			return work{bytes: o.total(), ops: o.count, took: took}, err
		})
		if err == nil {
			off := o.bytes/2 - mib/2 + 1
			err = r.client.get(ctx, place{key: key(o.count - 1)}, r.value(from, o.bytes), off, mib)
		}
		return errors.Join(err, r.empty(ctx, "copied/object-"))
	}}
}

// completeParts measures Complete alone, of parts that were copied while no clock ran. A server that
// copies bytes must have written all of them before.
func completeParts(name string, o objects) scenario {
	what := func(p plan) string {
		o := p.objects(o)
		return fmt.Sprintf("Complete of %d copied parts of %s", o.count, sizeText(o.bytes))
	}
	return scenario{name, what, formula{}, func(ctx context.Context, r *turn) error {
		c := copies{objects: r.plan.objects(o)}
		from, whole, err := r.source(ctx, nil)
		if err != nil {
			return err
		}
		to, ranges := place{key: "completed"}, r.spans(c, whole.Size())
		var want load.Value
		for _, s := range ranges {
			want = load.Join(want, whole.Slice(s.off, s.n))
		}
		id, err := r.sdk.create(ctx, to, "")
		if err != nil {
			return err
		}
		etags := make([]string, c.count)
		_, err = each(ctx, c.count, c.clients, func(ctx context.Context, i int) (err error) {
			etags[i], err = r.client.copyPart(ctx, from, to, id, i+1, ranges[i])
			return err
		})
		if err == nil {
			err = r.measure(ctx, 1, func() (work, error) {
				began := time.Now()
				err := r.client.complete(ctx, to, id, etags)
				took := time.Since(began)
				return work{ops: 1, took: []time.Duration{took}, complete: took}, err
			})
		}
		if err != nil {
			return errors.Join(err, r.abort(ctx, to, id))
		}
		return errors.Join(r.verifyParts(ctx, to, want, ranges), r.drop(ctx, to))
	}}
}
