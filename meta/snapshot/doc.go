// Package snapshot keeps snapshots of the metadata's state: on the disk, as the stream in
// which a leader sends one to a voter that has fallen behind, and as a backup file.
//
// It is not the state: what the files of a snapshot mean is meta/state's, and when one is
// taken or restored is meta/group's. A Store implements raft.SnapshotStore and hands Raft
// what meta/group has taken with Checkpoint.
//
// # On the disk
//
//	<n>/state/   a checkpoint of the state: hard links to its tables, not a copy
//	<n>/meta     a Meta as JSON, after a line with its checksum (meta/files)
//
// The meta file is written last and removed first, so a directory without one never was a
// snapshot, or is none any more: Open removes it. The newest two snapshots are kept, and
// one that is being read is kept until its reader is closed.
//
// The meta file has the CRC-32C of every file but the tables (.sst, .blob), whose blocks
// have checksums of their own. So damage of a MANIFEST, which could make an older state of
// a snapshot, shows before the snapshot is restored or sent. Errors of damage are Corrupt.
//
// # The stream
//
// Integers are little endian. Checksums are CRC-32C of all bytes of the piece before them.
//
//	offset  bytes
//	0       8      "CAIRNSNP"
//	8       1      version, 1
//	9       8      index of the last entry that the state has applied
//	17      8      term of that entry
//	25      4      number of files
//	29      4      checksum
//	33             the files, one after the other:
//	  0     2        n, the length of the name; at most 255
//	  2     8        size of the file
//	  10    n        name: letters, digits, dots, dashes and underscores
//	  10+n  4        checksum
//	  14+n  size     bytes of the file
//	  …     4        checksum of these bytes
//	…       4      checksum of the files' checksums (the ones behind their bytes), in order
//
// A stream says itself where it ends. One that is damaged anywhere, cut short, or goes on
// behind its end is refused with Corrupt.
//
// # The backup
//
//	offset  bytes
//	0       8      "CAIRNBKP"
//	8       1      version, 1
//	9       4      n, the length of the head; at most 64 KiB
//	13      n      BackupHead as JSON
//	13+n    4      checksum of all before
//	17+n    …      a stream, as above
//	…       32     HMAC-SHA-256 of all before, under a key that is derived from the cluster's
//
// Damage shows without the key, by the checksums. That nobody has changed the file shows
// with it.
package snapshot
