// Package s3err is the vocabulary of S3's errors.
//
// An Error is a failure as S3 tells it: a Code, a message, and what some codes carry
// besides. Table gives each code its HTTP status, its message and when it is answered;
// docs/s3-errors.md is generated from it. FromError tells any error of Cairn: the kinds
// of package errs become codes here and nowhere else, so that one failure has one name
// for every client. Package wirexml writes errors. Package profile decides which codes
// have another name or status under a profile.
//
// Everything here is pure and safe for concurrent use.
package s3err
