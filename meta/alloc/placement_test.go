package alloc

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/shard"
)

// TestSchemes compares the scheme of cold data with the standard one for every number of domains.
func TestSchemes(t *testing.T) {
	scheme := func(k, m uint8) shard.Scheme { return shard.Scheme{K: k, M: m} }
	for domains := range 40 {
		standard := shard.DefaultScheme(domains)
		auto := (&Config{}).scheme(Cold, domains)
		require.Equal(t, standard, (&Config{ColdScheme: scheme(2, 2)}).scheme(Standard, domains))
		require.LessOrEqual(t, auto.N(), max(domains, 1))
		require.True(t, auto.Valid())
		for _, own := range []shard.Scheme{auto, (&Config{ColdScheme: scheme(3, 3)}).scheme(Cold, domains)} {
			require.GreaterOrEqual(t, own.M, standard.M)
			require.GreaterOrEqual(t, own.N(), standard.N())
		}
		require.LessOrEqual(t, float64(auto.N())/float64(auto.K), float64(standard.N())/float64(standard.K), "it takes no more space")
	}
	for _, tc := range []struct {
		setting shard.Scheme
		domains int
		want    shard.Scheme
	}{
		{shard.Scheme{}, 6, scheme(4, 2)},
		{shard.Scheme{}, 8, scheme(6, 2)},
		{shard.Scheme{}, 14, scheme(10, 4)},
		{scheme(5, 3), 8, scheme(5, 3)},
		{scheme(5, 3), 7, scheme(4, 2)}, // Too few domains,
		{scheme(7, 1), 8, scheme(4, 2)}, // less safe than the standard scheme,
		{scheme(2, 2), 8, scheme(4, 2)}, // or narrower.
	} {
		require.Equal(t, tc.want, (&Config{ColdScheme: tc.setting}).scheme(Cold, tc.domains), "%v of %d", tc.setting, tc.domains)
	}
}
