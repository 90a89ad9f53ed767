package load

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestModel(t *testing.T) {
	m := newModel()
	there := func(size int64) state { return state{present: true, value: Fresh(1, size)} }
	m.told("known", there(10), 1)
	m.told("gone", there(20), 1)
	m.told("gone", state{}, 1)
	m.told("retried", there(30), 2)
	m.untold("perhaps", there(40))
	m.told("replaced", there(50), 1)
	m.untold("replaced", there(60))

	require.Equal(t, []string{"known", "retried"}, m.present())
	require.Equal(t, int64(40), m.bytes)
	require.True(t, m.of("retried").closed)
	require.True(t, m.of("perhaps").closed)
	require.False(t, m.of("known").closed)
	require.False(t, m.of("never").closed)

	for name, c := range map[string]struct {
		got  map[string]int64
		want string
	}{
		"without the unknown":  {map[string]int64{"known": 10, "retried": 30, "replaced": 50}, ""},
		"with the unknown":     {map[string]int64{"known": 10, "retried": 30, "replaced": 60, "perhaps": 40}, ""},
		"lost":                 {map[string]int64{"retried": 30, "replaced": 60}, "the list lacks known"},
		"lost while replacing": {map[string]int64{"known": 10, "retried": 30}, "the list lacks replaced"},
		"came back":            {map[string]int64{"known": 10, "retried": 30, "replaced": 60, "gone": 20}, "the list has gone with 20 bytes"},
		"another size":         {map[string]int64{"known": 11, "retried": 30, "replaced": 60}, "the list has known with 11 bytes"},
		"from nowhere":         {map[string]int64{"known": 10, "retried": 30, "replaced": 60, "x": 1}, "the list has x, which nobody wrote"},
	} {
		err := m.judgeList(c.got)
		if c.want == "" {
			require.NoError(t, err, name)
		} else {
			require.EqualError(t, err, c.want, name)
		}
	}
}
