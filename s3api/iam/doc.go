// Package iam knows who is asking and what they may do: the directory of accounts,
// users, groups, roles, policies and access keys, temporary credentials, and the
// decision about a request.
//
// In: entries of the directory, as the metadata has them; verified signatures; the
// facts of a request. Out: identities, decisions, and changes of the directory.
//
// # The directory
//
// All of the directory lies in memory as an immutable snapshot, which requests read without a lock.
// Directory.Run loads a newer one when an answer of the metadata says that there is one, and every
// half second besides. Directory.Write loads one before it returns. A node looks up an access key
// only in a snapshot that was current at most MaxAge ago. If its own is older, it asks the metadata
// first, and if they do not answer, it refuses the request.
//
// # Temporary credentials
//
// They are written nowhere: the session token is their record, sealed under a key that every node
// derives from the cluster key. What they may do follows from the directory at the time they are
// used.
//
// # Decisions
//
// A denial always wins. Inside an account, its root may do everything, and others may do what a
// policy of theirs or of the bucket allows. Across accounts both sides must agree: the caller's
// account, and the bucket's policy or the ACL. The root of an account that administers the cluster
// may do everything.
//
// # Delegated administration
//
// A caller who is not an account's root and does not administer the cluster can change the
// directory only if nobody then has more than the caller, and nobody who has more than the caller
// is changed (Admin.For). This is decided by the change itself and not by the method that makes it:
// the rights of everybody whom the change concerns are compared before and after it.
//
// This package does not parse HTTP requests, except those of STS. Everything is safe for concurrent
// use.
package iam
