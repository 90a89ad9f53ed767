package iam

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/federate"
	"github.com/cairnstore/cairn/s3api/policy"
)

// Limits of identity providers.
const (
	MaxProviders     = 64
	MaxClientIDs     = 100 // As at AWS.
	MaxSessionClaims = 20
	maxClientIDBytes = 255
	maxClaimBytes    = 128
	maxCABytes       = 32 << 10
)

// OIDCSpec is a provider of OpenID Connect to be made, or what an existing one is to become.
type OIDCSpec struct {
	Name          string
	Account       string // To which sessions without a role belong.
	Issuer        string
	ClientIDs     []string
	PolicyClaim   string // Names the policies of sessions without a role; empty: a session needs a role.
	CAPEM         string
	SessionClaims []string      // What sessions keep of the token's claims; none: the usual ones.
	MaxSession    time.Duration // Of sessions without a role; zero: MaxRoleSession.
	Disabled      bool
	EndSessions   bool // Sessions that were made before end.
}

// check fills in defaults and checks the rest. Errors: Invalid.
func (s *OIDCSpec) check() error {
	const op = "iam.OIDCProvider"
	if !policy.ValidProvider(s.Name) || len(s.Name) > MaxNameBytes || s.Name == policy.AnyClaims ||
		s.Name == policy.LDAPClaims {
		return errs.Newf(op, errs.Invalid,
			"%q cannot name an identity provider: use at most %d lower-case letters, digits and hyphens, and no "+
				"name of a service such as aws, jwt or ldap", s.Name, MaxNameBytes)
	}
	if err := federate.CheckIssuer(s.Issuer); err != nil {
		return err
	}
	if len(s.ClientIDs) == 0 || len(s.ClientIDs) > MaxClientIDs {
		return errs.Newf(op, errs.Invalid, "give 1 to %d client ids: tokens for others are refused", MaxClientIDs)
	}
	for _, id := range s.ClientIDs {
		if !printable(id, maxClientIDBytes) {
			return errs.Newf(op, errs.Invalid, "a client id has 1 to %d characters and no blanks", maxClientIDBytes)
		}
	}
	if len(s.SessionClaims) > MaxSessionClaims {
		return errs.Newf(op, errs.Invalid, "sessions keep at most %d claims", MaxSessionClaims)
	}
	for _, name := range append(slices.Clone(s.SessionClaims), cmp.Or(s.PolicyClaim, "sub")) {
		if !printable(name, maxClaimBytes) {
			return errs.Newf(op, errs.Invalid, "the name of a claim has 1 to %d characters and no blanks",
				maxClaimBytes)
		}
	}
	if len(s.CAPEM) > maxCABytes {
		return errs.Newf(op, errs.Invalid, "the file of certificates has more than %d bytes", maxCABytes)
	}
	s.MaxSession = cmp.Or(s.MaxSession, MaxRoleSession)
	if s.MaxSession < MinSession || s.MaxSession > MaxRoleSession {
		return errs.Newf(op, errs.Invalid, "the longest session of a provider is %v to %v, not %v", MinSession,
			MaxRoleSession, s.MaxSession)
	}
	return federate.CheckCA(s.CAPEM)
}

// printable reports whether a text has 1 to limit bytes, all of them printable ASCII without blanks.
func printable(s string, limit int) bool {
	return s != "" && len(s) <= limit && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// AddOIDCProvider makes a provider of OpenID Connect. No two providers have the same issuer.
func (a *Admin) AddOIDCProvider(ctx context.Context, spec OIDCSpec) (*metapb.IdentityProvider, error) {
	return a.writeOIDC(ctx, spec, false)
}

// SetOIDCProvider changes a provider of OpenID Connect. If its issuer or account changes, the sessions
// that it vouched for end.
func (a *Admin) SetOIDCProvider(ctx context.Context, spec OIDCSpec) (*metapb.IdentityProvider, error) {
	return a.writeOIDC(ctx, spec, true)
}

func (a *Admin) writeOIDC(ctx context.Context, spec OIDCSpec, replace bool) (*metapb.IdentityProvider, error) {
	const op = "iam.OIDCProvider"
	if err := spec.check(); err != nil {
		return nil, err
	}
	var out *metapb.IdentityProvider
	err := a.update(ctx, func(c *change) error {
		account, err := c.mustAccount(spec.Account)
		if err != nil {
			return err
		}
		old := c.providers.get(spec.Name)
		switch {
		case old != nil && !replace:
			return errs.Newf(op, errs.Exists, "there is an identity provider %q already", spec.Name)
		case replace && (old == nil || old.Oidc == nil):
			return noProvider(spec.Name)
		}
		known := 0
		for _, p := range c.providers.all() {
			if known++; p.Name != spec.Name && p.GetOidc().GetIssuer() == spec.Issuer {
				return errs.Newf(op, errs.Exists, "the identity provider %s has this issuer already: give that one "+
					"the client id too", p.Name)
			}
			c.check(metapb.EntryKind_ENTRY_IDENTITY_PROVIDER, p.Name)
		}
		if !replace && known >= MaxProviders {
			return errs.Newf(op, errs.Precondition, "there are %d identity providers, which is the most", MaxProviders)
		}
		out = &metapb.IdentityProvider{Name: spec.Name, Account: account.Id, CreatedMs: c.now, Disabled: spec.Disabled,
			MaxSessionSeconds: uint32(spec.MaxSession / time.Second),
			Oidc: &metapb.OIDCProvider{Issuer: spec.Issuer, ClientIds: spec.ClientIDs, PolicyClaim: spec.PolicyClaim,
				CaPem: spec.CAPEM, SessionClaims: spec.SessionClaims}}
		if replace {
			out.SessionsSinceMs, out.EndedRevision = old.SessionsSinceMs, old.EndedRevision
			if old.Account == out.Account && old.Oidc.Issuer == spec.Issuer {
				out.CreatedMs = old.CreatedMs
			}
		}
		if spec.EndSessions && replace {
			// No clock decides: those of two nodes may differ by minutes.
			out.SessionsSinceMs, out.EndedRevision = c.now, old.version
		}
		c.hold(metapb.EntryKind_ENTRY_ACCOUNT, account.Id)
		c.set(metapb.EntryKind_ENTRY_IDENTITY_PROVIDER, spec.Name, out)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func noProvider(name string) error {
	return errs.Newf("iam.Provider", errs.NotFound, "there is no identity provider %q of this kind; `cairn idp "+
		"list` has them", name)
}

// Providers returns the identity providers by name.
func (a *Admin) Providers(ctx context.Context) ([]*metapb.IdentityProvider, error) {
	s, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	var out []*metapb.IdentityProvider
	for _, p := range s.providers.all() {
		out = append(out, p.IdentityProvider)
	}
	return out, nil
}

// Provider returns an identity provider.
func (a *Admin) Provider(ctx context.Context, name string) (*metapb.IdentityProvider, error) {
	s, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	p := s.providers.get(name)
	if p == nil {
		return nil, noProvider(name)
	}
	return p.IdentityProvider, nil
}

// RemoveProvider removes an identity provider. That ends the sessions that it vouched for.
func (a *Admin) RemoveProvider(ctx context.Context, name string) error {
	return a.update(ctx, func(c *change) error {
		if c.entry(metapb.EntryKind_ENTRY_IDENTITY_PROVIDER, name) == nil {
			return noProvider(name)
		}
		c.delete(metapb.EntryKind_ENTRY_IDENTITY_PROVIDER, name)
		return nil
	})
}

// provider is an identity provider of a snapshot.
type provider struct {
	*metapb.IdentityProvider
	version uint64 // Of its entry.
}

// byIssuer returns the provider of OpenID Connect with an issuer; nil if there is none.
func (s *snapshot) byIssuer(issuer string) *provider {
	for _, p := range s.providers.all() {
		if p.GetOidc().GetIssuer() == issuer {
			return p
		}
	}
	return nil
}

// HasProvider reports whether the directory has an identity provider of this name.
func (d *Directory) HasProvider(name string) bool { return d.current.Load().providers.get(name) != nil }
