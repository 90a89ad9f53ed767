package policy

// Kind says what a policy is attached to, which decides which elements it may have.
type Kind uint8

// The kinds.
const (
	Identity Kind = iota // Attached to a user, group, role or session. It has no principal.
	Resource             // Attached to a bucket. It has principals, and resources of this bucket.
	Trust                // Attached to a role: who may assume it. It has principals, and no resources.
)

// Limits of documents.
const (
	// MaxBucketPolicyBytes, MaxIdentityPolicyBytes and MaxTrustPolicyBytes bound documents as they
	// are written, with white space.
	MaxBucketPolicyBytes   = 20 << 10
	MaxIdentityPolicyBytes = 6 << 10
	MaxTrustPolicyBytes    = 4 << 10
	// MaxStatements bounds the statements of a policy.
	MaxStatements = 256
	// MaxValues bounds the values of one element, and of one key of a condition.
	MaxValues = 512
	// MaxValueBytes bounds one value. The longest that makes sense is an ARN with a key of 1,024
	// bytes, wildcards and variables.
	MaxValueBytes = 2048
	// MaxFactBytes bounds the value of a condition key in a request. A longer one is not looked at:
	// it meets every condition of a statement that denies, and none of a statement that allows, so
	// that nobody evades a denial by length. Null asks only whether there is a value.
	MaxFactBytes = 8 << 10
	// MaxConditions bounds the keys in the conditions of one statement.
	MaxConditions = 64
)

// The versions of the language. Only Version2012 has variables (${aws:username}). A policy without
// a version is of Version2008.
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
