// Package policy is the policy language of AWS as S3 uses it: documents of JSON
// that allow or deny actions on resources, and the decision of one document about
// one request.
//
// In: Parse and ParseBucket take a document and compile it. They are strict: an
// element, operator, condition key or action that they do not know is an error that
// names the statement, the element and what is allowed, for a rule that never holds
// is worse than one that is refused. Sizes and counts are bounded.
//
// Out: Evaluate says what one policy says of one request: None, Delegate, Allow or
// Deny. How the answers of several policies, of ACLs and of ownership combine is
// the caller's. IsPublic says whether a bucket policy lets strangers in.
//
// It is not: a directory of users, nor a place that knows what action an operation
// needs. It does no I/O and reads no clock: the facts of a request, the time among
// them, come with it.
//
// Policies are immutable, and everything here is safe for concurrent use.
package policy
