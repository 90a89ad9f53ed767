package kms

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/sse"
)

func secretFile(t *testing.T, text string) string {
	name := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

// withVault runs a test in a bubble with a Vault that has the root token, or what change sets.
func withVault(t *testing.T, change func(*VaultConfig), f func(t *testing.T, v *Vault, server *fakeVault)) {
	token, secret := secretFile(t, "s.root\n"), secretFile(t, "secret-1\n")
	synctest.Test(t, func(t *testing.T) {
		server := newFakeVault()
		cfg := VaultConfig{Address: "https://vault.test:8200", TokenFile: token}
		if change != nil {
			cfg.SecretIDFile = secret
			change(&cfg)
		}
		v, err := newVault(cfg, server)
		require.NoError(t, err)
		defer v.Close()
		f(t, v, server)
	})
}

func TestVaultKeys(t *testing.T) {
	withVault(t, nil, func(t *testing.T, v *Vault, server *fakeVault) {
		ctx, d := context.Background(), sse.NewDataKey()
		ids, err := v.List(ctx)
		require.NoError(t, err)
		require.Empty(t, ids)
		require.NoError(t, v.Create(ctx, "k"))
		text, version, err := v.Encrypt(ctx, "k", d, []byte("aad"))
		require.NoError(t, err)
		require.Equal(t, uint32(1), version)
		require.NoError(t, v.Create(ctx, "k"), "a key that is there stays as it is")
		require.NoError(t, v.Rotate(ctx, "k"))
		second, version, err := v.Encrypt(ctx, "k", d, []byte("aad"))
		require.NoError(t, err)
		require.Equal(t, uint32(2), version)
		for _, sealed := range [][]byte{text, second} {
			got, err := v.Decrypt(ctx, "k", sealed, []byte("aad"))
			require.NoError(t, err)
			require.Equal(t, d.Bytes(), got.Bytes())
			_, err = v.Decrypt(ctx, "k", sealed, []byte("other"))
			require.Equal(t, errs.Corrupt, errs.KindOf(err))
		}
		for _, bad := range []string{"", "vault:v1:", "vault:v1:!", "x", "vault:v9:" + strings.Repeat("A", 100)} {
			_, err := v.Decrypt(ctx, "k", []byte(bad), nil)
			require.Equal(t, errs.Corrupt, errs.KindOf(err), bad)
		}
		server.keys["cairn-k"].minDecryption = 2
		_, err = v.Decrypt(ctx, "k", text, []byte("aad"))
		require.Equal(t, errs.Denied, errs.KindOf(err), "an old version that Vault retired")

		server.keys["theirs"] = server.keys["cairn-k"]
		ids, err = v.List(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"k"}, ids, "only those with the prefix")
		require.NoError(t, v.Destroy(ctx, "k"))
		require.NoError(t, v.Destroy(ctx, "k"), "once more is no error")
		require.Contains(t, server.keys, "theirs")
		_, err = v.Decrypt(ctx, "k", second, []byte("aad"))
		require.Equal(t, errs.NotFound, errs.KindOf(err))
		require.Equal(t, errs.NotFound, errs.KindOf(v.Rotate(ctx, "k")))
		server.upsert = true
		_, _, err = v.Encrypt(ctx, "k", d, nil)
		require.Equal(t, errs.NotFound, errs.KindOf(err), "a deleted key is not made again")
		require.NotContains(t, server.keys, "cairn-k")

		require.NoError(t, v.Create(ctx, "derived"))
		server.keys["cairn-derived"].derived = true
		_, _, err = v.Encrypt(ctx, "derived", d, nil)
		require.Equal(t, errs.Invalid, errs.KindOf(err))
		require.NoError(t, v.Check(ctx))
	})
}

// TestVaultFailures: for each thing that the server may do, the kind of the error, how many tries
// it takes, how long it takes, and what the error says.
func TestVaultFailures(t *testing.T) {
	answer := func(status int, text string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text))
			return true
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(*fakeVault)
		kind  errs.Kind
		tries int
		took  time.Duration
		says  string
	}{
		{"sealed", func(f *fakeVault) { f.sealed = true }, errs.Unavailable, 3, 300 * time.Millisecond, "Vault is sealed"},
		{"slow", func(f *fakeVault) { f.slow = time.Minute }, errs.Unavailable, 0, 3*DefaultVaultTimeout + 300*time.Millisecond, "too slow"},
		{"quota", func(f *fakeVault) { f.limited, f.retryAfter = 99, "1" }, errs.Overloaded, 3, 2 * time.Second, "rate limit quota exceeded"},
		{"quota for long", func(f *fakeVault) { f.limited, f.retryAfter = 99, "60" }, errs.Overloaded, 1, 0, "rate limit"},
		{"quota without a time", func(f *fakeVault) { f.limited, f.retryAfter = 99, "soon" }, errs.Overloaded, 3, 300 * time.Millisecond, "rate limit"},
		{"standby", func(f *fakeVault) { f.instead = answer(473, `{"errors":["standby"]}`) }, errs.Unavailable, 3, 300 * time.Millisecond, "473"},
		{"recovery", func(f *fakeVault) { f.instead = answer(472, `{"errors":[]}`) }, errs.Unavailable, 3, 300 * time.Millisecond, "472"},
		{"not caught up", func(f *fakeVault) { f.instead = answer(412, `{"errors":["required index state not present"]}`) }, errs.Unavailable, 3, 300 * time.Millisecond, "412"},
		{"gateway", func(f *fakeVault) { f.instead = answer(502, "<html>secret page</html>") }, errs.Unavailable, 3, 300 * time.Millisecond, "not one of Vault"},
		{"no Vault", func(f *fakeVault) { f.instead = answer(200, "<html>") }, errs.Unavailable, 1, 0, "not one of Vault"},
		{"other JSON", func(f *fakeVault) { f.instead = answer(200, `{"data":{"x":1}}`) }, errs.Unavailable, 1, 0, "not one of Vault"},
		{"JSON of other types", func(f *fakeVault) { f.instead = answer(200, `{"data":{"plaintext":7}}`) }, errs.Unavailable, 1, 0, "not one of Vault"},
		{"key of wrong length", func(f *fakeVault) { f.instead = answer(200, `{"data":{"plaintext":"QUJD"}}`) }, errs.Unavailable, 1, 0, "not one of Vault"},
		{"no content", func(f *fakeVault) { f.instead = answer(204, "") }, errs.Unavailable, 1, 0, "not one of Vault"},
		{"endless", func(f *fakeVault) {
			f.instead = answer(200, `{"data":{"x":"`+strings.Repeat("x", 2*vaultAnswerMaxBytes))
		}, errs.Unavailable, 1, 0, "not one of Vault"},
		{"no policy", func(f *fakeVault) { f.tokens["s.root"].powerless = true }, errs.Unavailable, 1, 0, "check the token and its policy"},
		{"no mount", func(f *fakeVault) {
			f.instead = answer(404, `{"errors":["no handler for route \"transit/decrypt/cairn-k\". route entry not found."]}`)
		},
			errs.Unavailable, 1, 0, "no handler for route"},
		{"no such method", func(f *fakeVault) { f.instead = answer(405, `{"errors":["unsupported operation"]}`) }, errs.Unavailable, 1, 0, "405"},
	} {
		t.Run(c.name, func(t *testing.T) {
			withVault(t, nil, func(t *testing.T, v *Vault, server *fakeVault) {
				ctx, d := context.Background(), sse.NewDataKey()
				require.NoError(t, v.Create(ctx, "k"))
				text, _, err := v.Encrypt(ctx, "k", d, nil)
				require.NoError(t, err)
				server.mu.Lock()
				c.spoil(server)
				server.log = nil
				server.mu.Unlock()
				start := time.Now()
				_, err = v.Decrypt(ctx, "k", text, nil)
				require.Equal(t, c.kind, errs.KindOf(err), "%v", err)
				require.ErrorContains(t, err, c.says)
				require.NotContains(t, err.Error(), "secret page")
				require.NotContains(t, err.Error(), "s.root")
				require.Equal(t, c.took, time.Since(start))
				require.Len(t, server.log, c.tries)
			})
		})
	}
}

// TestVaultComesBack: nobody notices a short trouble.
func TestVaultComesBack(t *testing.T) {
	withVault(t, nil, func(t *testing.T, v *Vault, server *fakeVault) {
		ctx := context.Background()
		require.NoError(t, v.Create(ctx, "k"))
		server.limited, server.retryAfter = 2, "1"
		require.NoError(t, v.Check(ctx))
		server.sealed = true
		time.AfterFunc(250*time.Millisecond, func() {
			server.mu.Lock()
			defer server.mu.Unlock()
			server.sealed = false
		})
		require.NoError(t, v.Check(ctx))
	})
}

func TestVaultCallerGoesAway(t *testing.T) {
	withVault(t, nil, func(t *testing.T, v *Vault, server *fakeVault) {
		require.NoError(t, v.Check(context.Background()))
		for _, spoil := range []func(){func() { server.slow = time.Minute }, func() { server.slow, server.sealed = 0, true }} {
			spoil()
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			start := time.Now()
			err := v.Check(ctx)
			cancel()
			require.Equal(t, errs.Canceled, errs.KindOf(err), "%v", err)
			require.Equal(t, 50*time.Millisecond, time.Since(start))
			synctest.Wait()
		}
	})
}

// TestVaultRotatesOnce: what may have been done is not done again.
func TestVaultRotatesOnce(t *testing.T) {
	withVault(t, nil, func(t *testing.T, v *Vault, server *fakeVault) {
		ctx := context.Background()
		require.NoError(t, v.Create(ctx, "k"))
		for status, want := range map[int]errs.Kind{500: errs.Unknown, 502: errs.Unknown, 503: errs.Unavailable, 429: errs.Overloaded} {
			n := 0
			server.instead = func(w http.ResponseWriter, _ *http.Request) bool {
				n++
				vaultErrors(w, status, "trouble")
				return true
			}
			err := v.Rotate(ctx, "k")
			require.Equal(t, want, errs.KindOf(err), "%d", status)
			require.Equal(t, want == errs.Unknown, n == 1, "%d", status)
		}
		server.instead, server.slow = nil, time.Minute
		require.Equal(t, errs.Unknown, errs.KindOf(v.Rotate(ctx, "k")))
		require.Len(t, server.keys["cairn-k"].versions, 1)
	})
}

// TestVaultOverTLS uses the real transport, with a CA of its own, a namespace, and an environment
// that must not matter. No redirect is followed, so the token is shown to nobody whom an answer
// names.
func TestVaultOverTLS(t *testing.T) {
	t.Setenv("VAULT_TOKEN", "s.environment")
	t.Setenv("VAULT_NAMESPACE", "environment")
	t.Setenv("VAULT_SKIP_VERIFY", "true")
	t.Setenv("VAULT_WRAP_TTL", "5m")
	active := newFakeVault()
	active.namespace = "team/a"
	server := httptest.NewUnstartedServer(active)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // The handshakes that must fail.
	server.StartTLS()
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.crt")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	good := VaultConfig{Address: server.URL, Namespace: "team/a", CAFile: ca, TokenFile: secretFile(t, "s.root"), Tries: 1}
	check := func(change func(*VaultConfig)) error {
		cfg := good
		change(&cfg)
		v, err := NewVault(cfg)
		require.NoError(t, err)
		defer v.Close()
		return v.Check(context.Background())
	}
	require.NoError(t, check(func(*VaultConfig) {}))
	require.NoError(t, check(func(c *VaultConfig) { c.ServerName = "example.com" }))
	for _, status := range []int{301, 302, 303, 307, 308} {
		shown := 0
		elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { shown++ }))
		standby := httptest.NewTLSServer(http.RedirectHandler(elsewhere.URL+"/v1/auth/token/lookup-self", status))
		err := check(func(c *VaultConfig) { c.Address = standby.URL })
		require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
		require.ErrorContains(t, err, "not followed")
		require.Zero(t, shown)
		standby.Close()
		elsewhere.Close()
	}
	for want, change := range map[string]func(*VaultConfig){
		"certificate":        func(c *VaultConfig) { c.CAFile = "" },
		"not other.test":     func(c *VaultConfig) { c.ServerName = "other.test" },
		"no handler":         func(c *VaultConfig) { c.Namespace = "team/b" },
		"connection refused": func(c *VaultConfig) { c.Address = "https://127.0.0.1:1" },
	} {
		err := check(change)
		require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
		require.ErrorContains(t, err, want)
	}
}

func TestVaultConfig(t *testing.T) {
	good := VaultConfig{Address: "https://v:8200", TokenFile: "t"}
	for name, change := range map[string]func(*VaultConfig){
		"no address":   func(c *VaultConfig) { c.Address = "" },
		"no scheme":    func(c *VaultConfig) { c.Address = "v:8200" },
		"scheme":       func(c *VaultConfig) { c.Address = "ftp://v" },
		"path":         func(c *VaultConfig) { c.Address = "https://v/v1" },
		"no auth":      func(c *VaultConfig) { c.TokenFile = "" },
		"both":         func(c *VaultConfig) { c.RoleID = "r" },
		"half a role":  func(c *VaultConfig) { c.TokenFile, c.RoleID = "", "r" },
		"other half":   func(c *VaultConfig) { c.TokenFile, c.SecretIDFile = "", "s" },
		"prefix":       func(c *VaultConfig) { c.KeyPrefix = "../" },
		"time-out":     func(c *VaultConfig) { c.Timeout = -1 },
		"no such CA":   func(c *VaultConfig) { c.CAFile = "/nonexistent" },
		"CA is no PEM": func(c *VaultConfig) { c.CAFile = secretFile(t, "x") },
	} {
		cfg := good
		change(&cfg)
		_, err := NewVault(cfg)
		require.Equal(t, errs.Invalid, errs.KindOf(err), name)
	}
	v, err := NewVault(good)
	require.NoError(t, err)
	defer v.Close()
	require.Equal(t, "transit/keys/cairn-k/rotate", v.path("keys", "k", "/rotate"))
}

// TestServiceOverVault goes the whole way, and checks that no print of the driver has a token.
func TestServiceOverVault(t *testing.T) {
	withVault(t, nil, func(t *testing.T, v *Vault, server *fakeVault) {
		ctx := context.Background()
		s := New(newFakeDirectory(), Config{Region: region, Root: testRoot(1), External: v})
		defer s.Close()
		id, err := s.Resolve(ctx, "acc1", "")
		require.NoError(t, err)
		k, e, d := wrapped(t, s, id)
		requireOpens(t, k, e, d)
		_, err = s.Rotate(ctx, id)
		require.NoError(t, err)
		_, second, _ := wrapped(t, s, id)
		require.Equal(t, uint32(2), second.KmsKeyVersion)
		server.mu.Lock()
		server.sealed = true
		server.mu.Unlock()
		requireOpens(t, k, e, d)
		time.Sleep(domainKeyLife)
		requireRefused(t, errs.Unavailable, k, e)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			for _, x := range []any{v, *v, v.cfg, v.auth, s, *s, s.cfg, k} {
				got := fmt.Sprintf(verb, x)
				require.NotContains(t, got, "s.root", "%s of %T", verb, x)
				require.NotContains(t, got, fmt.Sprintf("%x", "s.root"), "%s of %T", verb, x)
			}
		}
	})
}
