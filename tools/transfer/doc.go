// Package transfer moves objects between local files, buckets and pipes, over the S3 API of any store.
//
// A Store is an endpoint with the keys of somebody. Lists of buckets and of local directories are
// sequences of Items. A plan makes Tasks of them, and an Engine does these: several at once, large ones
// in parts, with a bound on the parts that are under way together.
//
// It is not a command line: it knows no flags and no terminals. Whoever wants to show how far it is
// gives it a Progress.
//
// What it promises:
//
//   - A file appears under its name only when all of it is there, was compared with the checksum or the
//     ETag of its object, and is on stable storage.
//   - Nothing is written outside of the directory that was given, whatever a key is.
//   - A source that changes while it is read makes its task fail.
//   - What was interrupted is taken up again by the same task. The state that this takes lies beside the
//     file for downloads, and in a directory of the user for everything else. It decides nothing: the
//     store says which parts it has, and a file is compared as a whole before it gets its name.
//   - A task that fails leaves the others alone, and is told.
//
// A Store and an Engine are safe for concurrent use.
package transfer
