// Package iam knows who is asking and what they may do: the directory of accounts,
// users, groups, roles, policies and access keys, temporary credentials, and the
// decision about a request.
//
// In: entries of the directory, as the metadata has them; verified signatures; the
// facts of a request. Out: identities, decisions, and changes of the directory.
//
// # The directory
//
// All of the directory lies in memory as an immutable snapshot, which a request
// reads without a lock. A newer one is loaded when an answer of the metadata tells
// that there is one, and every half second besides (Directory.Run); Directory.Write
// loads it before it returns. No access key is answered by a snapshot that was known
// to be current more than MaxAge ago: the metadata are asked first, and where they do
// not answer the request is refused.
//
// # Temporary credentials
//
// They are written nowhere: the session token is the record of them, sealed under
// a key that every node derives from the cluster key. What they may do follows from
// the directory at the time they are used.
//
// # Decisions
//
// Whatever denies wins. Inside an account, its root may do everything, and others
// what a policy of theirs or of the bucket allows. Across accounts both sides must
// agree: the caller's account and the bucket's policy or the ACL. An account that
// administers the cluster may do everything.
//
// # Delegated administration
//
// Who is neither an account's root nor administers the cluster changes the directory
// only where nobody ends up with more than the one who makes the change has, and
// nobody above it loses anything (Admin.For). That follows from the change itself,
// whatever method makes it: whom it touches is compared before and after.
//
// It is not: a parser of HTTP requests. Everything is safe for concurrent use.
package iam
