package kms

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/sse"
)

const (
	domainKeyLife = 5 * time.Minute // In memory. After it the external service is asked again.
	domainKeysMax = 4096            // In memory; the oldest is dropped first. Each takes about 512 bytes.

	domainLabel    = "cairn kms domain v1"     // Part of the format.
	domainKeyLabel = "cairn kms domain key v1" // Part of the format.
)

// domainKeys wraps data keys under domain keys that an external service wraps, so that one call to
// the service is enough for many data keys.
type domainKeys struct {
	external External
	calls    singleflight.Group // Equal calls to the external service at the same time become one.

	mu      sync.Mutex
	byUse   map[[32]byte]*domainKey // Keys that wrap now, by master key and aad.
	byText  map[[32]byte]*domainKey // Keys that open, by master key, aad and wrapped form.
	oldest  *list.List              // Of *domainKey, oldest first. All live equally long.
	expiry  *time.Timer             // Calls expire when the oldest has lived its time; nil: there is none.
	stopped bool
}

// domainKey is a domain key in memory.
type domainKey struct {
	key       *sse.DataKey
	keyID     string // Of the master key.
	wrapped   []byte // As the external service returned it.
	version   uint32 // Of the master key.
	use, text [32]byte
	until     time.Time
}

func newDomainKey(d *sse.DataKey, keyID string, version uint32, aad, text []byte) *domainKey {
	return &domainKey{key: d, keyID: keyID, wrapped: slices.Clone(text), version: version,
		use: digest(keyID, aad, nil), text: digest(keyID, aad, text)}
}

func newDomainKeys(external External) *domainKeys {
	return &domainKeys{external: external, byUse: make(map[[32]byte]*domainKey), byText: make(map[[32]byte]*domainKey), oldest: list.New()}
}

// wrap wraps d. It returns the salt, the wrapped form, and the version of the master key.
func (c *domainKeys) wrap(ctx context.Context, keyID string, d *sse.DataKey, aad []byte) (salt, wrapped []byte, version uint32, err error) {
	k, err := c.find(ctx, c.byUse, digest(keyID, aad, nil), func() (*domainKey, error) {
		d := sse.NewDataKey()
		text, version, err := c.external.Encrypt(ctx, keyID, d, domainData(keyID, aad))
		if err == nil && len(text) == 0 {
			err = errs.Newf("kms.wrap", errs.Unavailable, "the key service answered nothing")
		}
		return newDomainKey(d, keyID, version, aad, text), err
	})
	if err != nil {
		return nil, nil, 0, err
	}
	defer k.key.Wipe()
	salt, wrapped = sse.WrapUnder(k.key.Bytes(), domainLabel, d, bind(slices.Clone(aad), keyID, k.version))
	return salt, append(wrapped, k.wrapped...), k.version, nil
}

// unwrap opens an envelope that wrap made.
func (c *domainKeys) unwrap(ctx context.Context, e *metapb.Envelope, aad []byte) (*sse.DataKey, error) {
	if len(e.WrappedKey) <= sse.WrappedBytes {
		return nil, errs.Newf("kms.unwrap", errs.Invalid, "an envelope of KMS key %s with %d bytes cannot exist", e.KmsKeyId, len(e.WrappedKey))
	}
	own, text := e.WrappedKey[:sse.WrappedBytes], e.WrappedKey[sse.WrappedBytes:]
	k, err := c.find(ctx, c.byText, digest(e.KmsKeyId, aad, text), func() (*domainKey, error) {
		d, err := c.external.Decrypt(ctx, e.KmsKeyId, text, domainData(e.KmsKeyId, aad))
		return newDomainKey(d, e.KmsKeyId, e.KmsKeyVersion, aad, text), err
	})
	if err != nil {
		return nil, err
	}
	defer k.key.Wipe()
	return sse.UnwrapUnder(k.key.Bytes(), domainLabel, e.Salt, own, bind(slices.Clone(aad), e.KmsKeyId, e.KmsKeyVersion))
}

// find returns a copy of the domain key at a place of an index. If there is none, ask gets one. The
// caller must wipe the copy.
func (c *domainKeys) find(ctx context.Context, index map[[32]byte]*domainKey, at [32]byte, ask func() (*domainKey, error)) (*domainKey, error) {
	for {
		if k := c.get(index, at); k != nil {
			return k, nil
		}
		var mine *domainKey
		_, err, shared := c.calls.Do(string(at[:]), func() (any, error) {
			k, err := ask()
			if err != nil {
				return nil, err
			}
			mine = k.copy()
			c.add(k, at == k.use)
			return nil, nil
		})
		switch {
		case err == nil && mine != nil:
			return mine, nil
		case err == nil, shared && errs.Is(err, errs.Canceled) && ctx.Err() == nil:
			continue // It was another caller's call: it put the key into the index, or was cancelled.
		}
		return nil, err
	}
}

func (k *domainKey) copy() *domainKey {
	other, d := *k, *k.key
	other.key = &d
	return &other
}

// get returns a copy of the domain key at a place of an index; nil if there is none. It must be a
// copy, because expire may wipe the key at any time.
func (c *domainKeys) get(index map[[32]byte]*domainKey, at [32]byte) *domainKey {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := index[at]; k != nil && time.Now().Before(k.until) {
		return k.copy()
	}
	return nil
}

// add keeps a domain key, and lets it wrap if forUse. A key that wraps is also found by unwrap.
func (c *domainKeys) add(k *domainKey, forUse bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		k.key.Wipe()
		return
	}
	k.until = time.Now().Add(domainKeyLife)
	if c.oldest.Len() >= domainKeysMax {
		c.dropOldestLocked()
	}
	c.byText[k.text] = k
	if forUse {
		c.byUse[k.use] = k
	}
	c.oldest.PushBack(k)
	if c.expiry == nil {
		c.expiry = time.AfterFunc(domainKeyLife, c.expire)
	}
}

// expire drops the keys that have lived domainKeyLife, and sets the timer for the next one.
func (c *domainKeys) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expiry = nil
	for c.oldest.Len() > 0 && !c.stopped {
		if left := time.Until(c.oldest.Front().Value.(*domainKey).until); left > 0 {
			c.expiry = time.AfterFunc(left, c.expire)
			return
		}
		c.dropOldestLocked()
	}
}

func (c *domainKeys) dropOldestLocked() {
	k := c.oldest.Remove(c.oldest.Front()).(*domainKey)
	if c.byText[k.text] == k {
		delete(c.byText, k.text)
	}
	if c.byUse[k.use] == k {
		delete(c.byUse, k.use)
	}
	k.key.Wipe()
}

// renew makes the domain keys of a master key wrap no longer, because the master key has a new
// version. They still open.
func (c *domainKeys) renew(keyID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for use, k := range c.byUse {
		if k.keyID == keyID {
			delete(c.byUse, use)
		}
	}
}

// close wipes all keys. Keys that are added later are not kept.
func (c *domainKeys) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if c.expiry != nil {
		c.expiry.Stop()
	}
	for c.oldest.Len() > 0 {
		c.dropOldestLocked()
	}
}

// digest returns the place of a key in an index. Each part has its length before it, so that
// different parts never give the same place.
func digest(keyID string, aad, text []byte) (at [32]byte) {
	h := sha256.New()
	for _, b := range [][]byte{[]byte(keyID), aad, text} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	h.Sum(at[:0])
	return at
}

// domainData is what the external service authenticates with a domain key.
func domainData(keyID string, aad []byte) []byte {
	data := binary.BigEndian.AppendUint16([]byte(domainKeyLabel), uint16(len(keyID)))
	return append(append(data, keyID...), aad...)
}
