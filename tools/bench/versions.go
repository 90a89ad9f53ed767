package main

import (
	"context"
	"fmt"
	"strconv"
)

const (
	versionBytes  = 4 * kib
	versionPrefix = "versions/"
)

// versions are so many keys with so many versions each, written by so many clients at once.
type versions struct{ keys, each, clients int }

func (p plan) versions(v versions) versions {
	v.keys = p.count(v.keys, 4)
	return v
}

func (v versions) total() int { return v.keys * v.each }

func (v versions) String() string {
	return fmt.Sprintf("%d versions of each of %d keys, %s, %s",
		v.each, v.keys, sizeText(versionBytes), clientsText(v.clients))
}

// version returns where version i of all is written, and the name of what it holds. The keys take
// turns.
func (v versions) version(r *turn, i int) (at place, content string) {
	key := numbered(versionPrefix)(i % v.keys)
	return place{bucket: r.sdk.versions, key: key}, key + "#" + strconv.Itoa(i/v.keys)
}

// writeVersions writes all versions and remembers their ids.
func (r *turn) writeVersions(ctx context.Context, v versions) (work, error) {
	ids := make([]string, v.total())
	took, err := each(ctx, v.total(), v.clients, func(ctx context.Context, i int) (err error) {
		at, content := v.version(r, i)
		ids[i], err = r.client.put(ctx, at, r.value(content, versionBytes))
		if err == nil && ids[i] == "" {
			err = wrong("a PUT into a bucket with versions is answered without a version's id")
		}
		return err
	})
	for i, id := range ids {
		_, content := v.version(r, i)
		r.ids[content] = id
	}
	return work{bytes: int64(v.total()) * versionBytes, ops: v.total(), took: took}, err
}

const versionsThere = "versions"

func (r *turn) versionFixture(ctx context.Context, v versions) error {
	return r.once(versionsThere, func() error {
		_, err := r.writeVersions(ctx, v)
		return err
	})
}

// readVersion gets a version by its id and compares it with what was written.
func (r *turn) readVersion(ctx context.Context, v versions, i int) error {
	at, content := v.version(r, i)
	at.version = r.ids[content]
	return r.client.get(ctx, at, r.value(content, versionBytes), 0, versionBytes)
}

func putVersions(name string, v versions) scenario {
	what := func(p plan) string { return "PUT " + p.versions(v).String() }
	return scenario{name, what, inlinePut, func(ctx context.Context, r *turn) error {
		v := r.versions(v)
		r.ready[versionsThere] = false
		if err := r.sdk.empty(ctx, r.sdk.versions, versionPrefix); err != nil {
			return err
		}
		err := r.measure(ctx, v.clients, func() (work, error) { return r.writeVersions(ctx, v) })
		if err != nil {
			return err
		}
		r.ready[versionsThere] = true
		for _, i := range r.some(v.total()) {
			if err := r.readVersion(ctx, v, i); err != nil {
				return err
			}
		}
		return nil
	}}
}

func getVersions(name string, v versions) scenario {
	what := func(p plan) string { return "GET by version id, " + p.versions(v).String() }
	return scenario{name, what, inlineGet, func(ctx context.Context, r *turn) error {
		v := r.versions(v)
		if err := r.versionFixture(ctx, v); err != nil {
			return err
		}
		return r.measure(ctx, v.clients, func() (work, error) {
			took, err := each(ctx, v.total(), v.clients, func(ctx context.Context, i int) error {
				return r.readVersion(ctx, v, i)
			})
			return work{bytes: int64(v.total()) * versionBytes, ops: v.total(), took: took}, err
		})
	}}
}

func listVersions(name string, v versions) scenario {
	what := func(p plan) string {
		return fmt.Sprintf("list %v, %d times (an operation is a version, a time that of all)", p.versions(v), listedTimes)
	}
	return scenario{name, what, formula{}, func(ctx context.Context, r *turn) error {
		v := r.versions(v)
		if err := r.versionFixture(ctx, v); err != nil {
			return err
		}
		return r.measure(ctx, 1, func() (work, error) {
			took, err := each(ctx, listedTimes, 1, func(ctx context.Context, _ int) error {
				found, err := r.client.listVersions(ctx, r.sdk.versions, versionPrefix)
				if err != nil {
					return err
				}
				return found.want(v.total())
			})
			return work{ops: listedTimes * v.total(), took: took}, err
		})
	}}
}
