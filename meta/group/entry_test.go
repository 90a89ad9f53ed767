package group

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEntry: the commands of an entry are those that it was made of. What is no entry of
// several is one command, whatever it is: each voter refuses it as such.
func TestEntry(t *testing.T) {
	long := bytes.Repeat([]byte{7}, 300)
	for name, commands := range map[string][][]byte{
		"one": {{1, 2}}, "two": {{1}, {2, 3}}, "a long one": {{1}, long, {2}}, "many": {long, long, long, long, {1}},
		"one that begins like several": {{1}, {0, 1, 2}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, commands, commandsOf(entryOf(commands))) })
	}
	for name, entry := range map[string][]byte{
		"nothing": nil, "the mark alone": {0}, "no length": {0, 0x80}, "a length of 0": {0, 1, 5, 0, 1, 6},
		"a command is cut short": {0, 1, 5, 2, 6}, "only one": {0, 1, 5},
		"a length beyond all":  append([]byte{0, 1, 5}, binary.AppendUvarint(nil, 1<<63)...),
		"a length of 11 bytes": append([]byte{0, 1, 5}, bytes.Repeat([]byte{0xff}, 11)...),
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, [][]byte{entry}, commandsOf(entry)) })
	}
}

// FuzzCommandsOf: an entry of any bytes has at least one command, and those of several are cut
// out of it.
func FuzzCommandsOf(f *testing.F) {
	f.Add([]byte{0, 1, 5, 2, 6, 7})
	f.Add([]byte{0, 0x80, 1, 5})
	f.Fuzz(func(t *testing.T, entry []byte) {
		commands := commandsOf(entry)
		require.NotEmpty(t, commands)
		size := 0
		for _, c := range commands {
			size += len(c)
		}
		require.LessOrEqual(t, size, len(entry))
		if len(commands) > 1 {
			require.Equal(t, commands, commandsOf(entryOf(commands)))
		}
	})
}
