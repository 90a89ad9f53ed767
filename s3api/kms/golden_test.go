package kms

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/sse"
)

// golden is testdata/envelopes.json. A program in another language made it from doc.go. It never
// changes, because what was sealed must open for ever.
type golden struct {
	ClusterKey string `json:"cluster_key"`
	KeyID      string `json:"key_id"`
	Context    string
	DataKey    string `json:"data_key"`
	Versions   []string
	Envelopes  []struct {
		Version       uint32
		Salt, Wrapped string
	}
	External struct {
		Version       uint32
		Salt, Wrapped string
		DomainKey     string `json:"domain_key"`
		DomainText    string `json:"domain_text"`
		DomainData    string `json:"domain_data"`
	}
}

func unhex(t *testing.T, text string) []byte {
	b, err := hex.DecodeString(text)
	require.NoError(t, err)
	return b
}

func readGolden(t *testing.T) *golden {
	text, err := os.ReadFile("testdata/envelopes.json")
	require.NoError(t, err)
	g := new(golden)
	require.NoError(t, json.Unmarshal(text, g))
	return g
}

func (g *golden) opens(t *testing.T, s *Service, version uint32, salt, wrapped string) {
	k := &sse.KMSKey{Service: s, KeyID: g.KeyID, Context: []byte(g.Context)}
	d, err := k.Unwrap(context.Background(), &metapb.Envelope{Kind: k.Kind(), KmsKeyId: g.KeyID, KmsKeyVersion: version,
		Salt: unhex(t, salt), WrappedKey: unhex(t, wrapped)})
	require.NoError(t, err)
	require.Equal(t, g.DataKey, hex.EncodeToString(d.Bytes()))
}

func putKey(t *testing.T, dir *fakeDirectory, k *metapb.MasterKey) {
	value, err := proto.Marshal(k)
	require.NoError(t, err)
	require.NoError(t, dir.Write(context.Background(), nil,
		[]*metapb.Entry{{Kind: metapb.EntryKind_ENTRY_MASTER_KEY, Name: k.Id, Value: value}}, nil))
}

func TestGoldenBuiltIn(t *testing.T) {
	g, dir := readGolden(t), newFakeDirectory()
	k := &metapb.MasterKey{Id: g.KeyID, Account: "a"}
	for i, sealed := range g.Versions {
		k.Versions = append(k.Versions, &metapb.MasterKeyVersion{Number: uint32(i + 1), Sealed: unhex(t, sealed)})
	}
	putKey(t, dir, k)
	s := New(dir, Config{Region: region, Root: DeriveRootKey(unhex(t, g.ClusterKey))})
	require.Len(t, g.Envelopes, 2)
	for _, e := range g.Envelopes {
		g.opens(t, s, e.Version, e.Salt, e.Wrapped)
	}
}

// goldenExternal opens only the domain key of testdata.
type goldenExternal struct {
	fakeExternal
	t *testing.T
	g *golden
}

func (x *goldenExternal) Decrypt(_ context.Context, id string, text, aad []byte) (*sse.DataKey, error) {
	require.Equal(x.t, x.g.KeyID, id)
	require.Equal(x.t, x.g.External.DomainText, string(text))
	require.Equal(x.t, x.g.External.DomainData, hex.EncodeToString(aad))
	return sse.DataKeyOf(unhex(x.t, x.g.External.DomainKey))
}

func TestGoldenExternal(t *testing.T) {
	g, dir := readGolden(t), newFakeDirectory()
	putKey(t, dir, &metapb.MasterKey{Id: g.KeyID, Account: "a"})
	s := New(dir, Config{Region: region, Root: testRoot(1), External: &goldenExternal{t: t, g: g}})
	defer s.Close()
	g.opens(t, s, g.External.Version, g.External.Salt, g.External.Wrapped)
}
