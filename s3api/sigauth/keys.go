package sigauth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// maxCachedKeys bounds how many signing keys are remembered: one for each secret, day, region and
// service in use.
const maxCachedKeys = 1024

const (
	// cachedKeyFor is how long a signing key is remembered. After that nothing of a secret that is
	// no longer used is in memory.
	cachedKeyFor = 15 * time.Minute
	// forgetEvery is how often old keys are looked for.
	forgetEvery = time.Minute
)

// scopeKey is what a signing key is derived from.
type scopeKey struct{ secret, date, region, service string }

type signingKey [sha256.Size]byte

// cacheKey is a scopeKey without the secret in clear.
type cacheKey struct {
	secret                signingKey
	date, region, service string
}

type cachedKey struct {
	key   signingKey
	until time.Time
}

// keyCache remembers signing keys for a while, because deriving one costs four HMACs. Only keys by
// which a request was verified get in, so nobody can fill it without a secret. It holds no secrets
// in clear, and clears the keys that it forgets.
type keyCache struct {
	max  int
	hide []byte // The key under which secrets are hashed; this process alone has it.

	mu   sync.RWMutex
	keys map[cacheKey]*cachedKey
	next time.Time // When old keys are looked for again.
}

func newKeyCache(limit int) *keyCache {
	hide := make([]byte, sha256.Size)
	rand.Read(hide) // It never fails.
	return &keyCache{max: limit, hide: hide, keys: make(map[cacheKey]*cachedKey)}
}

// hidden returns the key of the cache for k, in which a keyed hash stands for the secret.
func (c *keyCache) hidden(k scopeKey) cacheKey {
	return cacheKey{sign(c.hide, []byte(k.secret)), k.date, k.region, k.service}
}

// get returns the signing key of k, and whether it was remembered. If not, it is derived.
func (c *keyCache) get(k scopeKey) (key signingKey, hit bool) {
	now, at := time.Now(), c.hidden(k)
	c.mu.RLock()
	kept := c.keys[at]
	if hit = kept != nil && now.Before(kept.until); hit {
		key = kept.key
	}
	stale := !now.Before(c.next)
	c.mu.RUnlock()
	if stale {
		c.forget(now)
	}
	if !hit {
		key = deriveKey(k)
	}
	return key, hit
}

// forget clears the keys that were remembered for cachedKeyFor.
func (c *keyCache) forget(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for at, kept := range c.keys {
		if !now.Before(kept.until) {
			clear(kept.key[:])
			delete(c.keys, at)
		}
	}
	c.next = now.Add(forgetEvery)
}

// put remembers a key. If the cache is full, it is emptied first: that is rare, and costs each user
// one derivation.
func (c *keyCache) put(k scopeKey, key signingKey) {
	at := c.hidden(k)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.keys) >= c.max {
		for _, kept := range c.keys {
			clear(kept.key[:])
		}
		clear(c.keys)
	}
	c.keys[at] = &cachedKey{key, time.Now().Add(cachedKeyFor)}
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
