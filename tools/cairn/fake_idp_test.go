package main

import (
	"context"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func fakeProvider(name string) *adminpb.IdentityProvider {
	return &adminpb.IdentityProvider{Name: name, Kind: "oidc", Account: "acme-id", Created: fakeTime,
		MaxSessionSeconds: 3600,
		Oidc: &adminpb.OIDCProvider{Issuer: "https://id.example.com/realm", ClientIds: []string{"cairn", "console"},
			PolicyClaim: "policy",
			CaPem:       "certificate", SessionClaims: []string{"sub", "groups"}}}
}

// AddOIDCProvider tells what it was sent.
func (fakeAdmin) AddOIDCProvider(_ context.Context, r *adminpb.AddOIDCProviderRequest) (*adminpb.IdentityProvider,
	error) {
	p := &adminpb.IdentityProvider{Name: r.Name, Kind: "oidc", Account: r.Account, Created: fakeTime,
		Disabled:          r.Disabled,
		MaxSessionSeconds: r.MaxSessionSeconds, Oidc: &adminpb.OIDCProvider{Issuer: r.Issuer, ClientIds: r.ClientIds,
			PolicyClaim: r.PolicyClaim, CaPem: r.CaPem, SessionClaims: r.SessionClaims}}
	if r.EndSessions {
		p.SessionsSince = fakeTime
	}
	return p, failing(r.Name)
}

func (fakeAdmin) ListIdentityProviders(context.Context,
	*adminpb.ListIdentityProvidersRequest) (*adminpb.IdentityProviders, error) {
	return &adminpb.IdentityProviders{Providers: []*adminpb.IdentityProvider{fakeProvider("keycloak")}}, nil
}

func (fakeAdmin) ShowIdentityProvider(_ context.Context, r *adminpb.IdentityProviderRef) (*adminpb.IdentityProvider,
	error) {
	return fakeProvider(r.Name), failing(r.Name)
}

func (fakeAdmin) RemoveIdentityProvider(_ context.Context, r *adminpb.IdentityProviderRef) (*adminpb.Removed, error) {
	return &adminpb.Removed{}, failing(r.Name)
}
