// Package check looks at all records of the metadata at once: whether they agree with each
// other (Records), what they are, as text (Dump, Show), and whether two states hold the same
// (Hash). Encode makes a record of text.
//
// In comes an iterator of records (Each): of a state that runs, of the files of a node that
// is stopped, or of a test. Out go text, a digest, or an error that names what is wrong.
//
// Records holds what it reads in memory, so it is for tests, for small states, and for a
// node that is stopped (`cairn meta check`).
//
// # What it is not
//
// Nothing here changes a record, and nothing opens a database: Open and OpenRecords of package
// state do. Names of objects and inline bytes are shown as they are, so no log may have what is
// made here.
package check
