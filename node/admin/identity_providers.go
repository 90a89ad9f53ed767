package admin

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/s3api/iam"
)

// AddOIDCProvider implements AdminService. If the request says replace, the provider must exist.
func (s *service) AddOIDCProvider(ctx context.Context, r *adminpb.AddOIDCProviderRequest) (*adminpb.IdentityProvider,
	error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.IdentityProvider, error) {
		write := s.directory(ctx).AddOIDCProvider
		if r.Replace {
			write = s.directory(ctx).SetOIDCProvider
		}
		p, err := write(ctx, iam.OIDCSpec{Name: r.Name, Account: in, Issuer: r.Issuer, ClientIDs: r.ClientIds,
			PolicyClaim: r.PolicyClaim, CAPEM: r.CaPem, SessionClaims: r.SessionClaims,
			MaxSession: time.Duration(r.MaxSessionSeconds) * time.Second, Disabled: r.Disabled,
			EndSessions: r.EndSessions})
		return identityProvider(p), err
	})
}

// ListIdentityProviders implements AdminService.
func (s *service) ListIdentityProviders(ctx context.Context,
	_ *adminpb.ListIdentityProvidersRequest) (*adminpb.IdentityProviders, error) {
	list, err := s.directory(ctx).Providers(ctx)
	return &adminpb.IdentityProviders{Providers: each(list, identityProvider)}, err
}

// ShowIdentityProvider implements AdminService.
func (s *service) ShowIdentityProvider(ctx context.Context, r *adminpb.IdentityProviderRef) (*adminpb.IdentityProvider,
	error) {
	p, err := s.directory(ctx).Provider(ctx, r.Name)
	return identityProvider(p), err
}

// RemoveIdentityProvider implements AdminService.
func (s *service) RemoveIdentityProvider(ctx context.Context, r *adminpb.IdentityProviderRef) (*adminpb.Removed,
	error) {
	return removed(s.directory(ctx).RemoveProvider(ctx, r.Name))
}

// identityProvider returns a provider without its secrets.
func identityProvider(p *metapb.IdentityProvider) *adminpb.IdentityProvider {
	if p == nil {
		return nil
	}
	out := &adminpb.IdentityProvider{Name: p.Name, Account: p.Account, Created: stamp(p.CreatedMs),
		Disabled:          p.Disabled,
		MaxSessionSeconds: p.MaxSessionSeconds}
	if p.SessionsSinceMs > 0 {
		out.SessionsSince = stamp(p.SessionsSinceMs)
	}
	if o := p.Oidc; o != nil {
		out.Kind = "oidc"
		out.Oidc = &adminpb.OIDCProvider{Issuer: o.Issuer, ClientIds: o.ClientIds, PolicyClaim: o.PolicyClaim,
			CaPem: o.CaPem, SessionClaims: o.SessionClaims}
	}
	return out
}
