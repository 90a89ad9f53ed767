package kms

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/sse"
)

// fakeExternal keeps only how many versions a key has: version v of key k is the text "k v".
type fakeExternal struct {
	mu    sync.Mutex
	keys  map[string]uint32
	calls map[string]int
	fail  error
	hold  chan struct{} // Encrypt and Decrypt wait for it.
}

func newFakeExternal() *fakeExternal {
	return &fakeExternal{keys: make(map[string]uint32), calls: make(map[string]int)}
}

func (f *fakeExternal) begin(verb, id string, needed bool) (version uint32, done func(), err error) {
	f.mu.Lock()
	f.calls[verb]++
	switch {
	case f.fail != nil:
		err = f.fail
	case needed && f.keys[id] == 0:
		err = errs.Newf("fake", errs.NotFound, "no key %s", id)
	}
	return f.keys[id], f.mu.Unlock, err
}

func (f *fakeExternal) Create(_ context.Context, id string) error {
	v, done, err := f.begin("create", id, false)
	defer done()
	if err == nil && v == 0 {
		f.keys[id] = 1
	}
	return err
}

func (f *fakeExternal) Rotate(_ context.Context, id string) error {
	_, done, err := f.begin("rotate", id, true)
	defer done()
	if err == nil {
		f.keys[id]++
	}
	return err
}

func (f *fakeExternal) Destroy(_ context.Context, id string) error {
	_, done, err := f.begin("destroy", id, false)
	defer done()
	if err == nil {
		delete(f.keys, id)
	}
	return err
}

func (f *fakeExternal) wait(ctx context.Context) error {
	if f.hold == nil {
		return nil
	}
	select {
	case <-f.hold:
		return nil
	case <-ctx.Done():
		return errs.New("fake", errs.Canceled, ctx.Err())
	}
}

func (f *fakeExternal) Encrypt(ctx context.Context, id string, d *sse.DataKey, aad []byte) ([]byte, uint32, error) {
	version, done, err := f.begin("encrypt", id, true)
	done()
	if err == nil {
		err = f.wait(ctx)
	}
	if err != nil {
		return nil, 0, err
	}
	salt, wrapped := sse.WrapUnder(binary.BigEndian.AppendUint32([]byte(id), version), "fake", d, aad)
	return append(binary.BigEndian.AppendUint32(salt, version), wrapped...), version, nil
}

func (f *fakeExternal) Decrypt(ctx context.Context, id string, text, aad []byte) (*sse.DataKey, error) {
	_, done, err := f.begin("decrypt", id, true)
	done()
	if err == nil {
		err = f.wait(ctx)
	}
	if err != nil || len(text) < 36 {
		return nil, err
	}
	return sse.UnwrapUnder(append([]byte(id), text[32:36]...), "fake", bytes.Clone(text[:32]), text[36:], aad)
}

func (f *fakeExternal) count(verb string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[verb]
}
