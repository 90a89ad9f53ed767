package federate

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/cairnstore/cairn/cluster/errs"
)

const (
	// MaxKeyAge is how old the keys of a provider may be. A key that it revokes is taken no longer
	// than that.
	MaxKeyAge = 5 * time.Minute
	// MaxStaleAge is how old they may be while the provider cannot be asked.
	MaxStaleAge = time.Hour
	// RefreshInterval is how often at most a token with an unknown key makes a node ask for keys.
	RefreshInterval = 5 * time.Second
	// AskTimeout bounds how long a provider may take to tell its keys.
	AskTimeout = 10 * time.Second
	// MaxDocumentBytes bounds each document of a provider.
	MaxDocumentBytes = 256 << 10
	// MaxKeys bounds the keys of a provider.
	MaxKeys = 64

	minPause = time.Second // Before a provider that failed is asked again; it doubles up to maxPause.
	maxPause = time.Minute

	minRSABits  = 2048
	maxRSABits  = 8192
	maxNameless = 4 // How many keys are tried for a token that names none.
)

// keySet are the keys of one provider.
type keySet struct {
	v        *Verifier
	provider Provider
	client   *http.Client
	slots    chan struct{}

	mu       sync.Mutex
	keys     []jose.JSONWebKey
	loaded   time.Time     // When the keys were asked for; zero: never.
	began    time.Time     // When the provider was last asked.
	failures int           // How often it has failed since it last answered.
	failed   error         // Why it failed last.
	asking   chan struct{} // Closed when the question under way is answered; nil: none is.
}

// keysOf returns what is remembered of a provider. Errors: Invalid, if its certificates cannot be read.
func (v *Verifier) keysOf(p *Provider) (*keySet, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if k := v.known[p.Name]; k != nil {
		if k.provider.Version == p.Version {
			return k, nil
		}
		k.client.CloseIdleConnections()
	}
	client, err := newClient(p)
	if err != nil {
		return nil, err
	}
	k := &keySet{v: v, provider: *p, client: client, slots: make(chan struct{}, MaxVerifying)}
	v.known[p.Name] = k
	return k, nil
}

// Forget drops what is remembered of providers that are not among these names.
func (v *Verifier) Forget(keep func(name string) bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for name, k := range v.known {
		if !keep(name) {
			k.client.CloseIdleConnections()
			delete(v.known, name)
		}
	}
}

// verify checks the signature of a token and returns its payload. Errors: Invalid, Unavailable,
// Canceled.
func (k *keySet) verify(ctx context.Context, token string) ([]byte, error) {
	const op = "federate.Verify"
	jws, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, errs.Newf(op, errs.Invalid, "the token is not signed by an algorithm that is taken (RS, PS, "+
			"ES, EdDSA)")
	}
	header := jws.Signatures[0].Header
	keys, err := k.find(ctx, header.KeyID, header.Algorithm)
	if err != nil {
		return nil, err
	}
	for i := range keys {
		if payload, err := jws.Verify(&keys[i]); err == nil {
			return payload, nil
		}
	}
	return nil, errs.Newf(op, errs.Invalid, "Couldn't retrieve verification key from your identity provider, or "+
		"the signature does not hold")
}

// find returns the keys that may have signed a token. If there is none, the provider is asked, unless
// it was just asked.
func (k *keySet) find(ctx context.Context, id, algorithm string) ([]jose.JSONWebKey, error) {
	const op = "federate.Verify"
	for {
		k.mu.Lock()
		now := k.v.now()
		age := now.Sub(k.loaded)
		found := k.match(id, algorithm)
		fresh := !k.loaded.IsZero() && age < MaxKeyAge
		if fresh && len(found) > 0 {
			k.mu.Unlock()
			return found, nil
		}
		if k.asking == nil && now.Sub(k.began) < k.pause() {
			failed, usable := k.failed, !k.loaded.IsZero() && age < MaxStaleAge
			k.mu.Unlock()
			switch {
			case usable && len(found) > 0:
				return found, nil
			case failed != nil:
				return nil, errs.Newf(op, errs.Unavailable, "the provider %s does not tell its keys: %w",
					k.provider.Name, failed)
			}
			return nil, errs.Newf(op, errs.Invalid, "the token is signed by a key that the provider %s does not have",
				k.provider.Name)
		}
		asking := k.ask(now)
		k.mu.Unlock()
		select {
		case <-asking:
		case <-ctx.Done():
			return nil, errs.New(op, errs.Canceled, context.Cause(ctx))
		}
	}
}

// pause is how long the provider is not asked again. k.mu is held.
func (k *keySet) pause() time.Duration {
	switch {
	case k.began.IsZero():
		return 0
	case k.failures == 0:
		return RefreshInterval
	}
	return min(minPause<<min(k.failures-1, 10), maxPause)
}

// match returns the keys with an id that go with an algorithm; of keys for a token that names none, the
// first few. k.mu is held.
func (k *keySet) match(id, algorithm string) []jose.JSONWebKey {
	var out []jose.JSONWebKey
	for _, key := range k.keys {
		if (id == "" || key.KeyID == id) && (key.Algorithm == "" || key.Algorithm == algorithm) &&
			len(out) < maxNameless {
			out = append(out, key)
		}
	}
	return out
}

// ask has the provider asked, and returns what is closed when it has answered. k.mu is held.
func (k *keySet) ask(now time.Time) chan struct{} {
	if k.asking != nil {
		return k.asking
	}
	done := make(chan struct{})
	k.asking, k.began = done, now
	k.v.asking.Go(func() {
		ctx, cancel := context.WithTimeout(k.v.ctx, AskTimeout)
		defer cancel()
		keys, err := k.fetch(ctx)
		k.mu.Lock()
		if k.asking, k.failed = nil, err; err != nil {
			k.failures++
			k.began = k.v.now() // The pause begins when it has failed.
		} else {
			k.keys, k.loaded, k.failures = keys, now, 0
		}
		k.mu.Unlock()
		close(done)
		if k.v.events.Asked != nil {
			k.v.events.Asked(k.provider.Name, err)
		}
	})
	return done
}

// fetch asks the provider where its keys are, and then for the keys.
func (k *keySet) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	discovered, err := oidc.NewProvider(oidc.ClientContext(ctx, k.client), k.provider.Issuer)
	if err != nil {
		return nil, fmt.Errorf("its discovery document: %w", err)
	}
	var document struct {
		Keys string `json:"jwks_uri"`
	}
	if err := discovered.Claims(&document); err != nil || document.Keys == "" {
		return nil, fmt.Errorf("its discovery document names no jwks_uri")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, document.Keys, nil)
	if err != nil {
		return nil, fmt.Errorf("its jwks_uri is no URL")
	}
	resp, err := k.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("its keys: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("its keys: %w", err)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("its keys: status %d", resp.StatusCode)
	}
	return parseKeys(body)
}

// parseKeys returns the keys of a document that can verify signatures. It passes over all others, and
// those that cannot be read, as RFC 7517 has it.
func parseKeys(body []byte) ([]jose.JSONWebKey, error) {
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &document); err != nil {
		return nil, fmt.Errorf("its keys are no JSON Web Key Set")
	}
	if len(document.Keys) > MaxKeys {
		return nil, fmt.Errorf("it has %d keys; at most %d are taken", len(document.Keys), MaxKeys)
	}
	var out []jose.JSONWebKey
	for _, raw := range document.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) == nil && usable(&key) {
			out = append(out, key)
		}
	}
	return out, nil
}

func usable(key *jose.JSONWebKey) bool {
	if !key.Valid() || !key.IsPublic() || key.Use != "" && key.Use != "sig" {
		return false
	}
	if r, ok := key.Key.(*rsa.PublicKey); ok {
		return r.N.BitLen() >= minRSABits && r.N.BitLen() <= maxRSABits
	}
	return true
}
