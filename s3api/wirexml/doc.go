// Package wirexml is S3's XML documents: it writes those of answers and parses those of requests.
//
// Each answer is a Document, which a Style (made by package profile) renders by one call of
// Marshal. If white space has to be sent while the work still goes on, Declaration is sent first
// and AppendXML is called later. Lists are appended to a byte slice by hand, without reflection, in
// well under a microsecond for each key. Text is escaped so that a parser gets back what was put
// in. Characters that XML 1.0 cannot hold become character references, as S3 writes them; clients
// that expect such keys ask for encoding-type=url. In error documents they become U+FFFD, so that
// every parser can read an error.
//
// Read reads a bounded body, and the Parse functions parse the documents. They take the part of XML
// 1.0 that clients of S3 send, in UTF-8: no document type, no entities but the five predefined
// ones, bounded depth. Anything else is MalformedXML.
//
// Errors are those of package s3err. A Style decides how they are told, and writes them.
//
// Everything here is pure and safe for concurrent use.
package wirexml
