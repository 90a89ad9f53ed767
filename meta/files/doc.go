// Package files has what the metadata need of a file system beyond Pebble: small files
// that are replaced as a whole, and directories whose entries survive a power cut.
//
// It is not a store: it knows nothing of what the files hold. All functions work on a
// vfs.FS, keep no state and may be called by many goroutines, as long as no two of them
// work on the same file.
//
// # Durability
//
// Replace writes the new bytes beside the old file (NAME.tmp), syncs them, renames and
// syncs the directory: a crash at any moment leaves the old bytes or the new ones, and
// perhaps the file NAME.tmp, which the next Replace overwrites. Errors are those of the
// file system, as they came.
//
// # Format of a file with a checksum
//
//	offset  bytes
//	0       8      CRC-32C (Castagnoli) of the body, in hexadecimal, lower case
//	8       1      line feed
//	9       …      body
//
// A person can read such a file with any editor. Whoever changes it by hand must change
// the first line too.
package files
