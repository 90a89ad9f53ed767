package iam

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

// TestLookup looks up long-lived keys.
func TestLookup(t *testing.T) {
	w := newWorld(t)
	acme, acmeKey := w.account("acme")
	ops, opsKey, err := w.admin.AddAccount(t.Context(), AccountSpec{Name: "ops", ID: "ops-1", Admin: true, AccessKey: "opskey", Secret: "ops-secret"})
	require.NoError(t, err)
	require.Equal(t, "opskey", opsKey.ID)
	bob, bobKey := w.user("acme", "bob")
	_, opsUserKey := w.user("ops", "carl", "admin")
	_, inRoot := w.user(RootAccountName, "dora")

	for _, c := range []struct {
		key       string
		want      Identity
		initiator string
		arn       string
	}{
		{rootUser, Identity{Account: RootAccount, AccountName: RootAccountName, Root: true, Admin: true}, RootAccount, "arn:aws:iam::cairn-root:root"},
		{acmeKey.ID, Identity{Account: acme.Id, AccountName: "acme", Root: true}, acme.Id, "arn:aws:iam::" + acme.Id + ":root"},
		{"opskey", Identity{Account: ops.Id, AccountName: "ops", Root: true, Admin: true}, "ops-1", "arn:aws:iam::ops-1:root"},
		{bobKey.ID, Identity{Account: acme.Id, AccountName: "acme", User: "bob", UserID: bob.Id}, bob.Id, "arn:aws:iam::" + acme.Id + ":user/bob"},
	} {
		c.want.AccessKey = c.key
		got := w.identity(c.key, "")
		require.Equal(t, &c.want, got)
		require.Equal(t, c.initiator, got.Initiator())
		require.Equal(t, c.arn, got.ARN())
		require.Equal(t, c.arn+" by "+c.key, got.String())
	}
	require.False(t, w.identity(opsUserKey.ID, "").Admin, "users of an admin account have their policies alone")
	require.False(t, w.identity(inRoot.ID, "").Admin)
	require.Equal(t, RootAccount, w.identity(inRoot.ID, "").Account)

	c, err := w.keys.Lookup(t.Context(), bobKey.ID, "")
	require.NoError(t, err)
	require.Equal(t, bobKey.Secret, c.Secret)

	w.refused(errs.NotFound, "AKIANOBODY", "")
	w.refused(errs.NotFound, "", "")
	w.refused(errs.NotFound, "AKIANOBODY", "token")
	w.refused(errs.NotFound, "ASIANOBODY", "")
	w.refused(errs.Denied, "ASIANOBODY", "token")
	w.refused(errs.Denied, bobKey.ID, "token")
	w.refused(errs.Denied, rootUser, "token")

	other := newNode(t, w.meta, [SecretKeyBytes]byte{9}, rootPassword)
	other.refused(errs.Unavailable, bobKey.ID, "")
}

// TestDisabled disables keys, which another node then refuses from its next load of the directory
// on, and enables them again.
func TestDisabled(t *testing.T) {
	w := newWorld(t)
	w.account("acme")
	_, key := w.user("acme", "bob")
	session, err := w.sts.SessionToken(t.Context(), w.identity(key.ID, ""), 0)
	require.NoError(t, err)
	peer := w.peer()
	ctx := t.Context()
	for name, set := range map[string]func(bool) error{
		"key":     func(off bool) error { return w.admin.SetKeyDisabled(ctx, key.ID, off) },
		"user":    func(off bool) error { return w.admin.SetUserDisabled(ctx, "acme", "bob", off) },
		"account": func(off bool) error { return w.admin.SetAccountDisabled(ctx, "acme", off) },
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, set(true))
			w.refused(errs.NotFound, key.ID, "")
			w.refused(errs.Denied, session.AccessKey, session.Token)
			require.Equal(t, "bob", peer.identity(key.ID, "").User, "not known there yet")
			require.NoError(t, peer.dir.Refresh(ctx))
			peer.refused(errs.NotFound, key.ID, "")
			peer.refused(errs.Denied, session.AccessKey, session.Token)

			require.NoError(t, set(false))
			require.NoError(t, peer.dir.Refresh(ctx))
			require.Equal(t, "bob", peer.identity(key.ID, "").User)
			require.Equal(t, "bob", peer.identity(session.AccessKey, session.Token).User)
		})
	}
	require.NoError(t, w.admin.RemoveUser(ctx, "acme", "bob", true))
	w.refused(errs.NotFound, key.ID, "")
	w.refused(errs.Denied, session.AccessKey, session.Token)
}

// TestNothingShowsSecrets formats everything that holds a secret.
func TestNothingShowsSecrets(t *testing.T) {
	w := newWorld(t)
	_, key := w.account("acme")
	session, err := w.sts.SessionToken(t.Context(), w.identity(key.ID, ""), 0)
	require.NoError(t, err)
	opened, err := w.keys.secret.openToken(session.AccessKey, session.Token)
	require.NoError(t, err)
	config := KeysConfig{SecretKey: testKey, RootPassword: rootPassword}
	secrets := []string{key.Secret, session.Secret, session.Token, rootPassword, hex.EncodeToString(testKey[:]), "1, 2, 3", "1 2 3", "0x1, 0x2, 0x3"}
	for _, v := range []any{
		key, *key, session, &session, opened, w.keys, config, &config, w.keys.secret, w.identity(key.ID, ""),
		w.identity(session.AccessKey, session.Token), KeySpec{Secret: key.Secret}, AccountSpec{Secret: key.Secret},
		sigauth.Credential{Secret: key.Secret}, &AssumedRole{SessionCredentials: session},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			text := fmt.Sprintf(verb, v)
			for _, s := range secrets {
				require.NotContains(t, text, s, "%s of %T", verb, v)
			}
		}
	}
	for _, v := range []any{key, *key, session, &session} {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		for _, s := range secrets {
			require.NotContains(t, string(text), s, "JSON of %T", v)
		}
	}
	// What is stored is sealed.
	for _, e := range w.dir.List(metapb.EntryKind_ENTRY_ACCESS_KEY) {
		require.NotContains(t, string(e.Value), key.Secret)
	}
}

// TestSealProperty opens texts that were sealed, and cannot open any others.
func TestSealProperty(t *testing.T) {
	k := &secretKey{testKey}
	rapid.Check(t, func(t *rapid.T) {
		name, text := rapid.String().Draw(t, "name"), rapid.SliceOf(rapid.Byte()).Draw(t, "text")
		sealed := k.seal(keyLabel, name, text)
		require.Len(t, sealed, len(text)+sealOverhead)
		got, err := k.open(keyLabel, name, sealed)
		require.NoError(t, err)
		require.Equal(t, string(text), string(got))

		_, err = k.open(keyLabel, name+"x", sealed)
		require.Error(t, err)
		_, err = k.open(tokenLabel, name, sealed)
		require.Error(t, err)
		_, err = (&secretKey{}).open(keyLabel, name, sealed)
		require.Error(t, err)
		_, err = k.open(keyLabel, name, sealed[:rapid.IntRange(0, len(sealed)-1).Draw(t, "length")])
		require.Error(t, err)
		sealed[rapid.IntRange(0, len(sealed)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		_, err = k.open(keyLabel, name, sealed)
		require.Error(t, err)
	})
}

func BenchmarkLookup(b *testing.B) {
	w := newWorld(b)
	_, key := w.account("acme")
	session, err := w.sts.SessionToken(b.Context(), w.identity(key.ID, ""), 0)
	require.NoError(b, err)
	b.Run("key", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = w.keys.Lookup(b.Context(), key.ID, "")
		}
	})
	b.Run("session", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = w.keys.Lookup(b.Context(), session.AccessKey, session.Token)
		}
	})
}
