package iam

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/policy"
)

// Limits of how long sessions last.
const (
	MinSession = 15 * time.Minute
	// MaxSession and DefaultSession are for sessions of users (GetSessionToken).
	MaxSession     = 36 * time.Hour
	DefaultSession = 12 * time.Hour
	// MaxRootSession is the most that a session of an account's root lasts; longer ones are cut to
	// it.
	MaxRootSession = time.Hour
	// MaxChainedSession bounds a session of a role if a session of a role assumed it, as at AWS.
	MaxChainedSession = time.Hour
)

// STS makes sessions: temporary credentials. It writes nothing for a session. A session ends when
// its time is over, and when one of these is disabled or gone: the access key that it was made
// with, the user or account of that key, or the role.
type STS struct {
	directory  *Directory
	keys       *Keys
	authorizer *Authorizer
	web        WebIdentities // Nil: no tokens of identity providers are taken.
}

// NewSTS returns an STS whose sessions k knows.
func NewSTS(d *Directory, k *Keys) *STS {
	return &STS{directory: d, keys: k, authorizer: NewAuthorizer(d)}
}

// SessionCredentials are the credentials of a session.
type SessionCredentials struct {
	AccessKey  string
	Secret     string
	Token      string
	Expiration time.Time
}

// String keeps the secrets out of every log line and error.
func (c SessionCredentials) String() string {
	return "iam.SessionCredentials(" + c.AccessKey + ", redacted)"
}

// GoString is String, for %#v.
func (c SessionCredentials) GoString() string { return c.String() }

// MarshalText is String, for encoders of logs.
func (c SessionCredentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Codes of STS for errors whose kind does not tell enough.
const (
	codeMalformedPolicy = "MalformedPolicyDocument"
	codePolicyTooLarge  = "PackedPolicyTooLarge"
)

// stsFault is the cause of an error for which STS has a code of its own.
type stsFault struct {
	code, message string
	cause         error // For the log, and not for the client. May be nil.
}

// Error implements error.
func (f *stsFault) Error() string {
	if f.cause != nil {
		return f.message + " (" + f.cause.Error() + ")"
	}
	return f.message
}

// SessionToken returns a session of the caller itself. A zero duration is
// DefaultSession. Errors: Invalid, Denied (the caller is a session).
func (t *STS) SessionToken(ctx context.Context, caller *Identity, duration time.Duration) (SessionCredentials, error) {
	const op = "iam.SessionToken"
	duration = cmp.Or(duration, DefaultSession)
	switch {
	case caller.Temporary:
		return SessionCredentials{}, errs.Newf(op, errs.Denied, "Cannot call GetSessionToken with session credentials")
	case duration < MinSession || duration > MaxSession:
		return SessionCredentials{}, badDuration(op, duration, MaxSession)
	case caller.Root:
		duration = min(duration, MaxRootSession)
	}
	return t.mint(ctx, caller, duration, nil)
}

func badDuration(op string, got, limit time.Duration) error {
	return errs.Newf(op, errs.Invalid, "DurationSeconds is %d; it must be %d to %d", seconds(got), seconds(MinSession), seconds(limit))
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// AssumeRole asks for a session of a role.
type AssumeRole struct {
	Role        string        // arn:aws:iam::ACCOUNT:role/NAME; NAME alone is a role of the caller's account.
	SessionName string        // Tells the role's sessions apart.
	Duration    time.Duration // Zero: DefaultRoleSession.
	Policy      string        // Document that the session is scoped down to; empty: none.
	// Conditions returns the facts of the request, as policy.Request has them. Nil: none.
	Conditions func(key string) ([]string, bool)
}

// AssumedRole is a session of a role, just made.
type AssumedRole struct {
	SessionCredentials
	ARN           string // arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION.
	ID            string // ROLE:SESSION.
	PolicyPercent int    // How large the session's policy is, in percent of MaxSessionPolicyBytes; 0 without one.
}

// AssumeRole returns a session of a role that trusts the caller. Errors: Invalid; Denied, also if
// there is no such role, because strangers must not learn which roles exist; Unavailable.
func (t *STS) AssumeRole(ctx context.Context, caller *Identity, in AssumeRole) (*AssumedRole, error) {
	const op = "iam.AssumeRole"
	account, name, err := parseRole(in.Role, caller.Account)
	if err != nil {
		return nil, err
	}
	if err := checkSessionName(in.SessionName); err != nil {
		return nil, err
	}
	scope, err := parseSessionPolicy(in.Policy)
	if err != nil {
		return nil, err
	}
	s := t.directory.current.Load()
	r := s.roles.get(path(account, name))
	if r == nil || r.trust == nil || !t.trusts(caller, r, in.Conditions) {
		return nil, errs.Newf(op, errs.Denied, "User: %s is not authorized to perform: sts:AssumeRole on resource: %s", caller.ARN(), roleARN(account, name))
	}
	longest := cmp.Or(time.Duration(r.MaxSessionSeconds)*time.Second, DefaultRoleSession)
	if caller.Role != "" || caller.Provider != "" {
		longest = min(longest, MaxChainedSession)
	}
	duration := cmp.Or(in.Duration, min(DefaultRoleSession, longest))
	if duration < MinSession || duration > longest {
		return nil, badDuration(op, duration, longest)
	}
	role := &roleToken{Account: account, Name: name, Created: r.CreatedMs, Session: in.SessionName, Policy: scope}
	credentials, err := t.mint(ctx, caller, duration, role)
	if err != nil {
		return nil, err
	}
	id := &Identity{Account: account, Role: name, SessionName: in.SessionName}
	return &AssumedRole{SessionCredentials: credentials, ARN: id.ARN(), ID: id.UniqueID(),
		PolicyPercent: packed(scope)}, nil
}

// trusts decides whether the caller may assume a role. If the trust policy names the caller itself,
// that is enough inside the account. If it names a whole account, the caller's own policies have to
// allow it too.
func (t *STS) trusts(caller *Identity, r *role, facts func(string) ([]string, bool)) bool {
	if caller.Admin {
		return true
	}
	request := &policy.Request{Action: "sts:AssumeRole", Resource: roleARN(r.Account, r.Name), Principal: caller.Principal(),
		Conditions: stsConditions(caller, facts)}
	identity, trust := t.authorizer.identityEffect(caller, request, nil), policy.Evaluate(r.trust, request)
	switch {
	case identity == policy.Deny || trust == policy.Deny:
		return false
	case trust == policy.Allow && caller.Account == r.Account && caller.SessionPolicy == nil:
		return true
	}
	return identity == policy.Allow && (trust == policy.Allow || trust == policy.Delegate)
}

// stsConditions returns the facts of a request, and those that follow from the clock and the
// caller.
func stsConditions(caller *Identity, facts func(string) ([]string, bool)) func(string) ([]string, bool) {
	now := time.Now().UTC()
	return func(key string) ([]string, bool) {
		switch key {
		case policy.KeyCurrentTime:
			return []string{now.Format(time.RFC3339)}, true
		case policy.KeyEpochTime:
			return []string{strconv.FormatInt(now.Unix(), 10)}, true
		case policy.KeyTokenIssueTime:
			return []string{caller.Issued.UTC().Format(time.RFC3339)}, caller.Temporary
		}
		if facts == nil {
			return nil, false
		}
		return facts(key)
	}
}

// mint makes a session that ends with the caller's long-lived access key. If the caller is a
// session itself, that is the key which it was made with. If an identity provider vouches for the
// caller, the session ends with that. Errors: Denied, Unavailable, Invalid (the token would be too
// long).
func (t *STS) mint(ctx context.Context, caller *Identity, duration time.Duration, role *roleToken) (SessionCredentials, error) {
	if caller.federated != nil {
		f := *caller.federated
		f.Policies = nil // What it may do follows from the role.
		return t.keys.newSession(&token{Federated: &f, Role: role}, duration)
	}
	parent, err := t.keys.Lookup(ctx, cmp.Or(caller.parent, caller.AccessKey), "")
	if errs.Is(err, errs.NotFound) {
		return SessionCredentials{}, errs.Newf("iam.mint", errs.Denied, "The access key of the caller is gone or disabled")
	}
	if err != nil {
		return SessionCredentials{}, err
	}
	return t.keys.newSession(&token{Parent: parent.AccessKey, ParentSum: t.keys.sum(parent), Role: role}, duration)
}

// newSession makes the credentials of a session of which a record tells everything but its secret and
// times. Errors: Invalid (the token would be too long).
func (k *Keys) newSession(record *token, duration time.Duration) (c SessionCredentials, err error) {
	now := time.Now()
	record.Secret, record.Issued, record.Expires = newSecret(), now.Unix(), now.Add(duration).Unix()
	c = SessionCredentials{AccessKey: newAccessKey(sessionKeyPrefix), Secret: record.Secret,
		Expiration: record.expires().UTC()}
	c.Token, err = k.secret.sealToken(c.AccessKey, record)
	return c, err
}

func roleARN(account, name string) string { return "arn:aws:iam::" + account + ":role/" + name }

// parseRole returns the account and the name of a role as a caller wrote it; own is the caller's
// account. Errors: Invalid.
func parseRole(text, own string) (account, name string, err error) {
	account, name = own, text
	if rest, ok := strings.CutPrefix(text, "arn:aws:iam::"); ok {
		account, name, _ = strings.Cut(rest, ":")
		account = cmp.Or(account, own)
		if name, ok = strings.CutPrefix(name, "role/"); !ok {
			name = ""
		}
	}
	if checkName("role", name, MaxNameBytes) != nil || checkAccountID(account) != nil {
		return "", "", errs.Newf("iam.AssumeRole", errs.Invalid, "RoleArn must have the form arn:aws:iam::ACCOUNT:role/NAME, or be the name of a role of the caller's account")
	}
	return account, name, nil
}

func checkSessionName(name string) error {
	if len(name) < minSessionNameBytes || len(name) > MaxNameBytes || strings.Trim(name, nameCharacters) != "" {
		return errs.Newf("iam.AssumeRole", errs.Invalid, "RoleSessionName must have %d to %d letters, digits and any of %s",
			minSessionNameBytes, MaxNameBytes, namePunctuation)
	}
	return nil
}

// parseSessionPolicy returns the canonical form of a session's policy; nil if there is none.
// Errors: Invalid.
func parseSessionPolicy(document string) ([]byte, error) {
	const op = "iam.AssumeRole"
	if document == "" {
		return nil, nil
	}
	p, err := policy.Parse([]byte(document), policy.Identity)
	if err != nil {
		return nil, errs.New(op, errs.Invalid, &stsFault{code: codeMalformedPolicy,
			message: "The policy of the session: " + reason(err)})
	}
	packed := p.Marshal()
	if len(packed) > MaxSessionPolicyBytes {
		return nil, errs.New(op, errs.Invalid, &stsFault{code: codePolicyTooLarge,
			message: "The policy of the session has " + strconv.Itoa(len(packed)*100/MaxSessionPolicyBytes) +
				"% of the size that is allowed, " +
				strconv.Itoa(MaxSessionPolicyBytes) + " bytes without white space"})
	}
	return packed, nil
}
