// Package form reads uploads by POST forms: the fields, the policy document that
// limits what may be posted, and the file.
//
// # What it is not
//
// It authenticates nobody (package sigauth does) and stores nothing. It knows no
// HTTP but the Content-Type of a form.
//
// # Memory
//
// What comes before the file is at most MaxFieldsBytes; the file is never held: it
// is read as it comes. How long it is a form does not say. File.Next says how much of
// it is there for certain, which is all but what the rest of the request may be
// (MaxTrailBytes: the end of the form, and fields behind the file, which are ignored);
// the last piece is read ahead and then known exactly.
//
// # Concurrency
//
// A Form belongs to one goroutine at a time. A Policy is not changed once it is
// parsed.
package form
