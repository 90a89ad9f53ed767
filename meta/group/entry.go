package group

import "encoding/binary"

// What an entry of the log holds: a metapb.Command, marshalled, or several of them. Those begin
// with a byte that no message begins with, since no field has the number 0:
//
//	0  1  sharedMark
//	1  …  the commands, each after its length as an unsigned varint
//
// Nodes below cluster.LevelSharedEntries cannot read an entry of several.
const sharedMark = 0x00

// Bounds of an entry that several commands share. A greater command has an entry of its own. One
// request to append carries up to maxAppendEntries of them, 8 MiB, to a voter that lags behind: a
// slow network must bring that in the time of a request (Timing.RPC).
const (
	sharedCommands = 64
	sharedBytes    = 64 << 10
)

// entryOf returns the entry that holds the given commands. It may be the only command itself.
func entryOf(commands [][]byte) []byte {
	if len(commands) == 1 {
		return commands[0]
	}
	size := 1
	for _, c := range commands {
		size += binary.MaxVarintLen32 + len(c)
	}
	b := append(make([]byte, 0, size), sharedMark)
	for _, c := range commands {
		b = append(binary.AppendUvarint(b, uint64(len(c))), c...)
	}
	return b
}

// commandsOf returns the commands of an entry, at least one. They share its memory. An entry
// that cannot be split is returned as one command: the log vouches for its bytes, so all voters
// have the same, and all refuse it as a command that cannot be decoded.
func commandsOf(entry []byte) [][]byte {
	whole := [][]byte{entry}
	if len(entry) == 0 || entry[0] != sharedMark {
		return whole
	}
	var commands [][]byte
	for rest := entry[1:]; len(rest) > 0; {
		size, n := binary.Uvarint(rest)
		if n <= 0 || size == 0 || size > uint64(len(rest)-n) {
			return whole
		}
		end := n + int(size)
		commands, rest = append(commands, rest[n:end:end]), rest[end:]
	}
	if len(commands) < 2 {
		return whole
	}
	return commands
}
