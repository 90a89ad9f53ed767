package policy

import "strings"

// Effect is what a policy says of a request. Among the statements of a policy, and among policies
// of one kind, the greatest one wins.
type Effect uint8

// The effects.
const (
	// None: the policy says nothing of the request.
	None Effect = iota
	// Delegate: the policy allows the caller's account, of which the caller is a user or role. The
	// account has to allow it too, by an identity policy. So across accounts Delegate counts as
	// much as Allow, which needs the identity policy as well, and inside one account it adds
	// nothing. Only policies with principals delegate. An account's root is allowed, and not
	// delegated to.
	Delegate
	// Allow: the policy allows the request.
	Allow
	// Deny: the policy refuses the request, whatever other policies allow.
	Deny
)

// String returns the effect in words.
func (e Effect) String() string {
	return [...]string{"None", "Delegate", "Allow", "Deny"}[e]
}

// AllBuckets is the resource of a request that concerns no bucket, or all of them as
// s3:ListAllMyBuckets does.
const AllBuckets = "arn:aws:s3:::*"

// BucketARN returns the resource name of a bucket.
func BucketARN(bucket string) string { return bucketARN + bucket }

// ObjectARN returns the resource name of an object.
func ObjectARN(bucket, key string) string { return bucketARN + bucket + "/" + key }

// Request is one use of one action on one resource.
type Request struct {
	Action    string // "s3:GetObject"; case does not matter.
	Resource  string // What BucketARN or ObjectARN returns, AllBuckets, or another ARN.
	Principal Principal
	// Conditions returns the values of a condition key, and whether the request has the key at all.
	// The key is one of the Key constants in the same spelling, or ExistingTagPrefix or
	// RequestTagPrefix followed by the key of a tag. Keys that follow from Principal (see there)
	// are not asked for. The values are only read, and only until Evaluate returns. Nil: the
	// request has no facts.
	Conditions func(key string) ([]string, bool)
	// Memo remembers what conditions said in earlier requests that differ from this one only in the
	// object. Nil: nothing is remembered.
	Memo *Memo
}

// Principal is who makes a request: somebody unknown (Anonymous), a service, an account's root, a
// user of an account, a session of a role, or somebody for whom an identity provider vouches.
//
// Claims, and the values of aws:PrincipalAccount, aws:PrincipalArn, aws:PrincipalType, aws:username and
// aws:userid follow from it. An anonymous caller has only aws:PrincipalType.
type Principal struct {
	Account     string // Id, which is also the canonical user id.
	User        string // Name; empty for an account's root and for roles.
	UserID      string // Value of aws:userid; empty: the account's id.
	Role        string // Name of the role that was assumed, if one was.
	SessionName string // Of the role's session.
	Federated   string // Name of the identity provider that vouches for a caller who has no role.
	// Claims are what the provider says of the caller, whether it has a role or not; nil: nothing.
	Claims    *Claims
	Service   string // Name of the service that acts, such as "logging.s3.amazonaws.com".
	Anonymous bool
}

// isRoot reports whether the caller is the root of an account.
func (p *Principal) isRoot() bool {
	return !p.Anonymous && p.Account != "" && p.User == "" && p.Role == "" && p.Federated == "" && p.Service == ""
}

// ARN returns the name by which policies know the caller. Anonymous callers and services have none:
// it is empty.
func (p *Principal) ARN() string {
	switch {
	case p.Anonymous || p.Account == "":
		return ""
	case p.Role != "" && p.SessionName != "":
		return "arn:aws:sts::" + p.Account + ":assumed-role/" + p.Role + "/" + p.SessionName
	case p.Role != "":
		return p.roleARN()
	case p.User != "":
		return "arn:aws:iam::" + p.Account + ":user/" + p.User
	case p.isRoot():
		return "arn:aws:iam::" + p.Account + ":root"
	case p.Federated != "" && p.SessionName != "":
		return "arn:aws:sts::" + p.Account + ":federated-user/" + p.SessionName
	}
	return ""
}

func (p *Principal) roleARN() string { return "arn:aws:iam::" + p.Account + ":role/" + p.Role }

func (p *Principal) typeName() string {
	switch {
	case p.Anonymous:
		return "Anonymous"
	case p.Service != "":
		return "Service"
	case p.Role != "":
		return "AssumedRole"
	case p.Federated != "":
		return "FederatedUser"
	case p.User != "":
		return "User"
	}
	return "Account"
}

// values returns the values of a condition key, and whether the request has it. one is room for a
// value that follows from the principal, so that none is allocated.
func (r *Request) values(key string, one *[1]string) ([]string, bool) {
	p := &r.Principal
	switch key {
	case KeyPrincipalType:
		one[0] = p.typeName()
	case KeyPrincipalAccount:
		one[0] = p.Account
	case KeyUsername:
		one[0] = p.User
	case KeyUserID:
		if one[0] = p.UserID; one[0] == "" {
			one[0] = p.Account
		}
	case KeyPrincipalARN:
		one[0] = p.ARN()
		if p.Role != "" {
			one[0] = p.roleARN() // A session has the ARN of its role, as at AWS.
		}
	default:
		if !strings.HasPrefix(key, "s3:") && isClaim(key) {
			return p.Claims.values(key)
		}
		if r.Conditions == nil {
			return nil, false
		}
		return r.Conditions(key)
	}
	if p.Anonymous && key != KeyPrincipalType || one[0] == "" {
		return nil, false
	}
	return one[:], true
}
