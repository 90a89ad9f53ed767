package policy

// Kind says what a policy is attached to, and so which elements it has.
type Kind uint8

// The kinds.
const (
	Identity Kind = iota // Attached to a user, group, role or session: no principal.
	Resource             // Attached to a bucket: a principal, resources of that bucket.
	Trust                // Attached to a role, says who may assume it: a principal, no resource.
)

// Limits of documents.
const (
	// MaxBucketPolicyBytes, MaxIdentityPolicyBytes and MaxTrustPolicyBytes bound
	// documents as they are written, white space included.
	MaxBucketPolicyBytes   = 20 << 10
	MaxIdentityPolicyBytes = 6 << 10
	MaxTrustPolicyBytes    = 4 << 10
	// MaxStatements bounds the statements of a policy.
	MaxStatements = 256
	// MaxValues bounds the values of one element, and of one key of a condition.
	MaxValues = 512
	// MaxValueBytes bounds one value: a resource is an ARN of a key of 1,024
	// bytes at most, wildcards and variables included.
	MaxValueBytes = 2048
	// MaxFactBytes bounds a value that a request has for a condition key. Of a longer
	// one nothing is known, so it meets the conditions of what denies and none of what
	// allows.
	MaxFactBytes = 8 << 10
	// MaxConditions bounds the keys in the conditions of one statement.
	MaxConditions = 64
)

// The versions of the language. Variables (${aws:username}) are understood in
// Version2012 only; a policy without a version is of Version2008.
const (
	Version2008 = "2008-10-17"
	Version2012 = "2012-10-17"
)

// Policy is a compiled policy.
type Policy struct {
	kind       Kind
	version    string // As written; empty if absent.
	id         string
	statements []statement
}

// Kind returns what the policy is attached to.
func (p *Policy) Kind() Kind { return p.kind }
