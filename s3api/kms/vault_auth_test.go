package kms

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
)

func asRole(cfg *VaultConfig) { cfg.TokenFile, cfg.RoleID = "", "role-1" }

func TestVaultAppRole(t *testing.T) {
	withVault(t, asRole, func(t *testing.T, v *Vault, server *fakeVault) {
		ctx := context.Background()
		require.NoError(t, v.Create(ctx, "k"))
		require.NoError(t, v.Rotate(ctx, "k"))
		require.Equal(t, 1, server.logins, "one token for all")
		time.Sleep(10 * time.Hour) // 30 times the token's life.
		synctest.Wait()
		require.NoError(t, v.Check(ctx))
		require.Equal(t, 1, server.logins, "it is renewed in time")

		server.mu.Lock()
		server.tokens = make(map[string]*vaultToken) // Revoked.
		server.mu.Unlock()
		require.NoError(t, v.Rotate(ctx, "k"), "a refused request was not done: it is sent again with another token")
		require.Equal(t, 2, server.logins)
		require.Len(t, server.keys["cairn-k"].versions, 3)

		server.mu.Lock()
		server.tokens, server.secretIDs = make(map[string]*vaultToken), nil
		server.mu.Unlock()
		err := v.Check(ctx)
		require.Equal(t, errs.Unavailable, errs.KindOf(err))
		require.ErrorContains(t, err, "invalid role or secret ID")
		require.NotContains(t, err.Error(), "secret-1")
	})
}

// TestVaultTokenThatCannotBeRenewed: a token that cannot be renewed is replaced before it ends.
func TestVaultTokenThatCannotBeRenewed(t *testing.T) {
	withVault(t, asRole, func(t *testing.T, v *Vault, server *fakeVault) {
		ctx := context.Background()
		server.instead = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/renew-self") {
				vaultErrors(w, 403, "permission denied")
				return true
			}
			return false
		}
		for range 10 {
			require.NoError(t, v.Check(ctx))
			time.Sleep(20 * time.Minute)
			synctest.Wait()
		}
		for _, line := range server.log {
			require.NotContains(t, line, "transit")
		}
		require.Equal(t, 10, server.logins)
	})
}

func TestVaultTokenFile(t *testing.T) {
	name := secretFile(t, "s.first")
	withVault(t, func(c *VaultConfig) { c.TokenFile, c.SecretIDFile = name, "" }, func(t *testing.T, v *Vault, server *fakeVault) {
		ctx := context.Background()
		server.tokens["s.first"] = &vaultToken{until: time.Now().Add(time.Hour), ttl: time.Hour, renewable: true}
		require.NoError(t, v.Check(ctx))
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		require.NoError(t, v.Check(ctx), "it is renewed in time")

		server.mu.Lock()
		delete(server.tokens, "s.first")
		server.mu.Unlock()
		err := v.Check(ctx)
		require.Equal(t, errs.Unavailable, errs.KindOf(err))
		require.ErrorContains(t, err, "check the token")

		server.mu.Lock()
		server.tokens["s.second"] = &vaultToken{powerless: true}
		server.mu.Unlock()
		require.NoError(t, os.WriteFile(name, []byte("s.second\n"), 0o600))
		require.NoError(t, v.Check(ctx), "a changed file is read again")

		require.NoError(t, os.WriteFile(name, nil, 0o600))
		require.ErrorContains(t, v.Check(ctx), "is empty")
		require.NoError(t, os.Chmod(name, 0o644))
		require.ErrorContains(t, v.Check(ctx), "chmod 600")
		require.NoError(t, os.Remove(name))
		require.ErrorContains(t, v.Check(ctx), "no such file")
	})
}

func TestVaultIsClosed(t *testing.T) {
	withVault(t, asRole, func(t *testing.T, v *Vault, _ *fakeVault) {
		require.NoError(t, v.Check(context.Background()))
		v.Close()
		require.ErrorContains(t, v.Check(context.Background()), "closed")
	})
}
