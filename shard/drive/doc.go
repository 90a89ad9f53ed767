// Package drive is one drive: a directory of one file system that holds shards, and is a
// shard.Store. It knows nothing of extents, quorums or other drives, and keeps no bytes in memory
// except the index's cache.
//
// # Files
//
//	DIR/drive.id          who this drive is (JSON)
//	DIR/lock              held while the drive is open
//	DIR/seg/NNNNNNNN.seg  segments: the shards
//	DIR/index/            Pebble: where each shard lies; can be rebuilt from the segments
//
// All integers are little endian, all checksums CRC-32C. A segment:
//
//	0     segment header: magic, format, drive id, number, secret (16 random bytes), crc
//	4096  seal, written when no record of the segment is unfinished any more
//	8192  records, each aligned to 4 KiB
//
// A record:
//
//	0                    header, 128 bytes: magic, format, the segment's secret, own
//	                     offset, record length, shard.Header, time, settled, crc; state
//	128                  frames, exactly as on the wire (shard.Header.FramedBytes)
//	128 + FramedBytes    footer, 40 bytes: magic, crc of the header, offset, secret, crc
//	                     zeros to the next 4 KiB
//
// The secret never leaves the drive, so payload that imitates a record is never taken for one when
// a segment is scanned. The state word is outside the checksum: a header whose state is being
// changed when the power fails is still a good one.
//
// # Invariants
//
//	D1  A record's header is written, in the order of reservation, before the
//	    reservation is handed out. So where a record is durable, the headers of
//	    all records before it in the segment are.
//	D2  A footer is written only when all frames are, and an acknowledgement is
//	    given only after a sync that began later than the footer was written.
//	D3  "settled" of a segment is its lowest unfinished reservation: every
//	    record below is durable and in the index, or dead. It is written in
//	    every record header and in every index batch that changes it; the seal
//	    says that the whole segment is settled.
//	D4  Of several live records of one shard the one with the greatest (segment,
//	    offset) is the shard; the others are dead.
//	D5  No byte of a segment is used twice. Segment numbers grow.
//	D6  A record is not given back to the file system while a reader has it open.
//
// # Crashes
//
// The index has no write-ahead log. A crash takes it back to its last flush, entries and settled
// marks together, because they share a batch. Open then scans every segment from its settled mark.
// A record found there that has a footer is the shard if a later header or the seal says that it
// was settled (D3). Otherwise all its frames are checked first, and the segment is synced before
// the record counts. The rest is given back to the file system.
//
// An index that is missing or damaged is treated as one in which all marks are zero.
// index.checkOrder finds damage that Pebble itself passes over.
//
// Shards that were deleted may be there again after a crash. An index entry may then lead to bytes
// that were given back. A reader notices by their checksums, and Verify removes the entry.
//
// # Failures
//
// A write or sync that fails fences the drive: every call returns Unavailable until the drive is
// opened anew. Only a full file system does not: it is NoSpace for that shard and nothing else. A
// failed sync is never tried again, because the kernel may have dropped the dirty pages.
//
// A read that fails in the device is Corrupt for that shard, which is then repaired. When there are
// Options.Unreadable such places, the drive is fenced: what is written to a device that cannot be
// read would be lost as well.
//
// A write or sync that hangs for Options.HangTimeout fences the drive too. Calls that wait for it
// return then. The call that hangs goes on waiting, and so does Close.
//
// # Concurrency
//
// All methods of Drive are safe for concurrent use. Writers write their frames side by side. One
// goroutine syncs for all that wait and then puts all of their shards into the index in one batch.
//
// Files of sealed segments are closed when nobody uses them and there are more than
// Options.IdleFiles. Files of other segments stay open: a write that the kernel fails later is told
// only to those who had the file open.
package drive
