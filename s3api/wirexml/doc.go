// Package wirexml is S3's XML documents, in and out.
//
// Out: each answer is a Document, which a Style (made by package profile) renders. That
// is one call of Marshal. If white space has to be sent while the work is still under
// way, it is Declaration and later AppendXML. Lists are rendered by hand onto a byte
// slice: no reflection, well under a microsecond a key. Text is escaped so that a
// parser gets back what was put in. Characters that XML 1.0 cannot hold become
// character references as S3 writes them; clients that expect such keys ask for
// encoding-type=url. In error documents they become U+FFFD, so that every parser can
// read an error.
//
// In: Read takes a bounded body, and the Parse functions take the documents. The
// grammar is the part of XML 1.0 that S3's clients send, in UTF-8: no document type, no
// entities but the five predefined ones, bounded depth. Anything else is
// MalformedXML.
//
// Errors are those of package s3err; a Style tells and writes them.
//
// Everything here is pure and safe for concurrent use.
package wirexml
