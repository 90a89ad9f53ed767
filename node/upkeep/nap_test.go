package upkeep

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNap(t *testing.T) {
	naps := 0
	require.NoError(t, newNapper(Config{Events: Events{Napped: func() { naps++ }}}).run(t.Context()))
	require.Equal(t, 1, naps)
}
