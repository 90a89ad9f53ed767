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
// What comes before the file is at most MaxFieldsBytes. The file is never held: it is
// read as it comes. A form does not say how long its file is. Behind the file come the
// end of the form and perhaps fields, which are ignored; together they are at most
// MaxTrailBytes. So all of the request but its last MaxTrailBytes belongs to the file
// for certain, and File.Next says how much that is. The last piece is read ahead, and
// its length is then known exactly.
//
// # Concurrency
//
// A Form belongs to one goroutine at a time. A Policy is not changed once it is
// parsed.
package form
