package policy

import (
	"slices"
	"strings"
)

// AnyClaims is the beginning of keys of claims that does not say whose they are: jwt:sub.
const AnyClaims = "jwt"

// LDAPClaims is the name of no provider: a directory of LDAP is to have it one day.
const LDAPClaims = "ldap"

// Claims are what an identity provider says of a caller. They are condition keys and variables:
// PROVIDER:CLAIM, where PROVIDER is one of Providers. Nobody changes Claims once they are made.
type Claims struct {
	// Providers are the names of the provider: its own, the issuer without https://, and a word for
	// all providers of its kind.
	Providers []string
	Values    map[string][]string // By the name of the claim.
	// Find returns the values of a claim that is not in Values. Nil: there are none.
	Find func(claim string) ([]string, bool)
}

// reserved are the words that begin condition keys of services. No identity provider is called
// that, so a misspelled key of theirs is not taken for a claim.
var reserved = []string{"aws", "s3", "s3express", "s3-outposts", "s3-object-lambda", "sts", "kms", "iam", "admin",
	"obs",
	"saml", "ec2", "lambda", "sns", "sqs", "svc", "cairn"}

// ValidProvider reports whether an identity provider may have this name: lower-case letters, digits
// and hyphens, and not the name of a service.
func ValidProvider(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" &&
		!slices.Contains(reserved, name)
}

// isClaim reports whether a condition key is that of a claim. Nobody knows here which providers there
// are: a key of one that is not there has no value.
func isClaim(key string) bool {
	provider, claim, _ := strings.Cut(key, ":")
	if claim == "" || provider == "" || len(key) > MaxValueBytes || slices.Contains(reserved,
		strings.ToLower(provider)) {
		return false
	}
	for i := range len(provider) {
		c := lower(provider[i])
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("-_./", rune(c)) {
			return false
		}
	}
	return !strings.ContainsFunc(claim, func(r rune) bool {
		return r <= ' ' || r == '\'' || r == '{' || r == '}' ||
			r == ','
	})
}

// values returns the values of a key of a claim. c may be nil.
func (c *Claims) values(key string) ([]string, bool) {
	if c == nil {
		return nil, false
	}
	for _, name := range c.Providers {
		claim, ok := strings.CutPrefix(key, name+":")
		if !ok {
			continue
		}
		if v, ok := c.Values[claim]; ok {
			return v, true
		}
		if c.Find != nil {
			return c.Find(claim)
		}
	}
	return nil, false
}

// providerARN is the kind of the resource in the ARN of an OpenID Connect provider.
const providerARN = ":oidc-provider/"

// namesProvider reports whether a principal of the kind Federated names the provider that vouches
// for a caller: by its name, its issuer with or without https://, or an ARN of one of these. The
// account in an ARN is not looked at, because providers belong to the cluster.
func (p *principal) namesProvider(who *Principal) bool {
	if who.Federated == "" {
		return false
	}
	text := p.text
	if rest, ok := strings.CutPrefix(text, "arn:aws:iam::"); ok {
		if _, name, ok := strings.Cut(rest, providerARN); ok {
			text = name
		}
	}
	text = strings.TrimPrefix(text, "https://")
	text = strings.TrimPrefix(text, "http://")
	return text == who.Federated || who.Claims != nil && text != AnyClaims && slices.Contains(who.Claims.Providers,
		text)
}
