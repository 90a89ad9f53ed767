package record

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/keys"
)

// DecodeKey decodes the key of a record. Errors: a Contradiction.
func DecodeKey(key []byte) (keys.Key, error) {
	k, err := keys.Decode(key)
	if err != nil {
		return k, Of(key, Undecodable(err))
	}
	return k, nil
}

// PartNumber decodes the number of a part from the key of its record. Errors: a
// Contradiction.
func PartNumber(key []byte) (uint32, error) {
	n, err := keys.PartNumber(key)
	if err != nil {
		return n, Of(key, Undecodable(err))
	}
	return n, nil
}

// ScanKind calls f for every record of a kind, in order of their keys, as Scan does.
func ScanKind(r pebble.Reader, kind keys.Kind, f func(k keys.Key, v []byte) error) error {
	prefix := keys.AppendKind(nil, kind)
	return Scan(r, prefix, keys.PrefixEnd(slices.Clone(prefix)), func(key, v []byte) error {
		k, err := DecodeKey(key)
		if err != nil {
			return err
		}
		return f(k, v)
	})
}

// ErrStop is returned, as it is, by a function that Scan or ScanKind calls, to end the scan.
// The scan then returns nil.
var ErrStop = errors.New("stop")

// Scan calls f for every record whose key is at least lower and less than upper, in order;
// nil bounds nothing. f must not keep key or value. Errors: those of f, which are made to
// name the record (Of), and those of the database (DBError).
func Scan(r pebble.Reader, lower, upper []byte, f func(key, value []byte) error) (err error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return DBError(err)
	}
	defer func() { // Deferred, so that the iterator is closed after a panic of f too.
		if cerr := it.Close(); err == nil && cerr != nil {
			err = DBError(cerr)
		}
	}()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return DBError(err)
		}
		err = f(it.Key(), v)
		if err == ErrStop { //nolint:errorlint // It is never wrapped.
			return nil
		}
		if err != nil {
			return Of(it.Key(), err)
		}
	}
	if err := it.Error(); err != nil {
		return DBError(err)
	}
	return nil
}

// View calls f with the value under key, if there is one, and reports whether there is. f
// must not keep the value. Errors are those of Scan.
func View(r pebble.Reader, key []byte, f func(value []byte) error) (bool, error) {
	v, closer, err := r.Get(key)
	if err == pebble.ErrNotFound { //nolint:errorlint // Returned bare, on a hot path.
		return false, nil
	}
	if err != nil {
		return false, DBError(err)
	}
	err = Of(key, f(v))
	if cerr := closer.Close(); err == nil && cerr != nil {
		err = DBError(cerr)
	}
	return err == nil, err
}

// Get decodes the record under key into m, if there is one, and reports whether there is.
// Errors are those of Scan.
func Get(r pebble.Reader, key []byte, m proto.Message) (bool, error) {
	v, closer, err := r.Get(key)
	if err == pebble.ErrNotFound { //nolint:errorlint // Returned bare, on a hot path.
		return false, nil
	}
	if err != nil {
		return false, DBError(err)
	}
	err = Of(key, Unmarshal(v, m))
	if cerr := closer.Close(); err == nil && cerr != nil {
		err = DBError(cerr)
	}
	return err == nil, err
}

// Unmarshal decodes a record into m. Errors: a Contradiction, which does not name the record
// yet.
func Unmarshal(v []byte, m proto.Message) error {
	if err := proto.Unmarshal(v, m); err != nil {
		return Undecodable(err)
	}
	return nil
}

// DBError gives an error of the database its kind: see OpenKind.
func DBError(err error) error {
	return errs.New("state", OpenKind(err), err)
}

// OpenKind tells damage (Corrupt) from a failure of the file system (Internal). Pebble marks
// only some of the errors that damage leads to. So whatever is no error of the file system
// counts as damage, and so does a file that is missing.
func OpenKind(err error) errs.Kind {
	var failed *fs.PathError
	if pebble.IsCorruptionError(err) || errors.Is(err, fs.ErrNotExist) || !errors.As(err, &failed) {
		return errs.Corrupt
	}
	return errs.Internal
}
