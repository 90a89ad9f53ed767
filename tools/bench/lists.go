package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	listedKeys    = 5000
	listedFolders = 50
	listedTimes   = 4
	listPrefix    = "list/"
)

// listed returns how many keys are listed. Each folder has as many.
func (p plan) listed() int {
	return p.count(listedKeys, 2*listedFolders) / listedFolders * listedFolders
}

func listedKey(i int) string {
	return fmt.Sprintf("%sfolder-%02d/%06d", listPrefix, i%listedFolders, i)
}

// listFixture makes sure that the target has the keys. It checks once that the SDK lists exactly these,
// in order, since the entries of the measured lists are only counted.
func (r *turn) listFixture(ctx context.Context) error {
	return r.once("keys to list", func() error {
		n := r.listed()
		if _, err := r.write(ctx, objects{n, 4, cleaners}, listedKey); err != nil {
			return err
		}
		want := make([]string, n)
		for i := range want {
			want[i] = listedKey(i)
		}
		slices.Sort(want)
		got, err := r.sdk.keys(ctx, listPrefix)
		if err != nil {
			return err
		}
		return sameKeys(got, want)
	})
}

// sameKeys returns an error about the first difference between a list and what was written; nil if
// there is none.
func sameKeys(got, want []string) error {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return wrong("a list ends before %s", want[i])
		case i >= len(want):
			return wrong("a list has %s, which nobody wrote", got[i])
		case got[i] != want[i]:
			return wrong("a list has %s in place of %s", got[i], want[i])
		}
	}
	return nil
}

func list(name string, delimiter bool) scenario {
	what := func(p plan) string {
		how := "all in a row"
		if delimiter {
			how = fmt.Sprintf("%d folders, then each", listedFolders)
		}
		return fmt.Sprintf("list %d keys, %s, %d times (an operation is a key, a time that of all)",
			p.listed(), how, listedTimes)
	}
	return scenario{name, what, formula{}, func(ctx context.Context, r *turn) error {
		if err := r.listFixture(ctx); err != nil {
			return err
		}
		return r.measure(ctx, 1, func() (work, error) { return r.listTimes(ctx, delimiter) })
	}}
}

func (r *turn) listTimes(ctx context.Context, delimiter bool) (work, error) {
	took, err := each(ctx, listedTimes, 1, func(ctx context.Context, _ int) error {
		found, err := r.listOnce(ctx, delimiter)
		if err != nil {
			return err
		}
		return found.want(r.listed())
	})
	return work{ops: listedTimes * r.listed(), took: took}, err
}

// listOnce lists every key: all in one list or, with a delimiter, the folders and then each of them.
func (r *turn) listOnce(ctx context.Context, delimiter bool) (listing, error) {
	if !delimiter {
		return r.client.list(ctx, listPrefix, "")
	}
	all, err := r.client.list(ctx, listPrefix, "/")
	for _, f := range all.folders {
		if err != nil {
			break
		}
		var one listing
		one, err = r.client.list(ctx, f, "/")
		all.entries += one.entries
	}
	return all, err
}

// listUnderLoad lists while other clients write and remove objects, as many on every target. The CPU
// time of the row is that of both.
func listUnderLoad(name string, o objects) scenario {
	what := func(p plan) string {
		return fmt.Sprintf("list %d keys %d times (times are those of all), beside PUT and DELETE of %v "+
			"(a key, a PUT and a DELETE are an operation each)",
			p.listed(), listedTimes, p.objects(o))
	}
	return scenario{name, what, formula{}, func(ctx context.Context, r *turn) error {
		if err := r.listFixture(ctx); err != nil {
			return err
		}
		o, key := r.plan.objects(o), numbered(listPrefix+"zz-beside/")
		err := r.measure(ctx, 1+o.clients, func() (w work, err error) {
			var wg sync.WaitGroup
			var beside error
			wg.Go(func() { beside = r.churn(ctx, o, key) })
			w.took, err = r.listFolders(ctx)
			wg.Wait()
			w.ops = listedTimes*r.listed() + 2*o.count
			return w, errors.Join(err, beside)
		})
		return errors.Join(err, r.empty(ctx, listPrefix+"zz-beside/"))
	}}
}

// churn writes each object and removes it.
func (r *turn) churn(ctx context.Context, o objects, key func(int) string) error {
	_, err := each(ctx, o.count, o.clients, func(ctx context.Context, i int) error {
		if _, err := r.client.put(ctx, place{key: key(i)}, r.value(key(i), o.bytes)); err != nil {
			return err
		}
		return r.client.delete(ctx, place{key: key(i)})
	})
	return err
}

// listFolders lists the keys of the fixture, but not those that are written beside them.
func (r *turn) listFolders(ctx context.Context) ([]time.Duration, error) {
	return each(ctx, listedTimes, 1, func(ctx context.Context, _ int) error {
		found, err := r.client.list(ctx, listPrefix+"folder-", "")
		if err != nil {
			return err
		}
		return found.want(r.listed())
	})
}
