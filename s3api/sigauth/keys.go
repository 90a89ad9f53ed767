package sigauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"sync"
)

// maxCachedKeys bounds the signing keys that are remembered: one for each secret,
// day, region and service in use.
const maxCachedKeys = 1024

// scopeKey is what a signing key is derived from.
type scopeKey struct{ secret, date, region, service string }

type signingKey [sha256.Size]byte

// keyCache remembers signing keys, since deriving one costs four HMACs. Only keys
// that a request was verified with get in, so that nobody without a secret can
// crowd it.
type keyCache struct {
	max  int
	mu   sync.RWMutex
	keys map[scopeKey]signingKey
}

func newKeyCache(limit int) *keyCache {
	return &keyCache{max: limit, keys: make(map[scopeKey]signingKey)}
}

// get returns the signing key of k, and whether it was remembered.
func (c *keyCache) get(k scopeKey) (key signingKey, hit bool) {
	c.mu.RLock()
	key, hit = c.keys[k]
	c.mu.RUnlock()
	if !hit {
		key = deriveKey(k)
	}
	return key, hit
}

// put remembers a key. A full cache is emptied: that is rare, and dear to nobody.
func (c *keyCache) put(k scopeKey, key signingKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.keys) >= c.max {
		clear(c.keys)
	}
	c.keys[k] = key
}

const terminator = "aws4_request"

func deriveKey(k scopeKey) signingKey {
	sum := sign([]byte("AWS4"+k.secret), []byte(k.date))
	sum = sign(sum[:], []byte(k.region))
	sum = sign(sum[:], []byte(k.service))
	return sign(sum[:], []byte(terminator))
}

// sign returns HMAC-SHA-256 of message under key.
func sign(key, message []byte) (sum signingKey) {
	mac := hmac.New(sha256.New, key)
	mac.Write(message)
	mac.Sum(sum[:0])
	return sum
}
