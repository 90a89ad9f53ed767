// Package wirexml is S3's XML documents, in and out.
//
// Out: each answer is a Document; a Style (package profile makes it) renders it:
// Marshal, or Declaration and AppendXML where white space has to go between them
// while the work is still under way. Lists
// are rendered by hand onto a byte slice: no reflection, well under a microsecond a
// key. Text is escaped so that a parser gets back what was put in; characters that
// XML 1.0 cannot hold become character references as S3 writes them (clients that
// expect such keys ask for encoding-type=url), except in error documents, where
// they become U+FFFD so that every parser can read an error.
//
// In: Read takes a bounded body, the Parse functions the documents. The grammar is
// the part of XML 1.0 that S3's clients send, in UTF-8: no document type, no
// entities but the five predefined ones, bounded depth. Anything else is
// MalformedXML.
//
// Errors are those of package s3err; a Style tells and writes them.
//
// Everything here is pure and safe for concurrent use.
package wirexml
