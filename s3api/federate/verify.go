package federate

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/cairnstore/cairn/cluster/errs"
)

const (
	// MaxTokenBytes bounds tokens, as at AWS.
	MaxTokenBytes = 20_000
	// Leeway is how far the clocks of a provider and of a node may be apart.
	Leeway = time.Minute
	// MaxVerifying bounds the tokens of one provider that a node looks at at once.
	MaxVerifying = 32
)

// algorithms are the signatures that are taken. None and HMAC are not among them: whoever knows the
// public key of a provider could make those.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA}

func algorithmNames() []string {
	out := make([]string, len(algorithms))
	for i, a := range algorithms {
		out[i] = string(a)
	}
	return out
}

// Provider is a provider of OpenID Connect.
type Provider struct {
	Name      string
	Version   uint64 // Of the description: another one forgets what is remembered of the provider.
	Issuer    string // URL, as tokens have it in iss.
	ClientIDs []string
	CAPEM     string // Certificates that the provider's is checked by; empty: those of the system.
}

// Events are told what happens. Each may be nil.
type Events struct {
	// Asked is called after a provider was asked for its keys. err is nil if it gave them.
	Asked func(provider string, err error)
}

// Config sets up a Verifier.
type Config struct {
	Now    func() time.Time // Nil: time.Now.
	Events Events
}

// Verifier verifies tokens.
type Verifier struct {
	now    func() time.Time
	events Events
	ctx    context.Context // Of everything that asks a provider.
	cancel context.CancelFunc
	asking sync.WaitGroup

	mu    sync.Mutex
	known map[string]*keySet // By name of the provider.
}

// NewVerifier returns a verifier that remembers no keys yet. Close ends it.
func NewVerifier(c Config) *Verifier {
	v := &Verifier{now: c.Now, events: c.Events, known: map[string]*keySet{}}
	if v.now == nil {
		v.now = time.Now
	}
	v.ctx, v.cancel = context.WithCancel(context.Background())
	return v
}

// Close ends all questions to providers. No token may be verified afterwards.
func (v *Verifier) Close() {
	v.cancel()
	v.asking.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, k := range v.known {
		k.client.CloseIdleConnections()
	}
}

// IssuerOf returns who a token says has issued it. Nothing of the token has been verified then.
// Errors: Invalid.
func IssuerOf(token string) (string, error) {
	const op = "federate.IssuerOf"
	if len(token) > MaxTokenBytes {
		return "", errs.Newf(op, errs.Invalid, "the token has more than %d bytes", MaxTokenBytes)
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errs.Newf(op, errs.Invalid, "the token is no JSON Web Token: it has not three parts")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", errs.Newf(op, errs.Invalid, "the token is no JSON Web Token: its claims are not base64url")
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Issuer == "" {
		return "", errs.Newf(op, errs.Invalid, "the token names no issuer")
	}
	return claims.Issuer, nil
}

// Verify returns the claims of a token that a provider has signed for one of its clients. Errors:
// Invalid (it is no token of this provider); Expired; Denied (it is one, but not for this cluster);
// Unavailable (the provider's keys are not known); Overloaded.
func (v *Verifier) Verify(ctx context.Context, p *Provider, token string) (*Token, error) {
	const op = "federate.Verify"
	issuer, err := IssuerOf(token)
	if err != nil {
		return nil, err
	}
	if issuer != p.Issuer {
		return nil, errs.Newf(op, errs.Invalid, "the token was issued by another than %s", p.Issuer)
	}
	keys, err := v.keysOf(p)
	if err != nil {
		return nil, err
	}
	select {
	case keys.slots <- struct{}{}:
		defer func() { <-keys.slots }()
	default:
		return nil, errs.Newf(op, errs.Overloaded, "too many tokens of the provider %s are looked at just now", p.Name)
	}
	config := &oidc.Config{SupportedSigningAlgs: algorithmNames(), SkipClientIDCheck: true, SkipExpiryCheck: true}
	recorded := &recorder{keys: keys}
	if _, err := oidc.NewVerifier(p.Issuer, recorded, config).Verify(ctx, token); err != nil {
		if recorded.err != nil {
			return nil, recorded.err
		}
		return nil, errs.Newf(op, errs.Invalid, "the token is not valid: %s", strings.TrimPrefix(err.Error(), "oidc: "))
	}
	t, err := parseClaims(recorded.payload)
	if err != nil {
		return nil, errs.New(op, errs.Invalid, err)
	}
	if err := p.checkTimes(t, v.now()); err != nil {
		return nil, err
	}
	return t, p.checkAudience(t)
}

// recorder remembers what verifying a signature has said, because oidc wraps it in text.
type recorder struct {
	keys    *keySet
	payload []byte
	err     error
}

// VerifySignature implements oidc.KeySet.
func (r *recorder) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	r.payload, r.err = r.keys.verify(ctx, token)
	return r.payload, r.err
}

func (*Provider) checkTimes(t *Token, now time.Time) error {
	const op = "federate.Verify"
	expires, ok, err := t.timeOf("exp")
	if err == nil && !ok {
		return errs.Newf(op, errs.Invalid, "the token has no time at which it ends (exp)")
	}
	if err != nil {
		return errs.New(op, errs.Invalid, err)
	}
	if t.Expires = expires; !now.Before(expires.Add(Leeway)) {
		return errs.Newf(op, errs.Expired, "Token expired: current date/time %d must be before the expiration "+
			"date/time %d",
			now.Unix(), expires.Unix())
	}
	for _, name := range []string{"nbf", "iat"} {
		at, ok, err := t.timeOf(name)
		switch {
		case err != nil:
			return errs.New(op, errs.Invalid, err)
		case ok && now.Add(Leeway).Before(at):
			return errs.Newf(op, errs.Invalid, "the token is not valid yet: its %s is %d, and it is %d now", name,
				at.Unix(), now.Unix())
		case name == "iat":
			t.Issued = at
		}
	}
	return nil
}

// checkAudience checks for whom a token is. If it is for several and does not say which of them asked
// for it (azp), every one must be a client of this cluster: it could else have been given to somebody
// else.
func (p *Provider) checkAudience(t *Token) error {
	const op = "federate.Verify"
	ours := func(client string) bool { return slices.Contains(p.ClientIDs, client) }
	if !slices.ContainsFunc(t.Audience, ours) {
		return errs.Newf(op, errs.Denied, "Incorrect token audience: the token is for none of the client ids of "+
			"the provider %s", p.Name)
	}
	if azp := t.AuthorizedParty; azp != "" && !ours(azp) {
		return errs.Newf(op, errs.Denied, "the token was given to another client (azp) than those of the provider %s",
			p.Name)
	}
	if t.AuthorizedParty == "" && slices.ContainsFunc(t.Audience, func(a string) bool { return !ours(a) }) {
		return errs.Newf(op, errs.Denied, "the token is for several, of which one is no client id of the provider "+
			"%s, and it has no azp", p.Name)
	}
	return nil
}
