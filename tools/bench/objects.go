package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// numbered returns the keys of numbered objects.
func numbered(prefix string) func(i int) string {
	return func(i int) string { return fmt.Sprintf("%s%06d", prefix, i) }
}

// sampled is how many objects are read whole after a row has written many.
const sampled = 4

// some returns a few of n numbers: the last one, and others that change with the round.
func (r *turn) some(n int) []int {
	all := []int{n - 1}
	for i := range min(sampled, n) - 1 {
		all = append(all, (r.round+i*n/sampled)%n)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// write puts objects. Each holds what the plan gives its key.
func (r *turn) write(ctx context.Context, o objects, key func(int) string) (work, error) {
	took, err := each(ctx, o.count, o.clients, func(ctx context.Context, i int) error {
		_, err := r.client.put(ctx, place{key: key(i)}, r.value(key(i), o.bytes))
		return err
	})
	return work{bytes: o.total(), ops: o.count, took: took}, err
}

// read gets a whole object and compares it with what was written.
func (r *turn) read(ctx context.Context, key string, bytes int64) error {
	return r.client.get(ctx, place{key: key}, r.value(key, bytes), 0, bytes)
}

// cleaners is how many clients at once prepare and remove.
const cleaners = 8

// fixture makes sure that the target has the objects that rows of this size read, and returns their
// keys.
func (r *turn) fixture(ctx context.Context, o objects) (key func(int) string, err error) {
	key = numbered(fmt.Sprintf("there-%d/", o.bytes))
	name := fmt.Sprintf("%d objects of %s", o.count, sizeText(o.bytes))
	return key, r.once(name, func() error {
		o.clients = min(cleaners, o.count)
		_, err := r.write(ctx, o, key)
		return err
	})
}

func put(name string, o objects, f formula) scenario {
	what := func(p plan) string { return "PUT " + p.objects(o).String() }
	return scenario{name, what, f, func(ctx context.Context, r *turn) error {
		o, key := r.objects(o), numbered("put/")
		err := r.measure(ctx, o.clients, func() (work, error) { return r.write(ctx, o, key) })
		if err == nil {
			err = r.verify(ctx, o, key)
		}
		return errors.Join(err, r.empty(ctx, "put/"))
	}}
}

// verify reads a few of the objects and compares them with what was written.
func (r *turn) verify(ctx context.Context, o objects, key func(int) string) error {
	for _, i := range r.some(o.count) {
		if err := r.read(ctx, key(i), o.bytes); err != nil {
			return err
		}
	}
	return nil
}

func get(name string, o objects, f formula) scenario {
	what := func(p plan) string { return "GET " + p.objects(o).String() }
	return scenario{name, what, f, func(ctx context.Context, r *turn) error {
		o := r.objects(o)
		key, err := r.fixture(ctx, o)
		if err != nil {
			return err
		}
		return r.measure(ctx, o.clients, func() (work, error) {
			took, err := each(ctx, o.count, o.clients, func(ctx context.Context, i int) error {
				return r.read(ctx, key(i), o.bytes)
			})
			return work{bytes: o.total(), ops: o.count, took: took}, err
		})
	}}
}

func rangeGet(name string, o objects, count int, bytes int64) scenario {
	const least = 8
	what := func(p plan) string {
		return fmt.Sprintf("GET %d ranges of %s of objects of %s, %s",
			p.count(count, least), sizeText(bytes), sizeText(p.objects(o).bytes), clientsText(o.clients))
	}
	return scenario{name, what, rangeFormula, func(ctx context.Context, r *turn) error {
		o, n, dice := r.objects(o), r.count(count, least), r.dice()
		key, err := r.fixture(ctx, o)
		if err != nil {
			return err
		}
		keys, offs := make([]string, n), make([]int64, n)
		for i := range n {
			keys[i], offs[i] = key(dice.IntN(o.count)), dice.Int64N(o.bytes-bytes+1)
		}
		return r.measure(ctx, o.clients, func() (work, error) {
			took, err := each(ctx, n, o.clients, func(ctx context.Context, i int) error {
				return r.client.get(ctx, place{key: keys[i]}, r.value(keys[i], o.bytes), offs[i], bytes)
			})
			return work{bytes: int64(n) * bytes, ops: n, took: took}, err
		})
	}}
}

func remove(name string, o objects, f formula) scenario {
	what := func(p plan) string { return "DELETE " + p.objects(o).String() }
	return scenario{name, what, f, func(ctx context.Context, r *turn) error {
		o, key := r.objects(o), numbered("delete/")
		if _, err := r.write(ctx, o, key); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
		err := r.measure(ctx, o.clients, func() (work, error) {
			took, err := each(ctx, o.count, o.clients, func(ctx context.Context, i int) error {
				return r.client.delete(ctx, place{key: key(i)})
			})
			return work{ops: o.count, took: took}, err
		})
		if err != nil {
			return err
		}
		for _, i := range r.some(o.count) {
			if err := r.gone(ctx, key(i)); err != nil {
				return err
			}
		}
		return nil
	}}
}

// gone returns an error if a key still holds an object, or cannot be asked for.
func (r *turn) gone(ctx context.Context, key string) error {
	_, err := r.client.size(ctx, place{key: key})
	var no *refusal
	switch {
	case err == nil:
		return wrong("%s: there, its deletion was acknowledged", key)
	case errors.As(err, &no) && no.Status == http.StatusNotFound:
		return nil
	}
	return err
}
