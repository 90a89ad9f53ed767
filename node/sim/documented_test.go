package sim

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestBlowsAreDocumented proves that docs/testing.md says what each blow of the nemesis does.
func TestBlowsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/testing.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(text), "| blow | what it does |\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	for _, b := range blows() {
		assert.Contains(t, table, "| "+b.name+" | ", "docs/testing.md does not tell of the blow")
	}
	assert.Equal(t, len(blows()), strings.Count(table, "\n"), "docs/testing.md tells of other blows than there are:\n%s", table)
}
