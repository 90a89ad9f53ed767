package sse

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// fakeService has a master key under every id.
type fakeService struct {
	fail   error
	unwrap int
}

func (f *fakeService) Resolve(_ context.Context, _, name string) (string, error) { return name, f.fail }

func (f *fakeService) Wrap(_ context.Context, keyID string, d *DataKey, aad []byte) (*metapb.Envelope, error) {
	if f.fail != nil {
		return nil, f.fail
	}
	e := &metapb.Envelope{KmsKeyId: keyID}
	e.Salt, e.WrappedKey = WrapUnder([]byte("master "+keyID), "test", d, aad)
	return e, nil
}

func (f *fakeService) Unwrap(_ context.Context, e *metapb.Envelope, aad []byte) (*DataKey, error) {
	f.unwrap++
	if f.fail != nil {
		return nil, f.fail
	}
	return UnwrapUnder([]byte("master "+e.KmsKeyId), "test", e.Salt, e.WrappedKey, aad)
}

func TestServiceKeys(t *testing.T) {
	ctx, s, d := context.Background(), &fakeService{}, NewDataKey()
	for _, k := range []WrappingKey{
		&KMSKey{Service: s, KeyID: "k"}, &KMSKey{Service: s, KeyID: "k", Context: []byte(`{"a":"1"}`)}, &S3Key{Service: s},
	} {
		e, err := k.Wrap(ctx, d)
		require.NoError(t, err)
		require.Equal(t, k.Kind(), e.Kind)
		got, err := k.Unwrap(ctx, e)
		require.NoError(t, err)
		require.Equal(t, d.b, got.b)
		second, err := k.Wrap(ctx, d)
		require.NoError(t, err)
		require.NotEqual(t, e.WrappedKey, second.WrappedKey, "every envelope has its own salt")

		stored := Stored(s, Record(k))
		require.True(t, SameDomain(k, stored), "what is stored finds the key again")
		got, err = stored.Unwrap(ctx, e)
		require.NoError(t, err)
		require.Equal(t, d.b, got.b)
	}
}

// TestSwappedEnvelopes: an envelope opens only with its own key, kind and context.
func TestSwappedEnvelopes(t *testing.T) {
	ctx, s := context.Background(), &fakeService{}
	k := &KMSKey{Service: s, KeyID: "k", Context: []byte(`{"a":"1"}`)}
	good, err := k.Wrap(ctx, NewDataKey())
	require.NoError(t, err)
	for _, c := range []struct {
		name  string
		key   WrappingKey
		spoil func(*metapb.Envelope)
		want  errs.Kind
	}{
		{"other key", &KMSKey{Service: s, KeyID: "l", Context: k.Context}, nil, errs.Invalid},
		{"other key, relabelled", &KMSKey{Service: s, KeyID: "l", Context: k.Context}, func(e *metapb.Envelope) { e.KmsKeyId = "l" }, errs.Corrupt},
		{"other context", &KMSKey{Service: s, KeyID: "k", Context: []byte(`{"a":"2"}`)}, nil, errs.Corrupt},
		{"no context", &KMSKey{Service: s, KeyID: "k"}, nil, errs.Corrupt},
		{"SSE-S3", &S3Key{s}, nil, errs.Invalid},
		{"SSE-S3, relabelled", &S3Key{s}, func(e *metapb.Envelope) { e.Kind, e.KmsKeyId = metapb.EncryptionKind_ENCRYPTION_SSE_S3, S3KeyID }, errs.Corrupt},
		{"customer's key", customerKey(32, 1), nil, errs.Invalid},
		{"kind", k, func(e *metapb.Envelope) { e.Kind = metapb.EncryptionKind_ENCRYPTION_SSE_S3 }, errs.Invalid},
		{"salt", k, func(e *metapb.Envelope) { e.Salt[5] ^= 1 }, errs.Corrupt},
		{"wrapped", k, func(e *metapb.Envelope) { e.WrappedKey[5] ^= 1 }, errs.Corrupt},
		{"truncated", k, func(e *metapb.Envelope) { e.WrappedKey = e.WrappedKey[:40] }, errs.Invalid},
		{"no salt", k, func(e *metapb.Envelope) { e.Salt = nil }, errs.Invalid},
		{"nothing", k, func(e *metapb.Envelope) { proto.Reset(e) }, errs.Invalid},
	} {
		e := proto.Clone(good).(*metapb.Envelope)
		if c.spoil != nil {
			c.spoil(e)
		}
		_, err := c.key.Unwrap(ctx, e)
		require.Equal(t, c.want, errs.KindOf(err), c.name)
	}
}

func TestServiceErrorsKeepTheirKind(t *testing.T) {
	ctx := context.Background()
	e, err := (&S3Key{&fakeService{}}).Wrap(ctx, NewDataKey())
	require.NoError(t, err)
	for _, kind := range []errs.Kind{errs.NotFound, errs.Denied, errs.Unavailable, errs.Overloaded} {
		k := &S3Key{&fakeService{fail: errs.Newf("fake", kind, "no")}}
		_, err := k.Wrap(ctx, NewDataKey())
		require.Equal(t, kind, errs.KindOf(err))
		_, err = k.Unwrap(ctx, e)
		require.Equal(t, kind, errs.KindOf(err))
	}
}

func TestSameDomain(t *testing.T) {
	s, other := &fakeService{}, &fakeService{fail: errs.New("x", errs.Internal, nil)}
	c := []byte(`{"a":"1"}`)
	keys := []WrappingKey{
		nil, customerKey(32, 1), customerKey(32, 2), customerKey(64, 1),
		&KMSKey{s, "k", nil}, &KMSKey{s, "k", c}, &KMSKey{s, "l", nil}, &KMSKey{other, "k", nil}, &S3Key{s}, &S3Key{other},
	}
	again := []WrappingKey{
		nil, customerKey(32, 1), customerKey(32, 2), customerKey(64, 1),
		&KMSKey{s, "k", []byte{}}, &KMSKey{s, "k", bytes.Clone(c)}, &KMSKey{s, "l", nil}, &KMSKey{other, "k", nil}, &S3Key{s}, &S3Key{other},
	}
	for i, a := range keys {
		for j, b := range again {
			require.Equal(t, i == j, SameDomain(a, b), "%d and %d", i, j)
			require.Equal(t, i == j, SameDomain(b, a), "%d and %d", j, i)
		}
	}
}

func TestRewrap(t *testing.T) {
	ctx, s, d := context.Background(), &fakeService{}, NewDataKey()
	for _, pair := range [][2]WrappingKey{
		{customerKey(32, 1), customerKey(32, 1)}, {customerKey(64, 1), customerKey(64, 1)},
		{&KMSKey{s, "k", []byte("{}")}, &KMSKey{s, "k", []byte("{}")}}, {&S3Key{s}, &S3Key{s}},
	} {
		e, err := pair[0].Wrap(ctx, d)
		require.NoError(t, err)
		again, err := Rewrap(ctx, pair[0], pair[1], e)
		require.NoError(t, err)
		require.NotEqual(t, e.WrappedKey, again.WrappedKey)
		got, err := pair[1].Unwrap(ctx, again)
		require.NoError(t, err)
		require.Equal(t, d.b, got.b)
	}
	e, err := customerKey(32, 1).Wrap(ctx, d)
	require.NoError(t, err)
	for _, to := range []WrappingKey{nil, customerKey(32, 2), &S3Key{s}, &KMSKey{s, "k", nil}} {
		_, err := Rewrap(ctx, customerKey(32, 1), to, e)
		require.Equal(t, errs.Invalid, errs.KindOf(err), "a data key stays in its domain")
	}
	_, err = Rewrap(ctx, nil, nil, e)
	require.Equal(t, errs.Invalid, errs.KindOf(err))
	e.WrappedKey[0] ^= 1
	_, err = Rewrap(ctx, customerKey(32, 1), customerKey(32, 1), e)
	require.Equal(t, errs.Denied, errs.KindOf(err))
}

func TestRecord(t *testing.T) {
	require.Nil(t, Record(nil))
	require.True(t, Matches(Record(customerKey(32, 1)), customerKey(32, 1)))
	require.Nil(t, Stored(&fakeService{}, Record(customerKey(32, 1))), "a customer's key is not stored")
	require.Nil(t, Stored(&fakeService{}, nil))
	e := Record(&KMSKey{KeyID: "k", Context: []byte("{}")})
	require.Equal(t, "k", e.KmsKeyId)
	require.Equal(t, []byte("{}"), e.KmsContext)
}

// TestGoldenServiceEnvelope pins what a service is given to authenticate, and how it wraps.
func TestGoldenServiceEnvelope(t *testing.T) {
	require.Equal(t, goldenServiceData, hex.EncodeToString(serviceData(metapb.EncryptionKind_ENCRYPTION_SSE_KMS, []byte(`{"a":"1"}`))))
	got := wrap(pattern(32, 1), pattern(saltBytes, 50), "cairn kms wrap v1", dataKey(100), []byte("aad"))
	require.Equal(t, goldenServiceWrap, hex.EncodeToString(got))
	d, err := UnwrapUnder(pattern(32, 1), "cairn kms wrap v1", pattern(saltBytes, 50), got, []byte("aad"))
	require.NoError(t, err)
	require.Equal(t, dataKey(100).b, d.b)
}

func TestDataKeyOf(t *testing.T) {
	b := pattern(KeyBytes, 9)
	d, err := DataKeyOf(b)
	require.NoError(t, err)
	require.Equal(t, pattern(KeyBytes, 9), d.Bytes())
	require.Equal(t, make([]byte, KeyBytes), b, "the given bytes are cleared")
	for _, n := range []int{0, 31, 33, 64} {
		_, err := DataKeyOf(make([]byte, n))
		require.Equal(t, errs.Invalid, errs.KindOf(err))
	}
}

// TestKeysAreNotMarshalled: keys are not printed by value, nor written as JSON.
func TestKeysAreNotMarshalled(t *testing.T) {
	k, d := CustomerKey{Key: bytes.Repeat([]byte("K"), 32)}, dataKey('A')
	for _, v := range []any{k, &k, *d, d, struct{ D DataKey }{*d}, map[string]any{"k": k, "d": d}} {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		require.Contains(t, string(text), "redacted", "%T", v)
		require.NotContains(t, string(text), "S0tL", "%T", v)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			got := fmt.Sprintf(verb, v)
			for _, secret := range []string{"KKKK", "4b4b", "75, 75", "75 75", "ABCD", "4142", "0x41", "65 66"} {
				require.NotContains(t, got, secret, "%s of %T", verb, v)
			}
		}
	}
}
