// Package federatetest has a provider of OpenID Connect for tests, which can be made to misbehave.
package federatetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

// ClientID is the audience of the tokens that Token makes.
const ClientID = "cairn"

// Key is a key of a provider.
type Key struct {
	ID        string
	Algorithm jose.SignatureAlgorithm
	Private   crypto.Signer
}

// NewKey returns a new key for an algorithm.
func NewKey(t testing.TB, id string, algorithm jose.SignatureAlgorithm) *Key {
	t.Helper()
	k := &Key{ID: id, Algorithm: algorithm}
	var err error
	switch algorithm {
	case jose.ES256:
		k.Private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.ES384:
		k.Private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case jose.ES512:
		k.Private, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case jose.EdDSA:
		_, k.Private, err = ed25519.GenerateKey(rand.Reader)
	default:
		k.Private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	require.NoError(t, err)
	return k
}

// Sign returns a token with these claims.
func (k *Key) Sign(t testing.TB, claims any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	return k.SignBytes(t, payload)
}

// SignBytes returns a token with this payload.
func (k *Key) SignBytes(t testing.TB, payload []byte) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: k.Algorithm, Key: jose.JSONWebKey{Key: k.Private,
		KeyID: k.ID}}, nil)
	require.NoError(t, err)
	signed, err := s.Sign(payload)
	require.NoError(t, err)
	text, err := signed.CompactSerialize()
	require.NoError(t, err)
	return text
}

// Provider is a provider on loopback.
type Provider struct {
	*httptest.Server
	t testing.TB

	mu    sync.Mutex
	keys  []*Key
	asked int
	// Keys and Discovery answer in place of the provider. Nil: it answers as it should.
	serveKeys, serveDiscovery http.HandlerFunc
}

// New returns a provider with one key for RS256, k1.
func New(t testing.TB) *Provider {
	t.Helper()
	p := &Provider{t: t, keys: []*Key{NewKey(t, "k1", jose.RS256)}}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("/keys", p.jwks)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// Use makes these the keys of the provider.
func (p *Provider) Use(keys ...*Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = keys
}

// Key returns the first key.
func (p *Provider) Key() *Key {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[0]
}

// Misbehave has other handlers answer for the keys and the discovery document; nil: the provider.
func (p *Provider) Misbehave(keys, discovery http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serveKeys, p.serveDiscovery = keys, discovery
}

// Asked returns how often somebody asked for keys.
func (p *Provider) Asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// Claims are those of a token that is good for an hour, with some that differ; nil takes one away.
func (p *Provider) Claims(differ map[string]any) map[string]any {
	now := time.Now()
	out := map[string]any{"iss": p.URL, "sub": "alice", "aud": ClientID, "iat": now.Unix(),
		"exp": now.Add(time.Hour).Unix()}
	maps.Copy(out, differ)
	maps.DeleteFunc(out, func(_ string, v any) bool { return v == nil })
	return out
}

// Token returns a token of the first key with Claims.
func (p *Provider) Token(differ map[string]any) string {
	p.t.Helper()
	return p.Key().Sign(p.t, p.Claims(differ))
}

func (p *Provider) discovery(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	instead := p.serveDiscovery
	p.mu.Unlock()
	if instead != nil {
		instead(w, r)
		return
	}
	fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q,"authorization_endpoint":%q,"token_endpoint":%q}`, p.URL, p.URL+"/keys",
		p.URL+"/a", p.URL+"/t")
}

func (p *Provider) jwks(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked++
	instead := p.serveKeys
	set := jose.JSONWebKeySet{}
	for _, k := range p.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Private.Public(), KeyID: k.ID, Use: "sig"})
	}
	p.mu.Unlock()
	if instead != nil {
		instead(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(set)
}
