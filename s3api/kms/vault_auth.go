package kms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/hashicorp/vault/api"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/identity"
)

// vaultAuth has the token that requests carry. It is the one in a file, or one that an AppRole got
// by logging in. It is renewed in time, and replaced when it ends or is refused.
type vaultAuth struct {
	v  *Vault
	wg sync.WaitGroup // Counts the goroutines that watch over the token's life.

	lock    chan struct{} // Holds one element while somebody uses what is below, also while it logs in.
	current string        // Empty: none.
	stale   bool          // Not to be used again if another one can be had.
	file    fs.FileInfo   // Of the token file, when it was read.
	watcher *api.LifetimeWatcher
	closed  bool
}

// Format keeps the token out of every log line and error.
func (*vaultAuth) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "kms.vaultAuth(redacted)") }

func newVaultAuth(v *Vault) *vaultAuth { return &vaultAuth{v: v, lock: make(chan struct{}, 1)} }

func (a *vaultAuth) acquire(ctx context.Context) error {
	select {
	case a.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errs.New("kms.vaultAuth", errs.Canceled, context.Cause(ctx))
	}
}

func (a *vaultAuth) release() { <-a.lock }

// token returns the token to use now.
func (a *vaultAuth) token(ctx context.Context) (string, error) {
	if err := a.acquire(ctx); err != nil {
		return "", err
	}
	defer a.release()
	if a.closed {
		return "", errs.Newf("kms.vaultAuth", errs.Unavailable, "the driver is closed")
	}
	if a.v.cfg.TokenFile != "" {
		return a.fromFile(ctx)
	}
	if a.current == "" || a.stale {
		if err := a.login(ctx); err != nil {
			return "", err
		}
	}
	return a.current, nil
}

// refused notes that the server did not accept a token, and reports whether another one may be
// better.
func (a *vaultAuth) refused(ctx context.Context, token string) bool {
	if a.acquire(ctx) != nil {
		return false
	}
	defer a.release()
	if a.current != token {
		return true // It was replaced meanwhile.
	}
	a.stale = true
	if a.v.cfg.TokenFile == "" {
		return true
	}
	text, err := identity.ReadSecretFile(a.v.cfg.TokenFile)
	return err == nil && strings.TrimSpace(text) != token
}

// fromFile returns the token in the file. It reads the file again if it has changed or its token
// has ended.
func (a *vaultAuth) fromFile(ctx context.Context) (string, error) {
	const op = "kms.vaultAuth"
	name := a.v.cfg.TokenFile
	info, err := os.Stat(name)
	if err == nil && !a.stale && a.file != nil && os.SameFile(info, a.file) && info.ModTime().Equal(a.file.ModTime()) && info.Size() == a.file.Size() {
		return a.current, nil
	}
	var text string
	if err == nil {
		text, err = identity.ReadSecretFile(name)
	}
	text = strings.TrimSpace(text)
	if err != nil {
		return "", errs.Newf(op, errs.Unavailable, "token of Vault: %w", err)
	}
	if text == "" {
		return "", errs.Newf(op, errs.Unavailable, "token of Vault: file %s is empty", name)
	}
	if text != a.current {
		// A token that may not look itself up cannot be renewed either, but it may be used.
		var life *api.SecretAuth
		data, err := a.v.send(ctx, text, &request{method: http.MethodGet, path: "auth/token/lookup-self"})
		var answer *vaultError
		switch {
		case errors.As(err, &answer) && answer.status == http.StatusForbidden:
		case err != nil:
			return "", err
		default:
			ttl, _ := data["ttl"].(json.Number)
			seconds, _ := ttl.Int64()
			renewable, _ := data["renewable"].(bool)
			life = &api.SecretAuth{ClientToken: text, LeaseDuration: int(seconds), Renewable: renewable}
		}
		a.use(text, life)
	}
	a.stale, a.file = false, info
	return text, nil
}

// login gets a token for the AppRole. The caller holds the lock.
func (a *vaultAuth) login(ctx context.Context) error {
	const op = "kms.vaultAuth"
	secretID, err := identity.ReadSecretFile(a.v.cfg.SecretIDFile)
	if err != nil {
		return errs.Newf(op, errs.Unavailable, "secret id of Vault: %w", err)
	}
	secret, err := a.v.exchange(ctx, "", &request{method: http.MethodPost, path: "auth/" + a.v.cfg.AppRoleMount + "/login",
		body: map[string]any{"role_id": a.v.cfg.RoleID, "secret_id": strings.TrimSpace(secretID)}})
	if err != nil {
		return err
	}
	if secret == nil || secret.Auth == nil || secret.Auth.ClientToken == "" {
		return strangeAnswer(op)
	}
	a.use(secret.Auth.ClientToken, secret.Auth)
	a.stale = false
	return nil
}

// use makes token the current one, and renews it in time. If life is nil or has no duration, the
// token is not renewed.
func (a *vaultAuth) use(token string, life *api.SecretAuth) {
	a.stopWatcher()
	a.current = token
	if life == nil || life.LeaseDuration <= 0 {
		return
	}
	w, err := a.v.client.NewLifetimeWatcher(&api.LifetimeWatcherInput{Secret: &api.Secret{Auth: life}})
	if err != nil {
		panic("kms: lifetime watcher: " + err.Error()) // Only missing input fails.
	}
	a.watcher = w
	a.wg.Go(w.Start)
	a.wg.Go(func() {
		<-w.DoneCh()
		a.lock <- struct{}{}
		defer a.release()
		if a.current == token {
			a.stale = true
		}
	})
}

func (a *vaultAuth) stopWatcher() {
	if a.watcher != nil {
		a.watcher.Stop()
		a.watcher = nil
	}
}

// close ends the watch over the token, and waits for a renewal that is under way.
func (a *vaultAuth) close() {
	a.lock <- struct{}{}
	a.closed = true
	a.stopWatcher()
	a.release()
	a.wg.Wait()
}
