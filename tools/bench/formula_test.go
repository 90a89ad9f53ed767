package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Every primitive that a formula names is one that is measured.
func TestFormulasAreMeasured(t *testing.T) {
	measured := map[primitive]bool{}
	for _, p := range primitives {
		require.False(t, measured[p.name], "%s stands twice", p.name)
		measured[p.name] = true
	}
	for _, s := range scenarios {
		for _, part := range []amounts{s.formula.perByte, s.formula.perOp} {
			for name, n := range part {
				require.True(t, measured[name], "%s: %s", s.name, name)
				require.Positive(t, n, "%s: %s", s.name, name)
			}
		}
	}
}

func TestFormulaArithmetic(t *testing.T) {
	f := sum(formula{perByte: amounts{primMD5: 1, primSocket: 0.5}}, formula{perByte: amounts{primSocket: 1.25},
		perOp: amounts{primSync: 6}}, formula{perOp: amounts{primSync: 5}})
	require.Equal(t, amounts{primMD5: 1, primSocket: 1.75}, f.perByte)
	require.Equal(t, amounts{primSync: 11}, f.perOp)
	p := prices{primMD5: 2, primSocket: 4, primSync: 10, primCRC64: 1000}
	require.Equal(t, 100*(2+1.75*4)+3*11*10.0, f.seconds(p, 100, 3))
	require.True(t, f.known())
	require.False(t, formula{}.known())
}

// The formulas of a PUT, a GET and a copy from key to key are those of docs/performance.md.
func TestFormulasAsWritten(t *testing.T) {
	require.Equal(t, amounts{primMD5: 1, primCRC64: 1, primEncode: 1, primCRC32C: 3, primSocket: 1.75, primRecord: 3.5,
		primWrite: 1.5}, putFormula.perByte)
	require.Equal(t, amounts{primSync: 11, primExchange: 9.5}, putFormula.perOp)
	require.InDelta(t, 0.5+5.0/6, getFormula.perByte[primSocket], 1e-9)
	require.InDelta(t, 1+10.0/6, getFormula.perByte[primRecord], 1e-9)
	require.Zero(t, getFormula.perByte[primMD5])
	require.Equal(t, 2.0, rekeyFormula.perByte[primSeal])
	require.Equal(t, 1.0, sealFormula.perByte[primSeal])
	require.Equal(t, 4.0, rekeyFormula.perByte[primCRC32C])
	require.Zero(t, rekeyFormula.perByte[primMD5])
	require.Empty(t, referFormula.perByte, "by reference no byte is touched")
}

// Every primitive can be measured, costs something, and leaves nothing behind.
func TestPrices(t *testing.T) {
	dir := t.TempDir()
	p, err := measurePrices(dir, 20*time.Millisecond)
	require.NoError(t, err)
	for _, one := range primitives {
		require.Positive(t, p[one.name], one.name)
	}
	left, err := filepath.Glob(filepath.Join(dir, "primitive-*"))
	require.NoError(t, err)
	require.Empty(t, left)
	require.Equal(t, prices{primMD5: 2}, middle([]prices{{primMD5: 1}, {primMD5: 9}, {primMD5: 2}}))
	require.Empty(t, middle([]prices{nil, nil}), "where primitives are not measured")
	require.Equal(t, 3.0, shown(3.0/float64(gib), "GiB"))
	require.Equal(t, 20.0, shown(0.02, "times 1000"))
}
