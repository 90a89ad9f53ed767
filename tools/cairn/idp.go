package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func newIDP() *cobra.Command {
	cmd := noun("idp", "Identity providers, which vouch for people and programs that the cluster does not know itself",
		providerList(), providerShow(), providerRemove())
	cmd.AddCommand(noun("oidc", "Providers of OpenID Connect", oidcAdd(), oidcSet()))
	return cmd
}

// oidcFlags are the flags that describe a provider of OpenID Connect.
type oidcFlags struct {
	r          adminpb.AddOIDCProviderRequest
	maxSession time.Duration
	ca         ownCA
}

func (f *oidcFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.r.Account, "account", "", "name or id of the account to which sessions without a role belong "+
		"(default: yours)")
	fs.StringVar(&f.r.Issuer, "issuer", "", "URL of the provider, as its tokens have it in iss; https unless it is "+
		"on this host (required)")
	fs.StringSliceVar(&f.r.ClientIds, "client-id", nil, "client ids that tokens may be for (aud), comma separated "+
		"(required)")
	fs.StringVar(&f.r.PolicyClaim, "policy-claim", "", "claim that names the policies of sessions without a role; "+
		"a.b is b in a (default: sessions need a role)")
	fs.Lookup("ca-file").Usage = "file with the certificates (PEM) that the provider's is checked by (default: " +
		"those of the nodes' systems); those for the cluster's endpoint are in CAIRN_CA_FILE"
	f.ca.Value = fs.Lookup("ca-file").Value
	fs.Lookup("ca-file").Value = &f.ca
	fs.StringSliceVar(&f.r.SessionClaims, "session-claim", nil,
		"claims that sessions keep for policies, comma separated (default: sub, aud, azp, preferred_username, "+
			"email, name, groups)")
	fs.DurationVar(&f.maxSession, "max-session", 12*time.Hour, "longest session without a role, 15m to 12h")
}

// request returns the request that the flags say.
func (f *oidcFlags) request(name string) (*adminpb.AddOIDCProviderRequest, error) {
	if f.maxSession < time.Second || f.maxSession > 24*time.Hour {
		return nil, &statusError{exitUsage, fmt.Errorf("--max-session %v: 15m to 12h", f.maxSession)}
	}
	if file := f.ca.path; file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, &statusError{exitUsage, fmt.Errorf("--ca-file: %w", err)}
		}
		f.r.CaPem = string(pem)
	}
	f.r.Name, f.r.MaxSessionSeconds = name, uint32(f.maxSession/time.Second)
	return &f.r, nil
}

// ownCA takes the value of --ca-file for a command that means another than the endpoint's.
type ownCA struct {
	pflag.Value
	path string
}

// Set implements pflag.Value.
func (c *ownCA) Set(path string) error {
	c.path = path
	return nil
}

func oidcAdd() verb {
	var f oidcFlags
	return verb{
		use: "add PROVIDER", short: "Make a provider of OpenID Connect",
		long: `Make a provider of OpenID Connect. Whoever has a token of it can get temporary
credentials of STS (AssumeRoleWithWebIdentity): for a role whose trust policy names the
provider as Federated or, with --policy-claim, without a role. PROVIDER is the beginning
of the keys by which policies ask for claims (PROVIDER:sub). It holds on the node that
answers at once, and on every other one within a second.`,
		example: "  cairn idp oidc add keycloak --issuer https://id.example.com/realms/staff --client-id cairn " +
			"--policy-claim policy",
		flags: func(cmd *cobra.Command) { f.register(cmd.Flags()) },
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			r, err := f.request(args[0])
			if err != nil {
				return nil, err
			}
			return showProvider(c.AddOIDCProvider(ctx, r))
		},
	}
}

func oidcSet() verb {
	var f oidcFlags
	var disable, enable, endSessions bool
	var flags *pflag.FlagSet
	return verb{
		use: "set PROVIDER", short: "Change a provider of OpenID Connect",
		long: `Change a provider of OpenID Connect: what is not named stays. Another issuer or account
ends the sessions that the provider vouched for; so does --end-sessions for all that were
made before, and --disable as long as the provider is disabled.`,
		example: "  cairn idp oidc set keycloak --client-id cairn,console --end-sessions",
		flags: func(cmd *cobra.Command) {
			flags = cmd.Flags()
			f.register(flags)
			flags.BoolVar(&disable, "disable", false, "take none of its tokens, and refuse its sessions")
			flags.BoolVar(&enable, "enable", false, "take its tokens and sessions again")
			flags.BoolVar(&endSessions, "end-sessions", false, "refuse the sessions that were made before")
			for _, name := range []string{"issuer", "client-id"} {
				flags.Lookup(name).Usage = strings.Replace(flags.Lookup(name).Usage, "(required)",
					"(default: as it is)", 1)
			}
		},
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			r, err := f.request(args[0])
			if err == nil && disable && enable {
				err = &statusError{exitUsage, errors.New("give one of --disable and --enable")}
			}
			if err != nil {
				return nil, err
			}
			old, err := c.ShowIdentityProvider(ctx, &adminpb.IdentityProviderRef{Name: args[0]})
			if err != nil {
				return nil, err
			}
			r.Replace, r.EndSessions = true, endSessions
			r.Disabled = disable || old.Disabled && !enable
			f.keep(r, old, flags.Changed)
			return showProvider(c.AddOIDCProvider(ctx, r))
		},
	}
}

// keep fills in what a request to change a provider does not name.
func (*oidcFlags) keep(r *adminpb.AddOIDCProviderRequest, old *adminpb.IdentityProvider, named func(flag string) bool) {
	for flag, fill := range map[string]func(){
		"account":       func() { r.Account = old.Account },
		"issuer":        func() { r.Issuer = old.GetOidc().GetIssuer() },
		"client-id":     func() { r.ClientIds = old.GetOidc().GetClientIds() },
		"policy-claim":  func() { r.PolicyClaim = old.GetOidc().GetPolicyClaim() },
		"ca-file":       func() { r.CaPem = old.GetOidc().GetCaPem() },
		"session-claim": func() { r.SessionClaims = old.GetOidc().GetSessionClaims() },
		"max-session":   func() { r.MaxSessionSeconds = old.MaxSessionSeconds },
	} {
		if !named(flag) {
			fill()
		}
	}
}

func providerList() verb {
	return verb{
		use: "list", short: "List the identity providers",
		run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
			a, err := c.ListIdentityProviders(ctx, &adminpb.ListIdentityProvidersRequest{})
			return &answer{a, func(w io.Writer) {
				row(w, "PROVIDER", "KIND", "ACCOUNT", "DISABLED", "AT", "CREATED")
				for _, p := range a.Providers {
					row(w, p.Name, p.Kind, p.Account, p.Disabled, p.GetOidc().GetIssuer(), p.Created)
				}
			}}, err
		},
	}
}

func providerShow() verb {
	return verb{
		use: "show PROVIDER", short: "Show an identity provider",
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			return showProvider(c.ShowIdentityProvider(ctx, &adminpb.IdentityProviderRef{Name: args[0]}))
		},
	}
}

func providerRemove() verb {
	return verb{
		use: "remove PROVIDER", short: "Remove an identity provider and end its sessions",
		destroys: func(args []string) string {
			return fmt.Sprintf("Identity provider %s will be removed, and its sessions end.", args[0])
		},
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			a, err := c.RemoveIdentityProvider(ctx, &adminpb.IdentityProviderRef{Name: args[0]})
			return done(a, err, "identity provider %s removed", args[0])
		},
	}
}

func showProvider(p *adminpb.IdentityProvider, err error) (*answer, error) {
	return &answer{p, func(w io.Writer) {
		row(w, "provider", p.Name)
		row(w, "kind", p.Kind)
		row(w, "account", p.Account)
		row(w, "disabled", p.Disabled)
		row(w, "created", p.Created)
		row(w, "longest session", seconds(p.MaxSessionSeconds))
		row(w, "sessions since", p.SessionsSince)
		if o := p.Oidc; o != nil {
			row(w, "issuer", o.Issuer)
			row(w, "client ids", strings.Join(o.ClientIds, ", "))
			row(w, "policy claim", o.PolicyClaim)
			row(w, "session claims", strings.Join(o.SessionClaims, ", "))
			row(w, "certificates", o.CaPem != "")
		}
	}}, err
}
