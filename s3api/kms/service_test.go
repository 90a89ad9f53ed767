package kms

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/sse"
)

const region = "region1"

func testRoot(first byte) *RootKey {
	b := make([]byte, rootKeyBytes)
	for i := range b {
		b[i] = first + byte(i)
	}
	return newRootKey(b)
}

// each runs a test with built-in and with external keys.
func each(t *testing.T, f func(t *testing.T, s *Service, dir *fakeDirectory)) {
	for name, external := range map[string]External{"built in": nil, "external": newFakeExternal()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := newFakeDirectory()
				s := New(dir, Config{Region: region, Root: testRoot(1), External: external})
				defer s.Close()
				f(t, s, dir)
			})
		})
	}
}

func create(t *testing.T, s *Service, account, alias string) string {
	t.Helper()
	k, err := s.Create(context.Background(), NewKey{Account: account, Alias: alias})
	require.NoError(t, err)
	return k.ID
}

func wrapped(t *testing.T, s *Service, id string) (*sse.KMSKey, *metapb.Envelope, *sse.DataKey) {
	t.Helper()
	k, d := &sse.KMSKey{Service: s, KeyID: id, Context: []byte(`{"a":"1"}`)}, sse.NewDataKey()
	e, err := k.Wrap(context.Background(), d)
	require.NoError(t, err)
	return k, e, d
}

func requireOpens(t *testing.T, k sse.WrappingKey, e *metapb.Envelope, d *sse.DataKey) {
	t.Helper()
	got, err := k.Unwrap(context.Background(), e)
	require.NoError(t, err)
	require.Equal(t, d.Bytes(), got.Bytes())
}

func requireRefused(t *testing.T, kind errs.Kind, k sse.WrappingKey, e *metapb.Envelope) {
	t.Helper()
	_, err := k.Unwrap(context.Background(), e)
	require.Equal(t, kind, errs.KindOf(err), "%v", err)
}

func TestResolve(t *testing.T) {
	each(t, func(t *testing.T, s *Service, _ *fakeDirectory) {
		ctx := context.Background()
		id, foreign := create(t, s, "acc1", "team/x"), create(t, s, "acc2", "theirs")
		off := create(t, s, "acc1", "off")
		_, err := s.Disable(ctx, off)
		require.NoError(t, err)
		for name, want := range map[string]string{
			id: id, "alias/team/x": id, AnswerID(region, "acc1", id): id, region + ":acc1:key/" + id: id,
			"arn:aws:kms:" + region + ":acc1:alias/team/x": id,
		} {
			got, err := s.Resolve(ctx, "acc1", name)
			require.NoError(t, err, name)
			require.Equal(t, want, got, name)
		}
		for name, kind := range map[string]errs.Kind{
			"no such": errs.Invalid, "nosuch": errs.NotFound, "alias/nosuch": errs.NotFound, "alias/theirs": errs.NotFound,
			foreign: errs.NotFound, AnswerID(region, "acc2", foreign): errs.NotFound, AnswerID("region2", "acc1", id): errs.NotFound,
			AnswerID(region, "acc2", id): errs.NotFound, sse.S3KeyID: errs.NotFound, off: errs.Denied, "alias/off": errs.Denied,
		} {
			_, err := s.Resolve(ctx, "acc1", name)
			require.Equal(t, kind, errs.KindOf(err), "%s: %v", name, err)
		}
	})
}

func TestDefaultKey(t *testing.T) {
	each(t, func(t *testing.T, s *Service, dir *fakeDirectory) {
		ctx := context.Background()
		id, err := s.Resolve(ctx, "acc1", "")
		require.NoError(t, err)
		for _, name := range []string{"", "alias/aws/s3", id} {
			again, err := s.Resolve(ctx, "acc1", name)
			require.NoError(t, err)
			require.Equal(t, id, again)
		}
		other, err := s.Resolve(ctx, "acc2", "")
		require.NoError(t, err)
		require.NotEqual(t, id, other)
		_, err = s.Resolve(ctx, "", "")
		require.Equal(t, errs.Invalid, errs.KindOf(err))

		mine := create(t, s, "acc1", "")
		require.NoError(t, s.SetAlias(ctx, "aws/s3", mine))
		chosen, err := s.Resolve(ctx, "acc1", "")
		require.NoError(t, err)
		require.Equal(t, mine, chosen, "an account's default key can be chosen")

		// Two nodes make a key at the same time: the slower one uses that of the other.
		second := New(dir, s.cfg)
		defer second.Close()
		var faster string
		dir.before = func() { faster, err = second.Resolve(ctx, "acc3", "") }
		slower, err2 := s.Resolve(ctx, "acc3", "")
		require.NoError(t, err)
		require.NoError(t, err2)
		require.Equal(t, faster, slower)
		keys, err := s.List("acc3")
		require.NoError(t, err)
		require.Len(t, keys, 1)
	})
}

func TestS3KeyIsMadeOnFirstUse(t *testing.T) {
	each(t, func(t *testing.T, s *Service, dir *fakeDirectory) {
		ctx, k, d := context.Background(), &sse.S3Key{Service: s}, sse.NewDataKey()
		second := New(dir, s.cfg)
		defer second.Close()
		var other *metapb.Envelope
		var err error
		dir.before = func() { other, err = (&sse.S3Key{Service: second}).Wrap(ctx, d) }
		e, err2 := k.Wrap(ctx, d)
		require.NoError(t, err)
		require.NoError(t, err2)
		requireOpens(t, k, e, d)
		requireOpens(t, k, other, d)
		for _, refused := range []func() (*Key, error){
			func() (*Key, error) { return s.Disable(ctx, sse.S3KeyID) },
			func() (*Key, error) { return s.ScheduleDeletion(ctx, sse.S3KeyID, 7) },
			func() (*Key, error) { return s.Create(ctx, NewKey{Account: "a", ID: sse.S3KeyID}) },
			func() (*Key, error) { return nil, s.SetAlias(ctx, "x", sse.S3KeyID) },
		} {
			_, err := refused()
			require.Equal(t, errs.Invalid, errs.KindOf(err))
		}
		_, err = s.Rotate(ctx, sse.S3KeyID)
		require.NoError(t, err)
		requireOpens(t, k, e, d)
	})
}

// TestEnvelopeOfServiceTampering: envelopes that are cut, changed, or of another version or key do
// not open.
func TestEnvelopeOfServiceTampering(t *testing.T) {
	each(t, func(t *testing.T, s *Service, _ *fakeDirectory) {
		ctx := context.Background()
		id := create(t, s, "acc1", "")
		_, err := s.Rotate(ctx, id)
		require.NoError(t, err)
		k, good, d := wrapped(t, s, id)
		requireOpens(t, k, good, d)
		require.Equal(t, uint32(2), good.KmsKeyVersion)
		other := create(t, s, "acc1", "")
		_, swapped, _ := wrapped(t, s, other)
		for name, spoil := range map[string]func(*metapb.Envelope){
			"older version":        func(e *metapb.Envelope) { e.KmsKeyVersion = 1 },
			"version of no key":    func(e *metapb.Envelope) { e.KmsKeyVersion = 3 },
			"no version":           func(e *metapb.Envelope) { e.KmsKeyVersion = 0 },
			"other key":            func(e *metapb.Envelope) { e.KmsKeyId = other },
			"no key":               func(e *metapb.Envelope) { e.KmsKeyId = "" },
			"other envelope's key": func(e *metapb.Envelope) { e.WrappedKey = swapped.WrappedKey },
			"relabelled envelope":  func(e *metapb.Envelope) { proto.Reset(e); proto.Merge(e, swapped); e.KmsKeyId = id },
			"first bit":            func(e *metapb.Envelope) { e.WrappedKey[0] ^= 1 },
			"last bit":             func(e *metapb.Envelope) { e.WrappedKey[len(e.WrappedKey)-1] ^= 1 },
			"salt":                 func(e *metapb.Envelope) { e.Salt[31] ^= 1 },
			"salt gone":            func(e *metapb.Envelope) { e.Salt = nil },
			"short":                func(e *metapb.Envelope) { e.WrappedKey = e.WrappedKey[:len(e.WrappedKey)-1] },
			"very short":           func(e *metapb.Envelope) { e.WrappedKey = e.WrappedKey[:sse.WrappedBytes-1] },
			"empty":                func(e *metapb.Envelope) { e.WrappedKey = nil },
		} {
			e := proto.Clone(good).(*metapb.Envelope)
			spoil(e)
			_, err := s.Unwrap(ctx, e, []byte("aad"))
			require.Error(t, err, name)
			_, err = k.Unwrap(ctx, e)
			require.Error(t, err, name)
		}
		requireRefused(t, errs.Corrupt, &sse.KMSKey{Service: s, KeyID: id, Context: []byte(`{"a":"2"}`)}, good)
	})
}

func TestRotation(t *testing.T) {
	each(t, func(t *testing.T, s *Service, dir *fakeDirectory) {
		id := create(t, s, "acc1", "")
		type made struct {
			e *metapb.Envelope
			d *sse.DataKey
		}
		var all []made
		var k *sse.KMSKey
		for v := range uint32(5) {
			var m made
			k, m.e, m.d = wrapped(t, s, id)
			require.Equal(t, v+1, m.e.KmsKeyVersion)
			all = append(all, m)
			_, err := s.Rotate(context.Background(), id)
			require.NoError(t, err)
		}
		fresh := New(dir, s.cfg) // Another node, with nothing in memory.
		defer fresh.Close()
		for _, m := range all {
			requireOpens(t, k, m.e, m.d)
			requireOpens(t, &sse.KMSKey{Service: fresh, KeyID: id, Context: k.Context}, m.e, m.d)
		}
	})
}

func TestCreateAndShow(t *testing.T) {
	each(t, func(t *testing.T, s *Service, dir *fakeDirectory) {
		ctx := context.Background()
		k, err := s.Create(ctx, NewKey{Account: "acc1", ID: "payments", Description: "for payments", Alias: "pay"})
		require.NoError(t, err)
		require.Equal(t, "arn:aws:kms:region1:acc1:key/payments", k.ARN)
		require.Equal(t, []string{"pay"}, k.Aliases)
		require.Equal(t, s.cfg.External != nil, k.External)
		require.Equal(t, time.Now().UTC(), k.Created)
		for _, n := range []NewKey{{Account: "acc2", ID: "payments"}, {Account: "acc1", Alias: "pay"}} {
			_, err := s.Create(ctx, n)
			require.Equal(t, errs.Exists, errs.KindOf(err))
		}
		for _, n := range []NewKey{{ID: "x"}, {Account: "a", ID: "a b"}, {Account: "a", Alias: "a:b"},
			{Account: "a", Description: string(make([]byte, MaxDescriptionBytes+1))}} {
			_, err := s.Create(ctx, n)
			require.Equal(t, errs.Invalid, errs.KindOf(err))
		}
		create(t, s, "acc2", "")
		_, err = (&sse.S3Key{Service: s}).Wrap(ctx, sse.NewDataKey())
		require.NoError(t, err)
		all, err := s.List("")
		require.NoError(t, err)
		require.Len(t, all, 3)
		mine, err := s.List("acc1")
		require.NoError(t, err)
		require.Equal(t, []*Key{k}, mine)

		require.Equal(t, errs.NotFound, errs.KindOf(s.SetAlias(ctx, "x", "nosuch")))
		require.Equal(t, errs.Invalid, errs.KindOf(s.SetAlias(ctx, "alias/x y", "payments")))
		require.NoError(t, s.SetAlias(ctx, "alias/x", "payments"))
		require.NoError(t, s.RemoveAlias(ctx, "acc1", "alias/pay"))
		require.Equal(t, errs.NotFound, errs.KindOf(s.RemoveAlias(ctx, "acc1", "pay")))
		k, err = s.Show("payments")
		require.NoError(t, err)
		require.Equal(t, []string{"x"}, k.Aliases)

		dir.entries[place{metapb.EntryKind_ENTRY_MASTER_KEY, "payments"}].Value = []byte("rubbish")
		_, err = s.Show("payments")
		require.Equal(t, errs.Corrupt, errs.KindOf(err))
	})
}

// TestChangesMeet: two nodes change a key at the same time, and both changes hold.
func TestChangesMeet(t *testing.T) {
	each(t, func(t *testing.T, s *Service, dir *fakeDirectory) {
		ctx := context.Background()
		id := create(t, s, "acc1", "")
		dir.before = func() { dir.edit(id, func(k *metapb.MasterKey) { k.Description = "meanwhile" }) }
		k, err := s.Disable(ctx, id)
		require.NoError(t, err)
		require.Equal(t, "meanwhile", k.Description)
		require.Equal(t, "disabled", k.State)
	})
}

func TestVersionsAreBounded(t *testing.T) {
	dir := newFakeDirectory()
	s := New(dir, Config{Region: region, Root: testRoot(1)})
	id := create(t, s, "acc1", "")
	dir.edit(id, func(k *metapb.MasterKey) {
		for n := uint32(2); n <= MaxVersions; n++ {
			k.Versions = append(k.Versions, &metapb.MasterKeyVersion{Number: n, Sealed: s.cfg.Root.newVersion(id, n)})
		}
	})
	_, err := s.Rotate(context.Background(), id)
	require.Equal(t, errs.Precondition, errs.KindOf(err))
	k, e, d := wrapped(t, s, id)
	require.Equal(t, uint32(MaxVersions), e.KmsKeyVersion)
	requireOpens(t, k, e, d)
}

// TestMovedMaterial: a sealed version opens only for its own key and number, and only under its
// root key.
func TestMovedMaterial(t *testing.T) {
	ctx, dir := context.Background(), newFakeDirectory()
	s := New(dir, Config{Region: region, Root: testRoot(1)})
	a, b := create(t, s, "acc1", ""), create(t, s, "acc1", "")
	var stolen []byte
	dir.edit(a, func(k *metapb.MasterKey) { stolen = k.Versions[0].Sealed })
	dir.edit(b, func(k *metapb.MasterKey) { k.Versions[0].Sealed = stolen })
	_, err := s.Wrap(ctx, b, sse.NewDataKey(), nil)
	require.Equal(t, errs.Unavailable, errs.KindOf(err))
	dir.edit(a, func(k *metapb.MasterKey) { k.Versions[0].Number = 2 })
	_, err = s.Wrap(ctx, a, sse.NewDataKey(), nil)
	require.Equal(t, errs.Unavailable, errs.KindOf(err))

	c := create(t, s, "acc1", "")
	_, err = New(dir, Config{Region: region, Root: testRoot(2)}).Wrap(ctx, c, sse.NewDataKey(), nil)
	require.ErrorContains(t, err, "does not open with this node's KMS root key")
}

// TestBothKindsSideBySide: after an external service was set, keys from before still open. Without
// it, external keys say what is missing.
func TestBothKindsSideBySide(t *testing.T) {
	dir, f := newFakeDirectory(), newFakeExternal()
	builtin := New(dir, Config{Region: region, Root: testRoot(1)})
	old := create(t, builtin, "acc1", "")
	_, e, d := wrapped(t, builtin, old)
	both := New(dir, Config{Region: region, Root: testRoot(1), External: f})
	defer both.Close()
	requireOpens(t, &sse.KMSKey{Service: both, KeyID: old, Context: []byte(`{"a":"1"}`)}, e, d)
	recent := create(t, both, "acc1", "")
	_, e, _ = wrapped(t, both, recent)
	requireRefused(t, errs.Unavailable, &sse.KMSKey{Service: builtin, KeyID: recent, Context: []byte(`{"a":"1"}`)}, e)
	_, err := builtin.Wrap(context.Background(), recent, d, nil)
	require.ErrorContains(t, err, "external key service")
}

// Nobody learns whether another account has a key, nor in what state it is.
func TestResolveTellsNothingOfOthers(t *testing.T) {
	each(t, func(t *testing.T, s *Service, dir *fakeDirectory) {
		enabled, disabled, deleted := create(t, s, "a", ""), create(t, s, "a", ""), create(t, s, "a", "")
		dir.edit(disabled, func(k *metapb.MasterKey) { k.State = metapb.MasterKeyState_MASTER_KEY_DISABLED })
		dir.edit(deleted, func(k *metapb.MasterKey) { k.State = metapb.MasterKeyState_MASTER_KEY_PENDING_DELETION })
		missing := "12345678-1234-1234-1234-123456789012"
		_, err := s.Resolve(context.Background(), "b", missing)
		require.Equal(t, errs.NotFound, errs.KindOf(err))
		want := strings.ReplaceAll(err.Error(), missing, "ID")
		for _, id := range []string{enabled, disabled, deleted} {
			_, err := s.Resolve(context.Background(), "b", id)
			require.Equal(t, errs.NotFound, errs.KindOf(err), id)
			require.Equal(t, want, strings.ReplaceAll(err.Error(), id, "ID"))
		}
		_, err = s.Resolve(context.Background(), "a", disabled)
		require.Equal(t, errs.Denied, errs.KindOf(err), "its own account is told")
	})
}
