package state

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/cairnstore/cairn/cluster/effort"
)

func TestMain(m *testing.M) {
	effort.LessenRapid()
	goleak.VerifyTestMain(m)
}
