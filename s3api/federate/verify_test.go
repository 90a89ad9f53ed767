package federate

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/federate/federatetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that tests set.
type clock struct {
	mu    sync.Mutex
	moved time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.moved)
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved += d
}

// scene is a verifier and a provider that it knows.
type scene struct {
	*testing.T
	idp   *federatetest.Provider
	known *Provider
	clock clock
	v     *Verifier
}

func newScene(t *testing.T) *scene {
	s := &scene{T: t, idp: federatetest.New(t)}
	s.known = &Provider{Name: "idp", Version: 1, Issuer: s.idp.URL, ClientIDs: []string{federatetest.ClientID,
		"console"}}
	s.v = NewVerifier(Config{Now: s.clock.now})
	t.Cleanup(s.v.Close)
	return s
}

func (s *scene) verify(token string) (*Token, error) { return s.v.Verify(s.Context(), s.known, token) }

func (s *scene) refused(kind errs.Kind, token, why string) {
	s.Helper()
	_, err := s.verify(token)
	require.Error(s, err)
	require.Equal(s, kind, errs.KindOf(err), "%v", err)
	require.ErrorContains(s, err, why)
}

// TestClaims are those of a token that holds, of each type.
func TestClaims(t *testing.T) {
	s := newScene(t)
	token, err := s.verify(s.idp.Token(map[string]any{"groups": []string{"a", "b"}, "n": 7, "b": true,
		"azp": "console", "aud": []string{"other", "console"},
		"realm_access": map[string]any{"roles": []any{"r1", 2}}, "a.b": "dotted", "odd": []any{"x", map[string]any{}},
		"null": nil, "o": map[string]any{"x": "y"}}))
	require.NoError(t, err)
	require.Equal(t, "alice", token.Subject)
	require.Equal(t, []string{"other", "console"}, token.Audience)
	require.Equal(t, "console", token.AuthorizedParty)
	for name, want := range map[string][]string{"groups": {"a", "b"}, "n": {"7"}, "b": {"true"}, "sub": {"alice"},
		"realm_access.roles": {"r1", "2"}, "a.b": {"dotted"}, "o.x": {"y"}} {
		got, ok := token.Claim(name)
		require.True(t, ok, name)
		require.Equal(t, want, got, name)
	}
	for _, name := range []string{"odd", "null", "o", "nix", "realm_access", "realm_access.nix", "sub.x", ""} {
		_, ok := token.Claim(name)
		require.False(t, ok, name)
	}
}

// TestAlgorithms: tokens of each algorithm that is taken hold.
func TestAlgorithms(t *testing.T) {
	s := newScene(t)
	for i, a := range algorithms {
		k := federatetest.NewKey(t, string(a), a)
		s.idp.Use(k)
		s.known.Version = uint64(10 + i) // The provider is asked anew.
		_, err := s.verify(s.idp.Token(nil))
		require.NoError(t, err, a)
	}
}

func encoded(v any) string {
	b, _ := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(b)
}

// TestForgeries are attacks on the signature.
func TestForgeries(t *testing.T) {
	s := newScene(t)
	good, claims := s.idp.Token(nil), s.idp.Claims(nil)
	_, err := s.verify(good)
	require.NoError(t, err)
	parts := strings.Split(good, ".")

	s.refused(errs.Invalid, encoded(map[string]any{"alg": "none"})+"."+encoded(claims)+".", "")
	s.refused(errs.Invalid, encoded(map[string]any{"alg": "NONE"})+"."+encoded(claims)+"."+parts[2], "")
	s.refused(errs.Invalid, encoded(map[string]any{"alg": "RS256", "kid": "k1"})+"."+encoded(claims)+".", "")
	mallory := s.idp.Claims(map[string]any{"sub": "mallory"})
	s.refused(errs.Invalid, parts[0]+"."+encoded(mallory)+"."+parts[2], "signature")

	// HS256 with the public key as the secret.
	public := s.idp.Key().Private.Public().(*rsa.PublicKey)
	der, err := x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	for _, secret := range [][]byte{der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
		x509.MarshalPKCS1PublicKey(public)} {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: secret,
			KeyID: "k1"}}, nil)
		require.NoError(t, err)
		b, _ := json.Marshal(mallory)
		signed, err := signer.Sign(b)
		require.NoError(t, err)
		text, err := signed.CompactSerialize()
		require.NoError(t, err)
		s.refused(errs.Invalid, text, "")
	}

	// A key of somebody else, under the id of the provider's and under its own, and one that the token
	// brings with it.
	foreign := federatetest.NewKey(t, "k1", jose.RS256)
	s.refused(errs.Invalid, foreign.Sign(t, mallory), "signature")
	foreign.ID = ""
	s.refused(errs.Invalid, foreign.Sign(t, mallory), "")
	foreign.ID = "k2"
	s.refused(errs.Invalid, foreign.Sign(t, mallory), "does not have")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: foreign.Private},
		(&jose.SignerOptions{EmbedJWK: true}).WithHeader("kid", "k1"))
	require.NoError(t, err)
	b, _ := json.Marshal(mallory)
	signed, err := signer.Sign(b)
	require.NoError(t, err)
	text, err := signed.CompactSerialize()
	require.NoError(t, err)
	s.refused(errs.Invalid, text, "")

	// Other forms than a compact token.
	signed, err = jose.ParseSignedCompact(good, algorithms)
	require.NoError(t, err)
	s.refused(errs.Invalid, signed.FullSerialize(), "")
	for _, bad := range []string{"", "a", "a.b", "a.b.c", "a.b.c.d.e", good + "." + good, "." + parts[1] + ".",
		parts[0] + "." + parts[1] + ".!", strings.Repeat("x", MaxTokenBytes+1), strings.Repeat(".", 100)} {
		s.refused(errs.Invalid, bad, "")
	}
	s.refused(errs.Invalid, s.idp.Token(map[string]any{"pad": strings.Repeat("x", MaxTokenBytes)}), "bytes")
	s.refused(errs.Invalid, s.idp.Key().SignBytes(t, []byte(`{"iss":"`+s.idp.URL+`"`)), "")
}

// TestWhatTokensSay is the table of claims that make a token void.
func TestWhatTokensSay(t *testing.T) {
	s := newScene(t)
	now := time.Now().Unix()
	for _, c := range []struct {
		name   string
		differ map[string]any
		kind   errs.Kind
		why    string
	}{
		{"issuer", map[string]any{"iss": s.idp.URL + "/"}, errs.Invalid, "another"},
		{"no issuer", map[string]any{"iss": nil}, errs.Invalid, "issuer"},
		{"issuer of another type", map[string]any{"iss": []string{s.idp.URL}}, errs.Invalid, "issuer"},
		{"audience", map[string]any{"aud": "other"}, errs.Denied, "audience"},
		{"no audience", map[string]any{"aud": nil}, errs.Invalid, "aud"},
		{"empty audience", map[string]any{"aud": []string{}}, errs.Denied, "audience"},
		{"audience of another type", map[string]any{"aud": map[string]any{"a": "cairn"}}, errs.Invalid, ""},
		{"audiences of another type", map[string]any{"aud": []any{"cairn", 1}}, errs.Invalid, ""},
		{"given to another", map[string]any{"azp": "other"}, errs.Denied, "azp"},
		{"azp of another type", map[string]any{"azp": 1}, errs.Invalid, "azp"},
		{"for several without azp", map[string]any{"aud": []string{"cairn", "other"}}, errs.Denied, "azp"},
		{"expired", map[string]any{"exp": now - 61}, errs.Expired, "expired"},
		{"no end", map[string]any{"exp": nil}, errs.Invalid, "exp"},
		{"end of another type", map[string]any{"exp": "tomorrow"}, errs.Invalid, ""},
		{"endless", map[string]any{"exp": 1e300}, errs.Invalid, ""},
		{"before all time", map[string]any{"exp": -1}, errs.Invalid, ""},
		{"not yet", map[string]any{"nbf": now + 120}, errs.Invalid, "not valid yet"},
		{"nbf of another type", map[string]any{"nbf": true}, errs.Invalid, ""},
		{"issued later", map[string]any{"iat": now + 120}, errs.Invalid, "not valid yet"},
		{"no subject", map[string]any{"sub": nil}, errs.Invalid, "sub"},
		{"empty subject", map[string]any{"sub": ""}, errs.Invalid, "sub"},
		{"subject of another type", map[string]any{"sub": 7}, errs.Invalid, "sub"},
		{"long subject", map[string]any{"sub": strings.Repeat("x", MaxSubjectBytes+1)}, errs.Invalid, "sub"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.verify(s.idp.Token(c.differ))
			require.Error(t, err)
			require.Equal(t, c.kind, errs.KindOf(err), "%v", err)
			require.ErrorContains(t, err, c.why)
		})
	}
	for name, differ := range map[string]map[string]any{
		"clocks apart":    {"exp": now - 30, "nbf": now + 30, "iat": now + 30},
		"several of ours": {"aud": []string{"cairn", "console"}},
		"azp":             {"aud": []string{"cairn", "other"}, "azp": "cairn"}, "fraction": {"exp": float64(now) + 100.5},
		"no iat": {"iat": nil}} {
		_, err := s.verify(s.idp.Token(differ))
		require.NoError(t, err, name)
	}
}

// TestRotation: a new key is taken at once, a revoked one no longer than MaxKeyAge, and strangers who
// name unknown keys do not make the provider be asked more often than RefreshInterval.
func TestRotation(t *testing.T) {
	s := newScene(t)
	old := s.idp.Key()
	_, err := s.verify(s.idp.Token(nil))
	require.NoError(t, err)
	require.Equal(t, 1, s.idp.Asked())

	next := federatetest.NewKey(t, "k2", jose.ES256)
	s.clock.move(RefreshInterval)
	s.idp.Use(next, old)
	_, err = s.verify(s.idp.Token(nil))
	require.NoError(t, err)
	require.Equal(t, 2, s.idp.Asked())
	_, err = s.verify(old.Sign(t, s.idp.Claims(nil)))
	require.NoError(t, err)

	stranger := federatetest.NewKey(t, "zz", jose.ES256)
	for range 50 {
		s.refused(errs.Invalid, stranger.Sign(t, s.idp.Claims(nil)), "does not have")
	}
	require.Equal(t, 2, s.idp.Asked())
	s.clock.move(RefreshInterval)
	for range 50 {
		s.refused(errs.Invalid, stranger.Sign(t, s.idp.Claims(nil)), "does not have")
	}
	require.Equal(t, 3, s.idp.Asked())

	s.idp.Use(next)
	s.clock.move(MaxKeyAge)
	s.refused(errs.Invalid, old.Sign(t, s.idp.Claims(nil)), "does not have")
	_, err = s.verify(s.idp.Token(nil))
	require.NoError(t, err)
	require.Equal(t, 4, s.idp.Asked())
}

// TestProviderFails: the last keys hold for MaxStaleAge, and a provider that fails is asked less and
// less often.
func TestProviderFails(t *testing.T) {
	s := newScene(t)
	down := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	s.idp.Misbehave(down, nil)
	token := s.idp.Token(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})
	for range 20 {
		s.refused(errs.Unavailable, token, "status 502")
	}
	require.Equal(t, 1, s.idp.Asked())
	for want, pause := 2, minPause; pause <= maxPause; want, pause = want+1, 2*pause {
		s.clock.move(pause - time.Millisecond*500)
		s.refused(errs.Unavailable, token, "")
		require.Equal(t, want-1, s.idp.Asked(), pause)
		s.clock.move(500 * time.Millisecond)
		s.refused(errs.Unavailable, token, "")
		require.Equal(t, want, s.idp.Asked(), pause)
	}
	s.idp.Misbehave(nil, nil)
	s.clock.move(maxPause)
	_, err := s.verify(token)
	require.NoError(t, err)

	s.idp.Misbehave(down, nil)
	s.clock.move(MaxKeyAge)
	for range 10 {
		_, err = s.verify(token)
		require.NoError(t, err)
	}
	s.clock.move(MaxStaleAge)
	s.refused(errs.Unavailable, token, "")
}

// TestDocuments are answers of a provider that are no use, each of which ends.
func TestDocuments(t *testing.T) {
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) }
	}
	endless := func(w http.ResponseWriter, _ *http.Request) {
		for b := []byte(strings.Repeat(" ", 32<<10)); ; {
			if _, err := w.Write(b); err != nil {
				return
			}
		}
	}
	weak := `{"keys":[{"kty":"RSA","kid":"k1","n":"` + base64.RawURLEncoding.EncodeToString(make([]byte, 64)) +
		`","e":"AQAB"},{"kty":"oct","kid":"k1","k":"c2VzYW1l"},{"kty":"what"},7]}`
	for name, c := range map[string]struct {
		keys, discovery http.HandlerFunc
		kind            errs.Kind
	}{
		"endless keys":      {endless, nil, errs.Unavailable},
		"endless discovery": {nil, endless, errs.Unavailable},
		"no JSON":           {text("<html>"), nil, errs.Unavailable},
		"too many keys":     {text(`{"keys":[` + strings.Repeat("{},", MaxKeys) + `{}]}`), nil, errs.Unavailable},
		"no keys":           {text(`{"keys":[]}`), nil, errs.Invalid},
		"useless keys":      {text(weak), nil, errs.Invalid},
		"another " +
			"issuer": {nil, text(`{"issuer":"https://other.example.com","jwks_uri":"https://other.example.com/k"}`),
			errs.Unavailable},
		"redirects": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/keys",
				http.StatusFound)
		}, nil, errs.Unavailable},
		"elsewhere in clear": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/keys", http.StatusFound)
		}, nil, errs.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.idp.Misbehave(c.keys, c.discovery)
			s.refused(c.kind, s.idp.Token(nil), "")
			require.LessOrEqual(t, s.idp.Asked(), maxRedirects+1)
		})
	}
	s := newScene(t)
	s.idp.Misbehave(nil, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"issuer":"`+s.idp.URL+`","jwks_uri":"http://192.0.2.1/keys"}`)
	})
	s.refused(errs.Unavailable, s.idp.Token(nil), "https")
}

// TestSlowProvider: whoever waits for a provider holds one of few places, and others are refused at
// once; the wait ends with the request.
func TestSlowProvider(t *testing.T) {
	s := newScene(t)
	release := make(chan struct{})
	s.idp.Misbehave(func(http.ResponseWriter, *http.Request) { <-release }, nil)
	token := s.idp.Token(nil)
	keys, err := s.v.keysOf(s.known)
	require.NoError(t, err)
	var waiting sync.WaitGroup
	for range MaxVerifying {
		waiting.Go(func() {
			_, err := s.verify(token)
			require.Equal(t, errs.Unavailable, errs.KindOf(err))
		})
	}
	require.Eventually(t, func() bool { return len(keys.slots) == MaxVerifying }, 2*time.Minute, time.Millisecond)
	s.refused(errs.Overloaded, token, "too many")
	close(release)
	waiting.Wait()
	require.Equal(t, 1, s.idp.Asked())
}

// TestCertificates: a provider of https is believed by the certificates that are given.
func TestCertificates(t *testing.T) {
	s := newScene(t)
	secure := httptest.NewUnstartedServer(nil)
	secure.Config.ErrorLog = nil
	secure.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/.well-known/") {
			_, _ = io.WriteString(w, `{"issuer":"`+secure.URL+`","jwks_uri":"`+secure.URL+`/keys"}`)
			return
		}
		s.idp.Config.Handler.ServeHTTP(w, r)
	})
	secure.StartTLS()
	t.Cleanup(secure.Close)
	s.known.Issuer = secure.URL
	token := s.idp.Token(map[string]any{"iss": secure.URL})
	s.refused(errs.Unavailable, token, "certificate")
	s.known.CAPEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}))
	s.known.Version++
	_, err := s.verify(token)
	require.NoError(t, err)
	require.NoError(t, CheckCA(s.known.CAPEM))
	require.Error(t, CheckCA("no certificate"))
	s.v.Forget(func(string) bool { return false })
	require.Empty(t, s.v.known)
}

// TestCheckIssuer is the table of what an issuer may be.
func TestCheckIssuer(t *testing.T) {
	for issuer, good := range map[string]bool{"https://id.example.com": true,
		"https://id.example.com:8443/realms/a": true,
		"http://localhost:5556/dex":            true, "http://127.0.0.1:1": true, "http://[::1]:1/x": true,
		"http://id.example.com": false, "http://10.0.0.1": false, "": false, "id.example.com": false,
		"ftp://localhost/x": false, "https://u:p@id.example.com": false,
		"https://id.example.com?x=y": false, "https://id.example.com#x": false, "https:///x": false,
		"http://localhost.example.com":                                  false,
		"https://id.example.com/" + strings.Repeat("x", MaxIssuerBytes): false} {
		require.Equal(t, good, CheckIssuer(issuer) == nil, issuer)
	}
}
