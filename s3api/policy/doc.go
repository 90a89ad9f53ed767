// Package policy is the policy language of AWS as S3 uses it: documents of JSON that allow or deny
// actions on resources, and the decision of one document about one request.
//
// Parse and ParseBucket compile a document. They are strict: an element, operator, condition key or
// action that they do not know is an error, because a rule that silently never holds is worse than
// one that is refused. The error names the statement, the element and what is allowed. Sizes and
// counts are bounded.
//
// Evaluate says what one policy says of one request: None, Delegate, Allow or Deny. The caller
// decides how the answers of several policies, of ACLs and of ownership combine. IsPublic says
// whether a bucket policy lets strangers in. Rights compares what policies allow two callers.
//
// The package knows no users, and does not know which action an operation needs. It does no I/O and
// reads no clock: the facts of a request, the time among them, come with the request.
//
// Policies are immutable, and everything here but Memo and Rights is safe for concurrent use.
package policy
