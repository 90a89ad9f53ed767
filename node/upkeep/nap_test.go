package upkeep

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNap(t *testing.T) {
	require.NoError(t, newNapper(Config{}).run(t.Context()))
}
