package query

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/record"

	"google.golang.org/protobuf/encoding/protowire"
)

// walk goes over the names of a bucket as S3 lists them: in order, only those with a prefix,
// and rolled up into a common prefix at the first delimiter after it. It seeks past all names
// below a common prefix at once, however many they are.
type walk struct {
	kind              keys.Kind // KindObject or KindOpenUpload.
	bucket            uint64
	prefix, delimiter string
	after             string // The walk starts after this name, or after all below this common prefix.
	inclusive         bool   // The walk starts at after itself.
	from              []byte // If set, and after is no common prefix, the key to start at.
	versions          bool   // Older versions are visited too.
	markers           bool   // There may be delete markers. They are not visited, and hide their keys.
	exact             bool   // The walk starts right behind after, even within a common prefix.
	steps             int    // How many records are looked at, at most; 0: as many as there are.

	name   []byte // The name of the current record.
	latest bool   // The current record is not an older version.

	rolledUp int    // The length of the common prefix that the last step visited; 0: none.
	stopped  bool   // The walk ended since the steps were used up.
	seek     []byte // Room for a key.
}

// visitor is called with a name, its value and its key, or with a common prefix and neither.
// What it is given is valid during the call. It returns record.ErrStop to end the walk.
type visitor func(name, value, key []byte) error

// run walks, and calls visit for each name and common prefix. Errors: those of visit, which
// are made to name the record (record.Of), and those of the database.
func (w *walk) run(r pebble.Reader, visit visitor) (err error) {
	lower := keys.AppendNames(nil, w.kind, w.bucket, w.prefix)
	upper := keys.PrefixEnd(slices.Clone(lower))
	if start := w.start(); bytes.Compare(start, lower) > 0 {
		lower = start
	}
	if bytes.Compare(lower, upper) >= 0 {
		return nil
	}
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return record.DBError(err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()  // Deferred: after a panic of visit too.
	if err = w.iterate(it, visit); err == record.ErrStop { //nolint:errorlint // It is never wrapped.
		err = nil
	}
	return err
}

func (w *walk) iterate(it *pebble.Iterator, visit visitor) error {
	taken := 0
	for ok := it.First(); ok; taken++ {
		if w.steps > 0 && taken == w.steps {
			w.stopped = true
			return nil
		}
		next, err := w.step(it, visit)
		if err != nil {
			return record.Of(it.Key(), err)
		}
		if next == nil {
			ok = it.Next()
		} else {
			ok = it.SeekGE(next)
		}
	}
	if err := it.Error(); err != nil {
		return record.DBError(err)
	}
	return nil
}

// step visits the current record, or the common prefix that it rolls up into, or passes it
// over. It returns the key to go on at; nil means the next one.
func (w *walk) step(it *pebble.Iterator, visit visitor) (next []byte, err error) {
	if err := w.decode(it.Key()); err != nil {
		return nil, err
	}
	w.rolledUp = 0
	if !w.latest && !w.versions { // There may be very many of them.
		w.seek = keys.PrefixEnd(keys.AppendName(w.seek[:0], w.kind, w.bucket, string(w.name)))
		return w.seek, nil
	}
	var value []byte
	n := w.commonPrefix(string(w.name))
	if n == 0 || w.markers {
		if value, err = it.ValueAndErr(); err != nil {
			return nil, record.DBError(err)
		}
	}
	if w.markers {
		if hidden, err := isDeleteMarker(value); hidden || err != nil {
			return nil, err
		}
	}
	if w.rolledUp = n; n > 0 {
		w.seek = keys.PrefixEnd(keys.AppendNames(w.seek[:0], w.kind, w.bucket, string(w.name[:n])))
		return w.seek, visit(w.name[:n], nil, nil)
	}
	return nil, visit(w.name, value, it.Key())
}

// decode reads from its key the name of the current record, and whether it is the latest
// version.
func (w *walk) decode(key []byte) (err error) {
	if w.kind == keys.KindObject {
		if w.name, w.latest, err = keys.ObjectName(w.name[:0], key); err != nil {
			return record.Of(key, record.Undecodable(err))
		}
		return nil
	}
	k, err := record.DecodeKey(key)
	w.name, w.latest = append(w.name[:0], k.Name...), true
	return err
}

// commonPrefix returns the length of the common prefix that name rolls up into; 0 if it does
// not roll up.
func (w *walk) commonPrefix(name string) int {
	if w.delimiter == "" || !strings.HasPrefix(name, w.prefix) {
		return 0
	}
	i := strings.Index(name[len(w.prefix):], w.delimiter)
	if i < 0 {
		return 0
	}
	return len(w.prefix) + i + len(w.delimiter)
}

// start returns the least key at which the walk may start by w.after; nil if that bounds
// nothing.
func (w *walk) start() []byte {
	if w.after == "" {
		return nil
	}
	if n := w.commonPrefix(w.after); n > 0 && !w.exact {
		below := keys.AppendNames(nil, w.kind, w.bucket, w.after[:n])
		if w.inclusive && n == len(w.after) {
			return below
		}
		// The common prefix is listed at its own place, which is not after w.after.
		return keys.PrefixEnd(below)
	}
	if w.from != nil {
		return w.from
	}
	name := keys.AppendName(nil, w.kind, w.bucket, w.after)
	if w.inclusive {
		return name
	}
	return keys.PrefixEnd(name)
}

// isDeleteMarker reads from the record of a version whether it is a delete marker.
func isDeleteMarker(version []byte) (is bool, err error) {
	err = record.Fields(version, func(num protowire.Number, v uint64, _ []byte) error {
		if num == 4 {
			is = v != 0
		}
		return nil
	})
	return is, err
}
