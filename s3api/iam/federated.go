package iam

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/federate"
	"github.com/cairnstore/cairn/s3api/policy"
)

// MaxClaimsBytes bounds the claims that a session keeps, names and values together, because they
// travel in the token.
const MaxClaimsBytes = 1536

// usualClaims are the claims that sessions keep if the provider does not say which.
var usualClaims = []string{"sub", "aud", "azp", "preferred_username", "email", "name", "groups"}

// federatedToken is what the token of a session has for which an identity provider vouches.
type federatedToken struct {
	Provider string              `json:"n"`
	Created  int64               `json:"c"` // Unix time, ms: tells the provider from another one of the same name.
	Subject  string              `json:"s"`
	Revision uint64              `json:"v"`           // Of the provider's record when the session was made.
	Policies []string            `json:"l,omitempty"` // Of the provider's account; none if the session has a role.
	Claims   map[string][]string `json:"m,omitempty"`
}

// WebIdentities verifies tokens of OpenID Connect. *federate.Verifier implements it.
type WebIdentities interface {
	Verify(ctx context.Context, p *federate.Provider, token string) (*federate.Token, error)
}

// Federate has t take tokens that v verifies.
func (t *STS) Federate(v WebIdentities) { t.web = v }

// WebIdentity asks for a session for somebody for whom a provider of OpenID Connect vouches.
type WebIdentity struct {
	Token       string
	Provider    string        // Name or issuer; empty: that which the token names.
	Role        string        // As in AssumeRole, of the provider's account; empty: the policies that a claim names.
	SessionName string        // Empty: made of the subject.
	Duration    time.Duration // Zero: DefaultRoleSession.
	Policy      string
	Conditions  func(key string) ([]string, bool)
}

// FederatedSession is a session of somebody for whom a provider vouches, just made.
type FederatedSession struct {
	AssumedRole // ARN and ID are those of the federated user if the session has no role.

	Provider string // Name.
	Issuer   string
	Subject  string
	Audience string // The client id that the token was for.
}

// vouched is what STS knows of somebody for whom a provider vouches.
type vouched struct {
	provider *provider
	subject  string
	claims   *policy.Claims
	keep     map[string][]string
	policies []string // Of a session without a role.
}

// Codes of STS for tokens that are not taken.
const (
	codeInvalidToken  = "InvalidIdentityToken"
	codeExpiredToken  = "ExpiredTokenException"
	codeRejectedClaim = "IDPRejectedClaim"
	codeNoProvider    = "IDPCommunicationError"
)

// AssumeRoleWithWebIdentity returns a session for the subject of a token. A role must trust the
// provider of the token; without a role, a claim must name policies. Errors: Invalid; Denied;
// Expired; Unavailable; Overloaded.
func (t *STS) AssumeRoleWithWebIdentity(ctx context.Context, in WebIdentity) (*FederatedSession, error) {
	const op = "iam.AssumeRoleWithWebIdentity"
	if err := t.directory.fresh(ctx); err != nil {
		return nil, err
	}
	in.Token = strings.TrimSpace(in.Token) // Clients send a file as it is.
	p, err := t.providerOf(in)
	if err != nil {
		return nil, err
	}
	token, err := t.web.Verify(ctx, &federate.Provider{Name: p.Name, Version: p.version, Issuer: p.Oidc.Issuer,
		ClientIDs: p.Oidc.ClientIds, CAPEM: p.Oidc.CaPem}, in.Token)
	if err != nil {
		return nil, tokenFault(err)
	}
	who := &vouched{provider: p, subject: token.Subject, claims: &policy.Claims{Providers: providerNames(p),
		Find: token.Claim}}
	if who.keep, err = keptClaims(p.Oidc.SessionClaims, token); err != nil {
		return nil, err
	}
	if in.Role == "" {
		if who.policies, err = t.claimedPolicies(p, token); err != nil {
			return nil, err
		}
	}
	session, err := t.federated(ctx, op, who, federatedRequest{"sts:AssumeRoleWithWebIdentity", in.Role, in.SessionName,
		in.Duration, in.Policy, in.Conditions})
	if err != nil {
		return nil, err
	}
	session.Issuer = p.Oidc.Issuer
	for _, a := range token.Audience {
		if slices.Contains(p.Oidc.ClientIds, a) {
			session.Audience = a
		}
	}
	return session, nil
}

// providerOf returns the provider of a token. Errors: Invalid.
func (t *STS) providerOf(in WebIdentity) (*provider, error) {
	const op = "iam.AssumeRoleWithWebIdentity"
	issuer, err := federate.IssuerOf(in.Token)
	if err != nil {
		return nil, tokenFault(err)
	}
	p := t.directory.current.Load().byIssuer(issuer)
	if t.web == nil || p == nil || p.Disabled {
		return nil, errs.New(op, errs.Invalid, &stsFault{code: codeInvalidToken,
			message: "No OpenIDConnect provider found for " + shortened(issuer)})
	}
	if named := withoutScheme(in.Provider); named != "" && named != p.Name && named != withoutScheme(p.Oidc.Issuer) {
		return nil, errs.New(op, errs.Invalid, &stsFault{code: codeInvalidToken,
			message: "The token was not issued by the provider that ProviderId names"})
	}
	return p, nil
}

// maxEchoedBytes bounds what an answer repeats of a token that nobody has verified.
const maxEchoedBytes = 256

func shortened(s string) string { return s[:min(len(s), maxEchoedBytes)] }

func withoutScheme(issuer string) string {
	return strings.TrimPrefix(strings.TrimPrefix(issuer, "https://"), "http://")
}

// tokenFault gives an error of a Verifier its code of STS. Why a provider does not answer is for the
// log: it may tell strangers addresses.
func tokenFault(err error) error {
	const op = "iam.AssumeRoleWithWebIdentity"
	switch kind := errs.KindOf(err); kind {
	case errs.Expired:
		return errs.New(op, kind, &stsFault{code: codeExpiredToken, message: reason(err)})
	case errs.Invalid, errs.Denied:
		return errs.New(op, kind, &stsFault{code: codeInvalidToken, message: reason(err)})
	case errs.Unavailable:
		return errs.New(op, kind, &stsFault{code: codeNoProvider, cause: err,
			message: "The identity provider could not be asked for its keys, please try again."})
	}
	return err
}

// keptClaims returns the claims that a session keeps. Errors: Invalid, if they are too long.
func keptClaims(names []string, token *federate.Token) (map[string][]string, error) {
	if len(names) == 0 {
		names = usualClaims
	}
	out, size := map[string][]string{}, 0
	for _, name := range names {
		values, ok := token.Claim(name)
		if !ok {
			continue
		}
		out[name] = values
		size += len(name)
		for _, v := range values {
			size += len(v) + 3 // Quotes and a comma.
		}
	}
	if size > MaxClaimsBytes {
		return nil, errs.New("iam.AssumeRoleWithWebIdentity", errs.Invalid, &stsFault{code: codePolicyTooLarge,
			message: "The claims that a session keeps are too long: the administrator can choose fewer (cairn idp " +
				"oidc set --session-claim)"})
	}
	return out, nil
}

// claimedPolicies returns the policies that the policy claim of a token names and that the provider's
// account has. Errors: Denied.
func (t *STS) claimedPolicies(p *provider, token *federate.Token) ([]string, error) {
	const op = "iam.AssumeRoleWithWebIdentity"
	rejected := func(message string) ([]string, error) {
		return nil, errs.New(op, errs.Denied, &stsFault{code: codeRejectedClaim, message: message})
	}
	if p.Oidc.PolicyClaim == "" {
		return nil, errs.Newf(op, errs.Invalid, "RoleArn is missing: the identity provider %s has no policy claim",
			p.Name)
	}
	values, ok := token.Claim(p.Oidc.PolicyClaim)
	if !ok {
		return rejected("The token has no claim " + p.Oidc.PolicyClaim + " that names policies")
	}
	s := t.directory.current.Load()
	var out []string
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			name = strings.TrimSpace(name)
			if name != "" && !slices.Contains(out, name) && s.findPolicy(p.Account, name) != nil {
				out = append(out, name)
			}
			if len(out) > MaxPolicies {
				return rejected("The claim " + p.Oidc.PolicyClaim + " names more policies than a session may have")
			}
		}
	}
	if len(out) == 0 {
		return rejected("The claim " + p.Oidc.PolicyClaim + " names no policy that there is")
	}
	return out, nil
}

// federatedRequest is what somebody asks for for whom a provider vouches.
type federatedRequest struct {
	action, role, sessionName string
	duration                  time.Duration
	policy                    string
	conditions                func(key string) ([]string, bool)
}

// federated makes a session for somebody for whom a provider vouches.
func (t *STS) federated(ctx context.Context, op string, who *vouched, in federatedRequest) (*FederatedSession, error) {
	if in.sessionName == "" {
		in.sessionName = sessionNameOf(who.subject)
	}
	if err := checkSessionName(in.sessionName); err != nil {
		return nil, err
	}
	scope, err := parseSessionPolicy(in.policy)
	if err != nil {
		return nil, err
	}
	p := who.provider
	longest := time.Duration(p.MaxSessionSeconds) * time.Second
	var r *roleToken
	if in.role != "" {
		found, err := t.trustedRole(who, in)
		if err != nil {
			return nil, err
		}
		longest = DefaultRoleSession
		if found.MaxSessionSeconds > 0 {
			longest = time.Duration(found.MaxSessionSeconds) * time.Second
		}
		r = &roleToken{Account: found.Account, Name: found.Name, Created: found.CreatedMs, Session: in.sessionName,
			Policy: scope}
	}
	if in.duration == 0 {
		in.duration = min(DefaultRoleSession, longest)
	}
	if in.duration < MinSession || in.duration > longest {
		return nil, badDuration(op, in.duration, longest)
	}
	f := &federatedToken{Provider: p.Name, Created: p.CreatedMs, Subject: who.subject, Revision: p.version,
		Policies: who.policies, Claims: who.keep}
	record := &token{Federated: f, Role: r}
	if r == nil {
		record.Policy = scope
	}
	credentials, err := t.keys.newSession(record, in.duration)
	if err != nil {
		return nil, err
	}
	id, err := t.keys.federatedIdentity(t.directory.current.Load(), record)
	if err != nil {
		return nil, err
	}
	return &FederatedSession{Provider: p.Name, Subject: who.subject, AssumedRole: AssumedRole{
		SessionCredentials: credentials, ARN: id.ARN(), ID: id.UniqueID(), PolicyPercent: packed(scope)}}, nil
}

// packed is how large a session's policy is, in percent of MaxSessionPolicyBytes.
func packed(scope []byte) int {
	return (len(scope)*100 + MaxSessionPolicyBytes - 1) / MaxSessionPolicyBytes
}

// trustedRole returns the role that somebody asks for, if it trusts the provider that vouches. Errors:
// Denied, also if there is no such role; Invalid.
func (t *STS) trustedRole(who *vouched, in federatedRequest) (*role, error) {
	account, name, err := parseRole(in.role, who.provider.Account)
	if err != nil {
		return nil, err
	}
	s := t.directory.current.Load()
	r, a := s.roles.get(path(account, name)), s.account(account)
	if r != nil && r.trust != nil && a != nil && !a.Disabled {
		request := &policy.Request{Action: in.action, Resource: roleARN(account, name),
			Conditions: stsConditions(&Identity{}, in.conditions),
			Principal:  policy.Principal{Federated: who.provider.Name, Claims: who.claims}}
		if policy.Evaluate(r.trust, request) == policy.Allow {
			return r, nil
		}
	}
	return nil, errs.Newf("iam.federated", errs.Denied, "Not authorized to perform %s", in.action)
}

// sessionNameOf makes the name of a session of the name of its subject.
func sessionNameOf(subject string) string {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(nameCharacters, r) {
			return r
		}
		return '-'
	}, subject)
	if len(name) < minSessionNameBytes {
		name += strings.Repeat("-", minSessionNameBytes)
	}
	return name[:min(len(name), MaxNameBytes)]
}

// federatedIdentity returns whom a session stands for that a provider vouches for. Errors: Denied, if
// the provider is gone, disabled or another one, or its sessions were ended, or if its account or the
// role are gone or disabled.
func (k *Keys) federatedIdentity(s *snapshot, t *token) (*Identity, error) {
	const op = "iam.Lookup"
	f := t.Federated
	p := s.providers.get(f.Provider)
	if p == nil || p.Disabled || p.CreatedMs != f.Created || f.Revision <= p.EndedRevision {
		return nil, errs.Newf(op, errs.Denied, "the identity provider %s is gone or disabled, or its sessions were "+
			"ended%w", f.Provider, errStale)
	}
	id := &Identity{}
	if t.Role != nil {
		found, err := s.roleIdentity(t.Role)
		if err != nil {
			return nil, err
		}
		id = found
	} else {
		account := s.account(p.Account)
		if account == nil || account.Disabled {
			return nil, errs.Newf(op, errs.Denied, "the account of the identity provider %s is gone or disabled",
				p.Name)
		}
		id.Account, id.AccountName, id.granted = account.Id, account.Name, f.Policies
		if len(t.Policy) > 0 {
			scope, err := policy.Parse(t.Policy, policy.Identity)
			if err != nil {
				return nil, errs.Newf(op, errs.Denied, "the policy of the session: %w", err)
			}
			id.SessionPolicy = scope
		}
	}
	id.Provider, id.Subject, id.federated = p.Name, f.Subject, f
	id.Claims = &policy.Claims{Providers: providerNames(p), Values: f.Claims}
	return id, nil
}

// providerNames are the beginnings of the condition keys of a provider's claims.
func providerNames(p *provider) []string {
	return []string{p.Name, withoutScheme(p.GetOidc().GetIssuer()), policy.AnyClaims}
}

// federatedName returns the name of a federated user in its ARN.
func (i *Identity) federatedName() string { return i.Provider + "/" + url.PathEscape(i.Subject) }
