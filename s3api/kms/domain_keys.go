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
	domainKeyLife = 5 * time.Minute // In memory; after it the external service is asked again.
	domainKeysMax = 4096            // In memory; the oldest goes first. About 512 bytes each.

	domainLabel    = "cairn kms domain v1"     // Part of the format.
	domainKeyLabel = "cairn kms domain key v1" // As the last.
)

// domainKeys wraps data keys under domain keys that an external service wraps: one
// call for many data keys.
type domainKeys struct {
	external External
	calls    singleflight.Group // Equal calls to the external service at once are one.

	mu      sync.Mutex
	byUse   map[[32]byte]*domainKey // What wraps now, by master key and aad.
	byText  map[[32]byte]*domainKey // What opens, by master key, aad and wrapped form.
	oldest  *list.List              // Of *domainKey, by age: all live equally long.
	expiry  *time.Timer             // Of the oldest; nil: there is none.
	stopped bool
}

// domainKey is a domain key in memory.
type domainKey struct {
	key       *sse.DataKey
	keyID     string // Of the master key.
	wrapped   []byte // As the external service made it.
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

// wrap returns the salt and the wrapped form of d, and the version of the master key.
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

// unwrap opens an envelope.
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

// find returns a copy of the domain key at a place of an index, made by ask if it
// is not there. The caller wipes the copy.
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
			continue // Another's call, which put the key in its place; or the other went away.
		}
		return nil, err
	}
}

func (k *domainKey) copy() *domainKey {
	other, d := *k, *k.key
	other.key = &d
	return &other
}

func (c *domainKeys) get(index map[[32]byte]*domainKey, at [32]byte) *domainKey {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := index[at]; k != nil && time.Now().Before(k.until) {
		return k.copy()
	}
	return nil
}

// add keeps a domain key, and lets it wrap if forUse.
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

// expire drops what has lived its time and waits for the next.
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

// renew lets no domain key of a master key wrap any more, since it has a new version.
func (c *domainKeys) renew(keyID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for use, k := range c.byUse {
		if k.keyID == keyID {
			delete(c.byUse, use)
		}
	}
}

// close wipes all keys. What comes later is not kept.
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

// digest is a place in an index.
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
