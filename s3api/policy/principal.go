package policy

import (
	"fmt"
	"strings"
)

// principalKind is the member of a Principal element in which a principal stands, in the order of
// canonical documents.
type principalKind uint8

const (
	anyPrincipal principalKind = iota // "Principal": "*".
	awsPrincipal
	canonicalPrincipal
	federatedPrincipal
	servicePrincipal
)

var principalNames = [...]string{"*", "AWS", "CanonicalUser", "Federated", "Service"}

// principal is one value of Principal or NotPrincipal.
type principal struct {
	kind     principalKind
	text     string // As written.
	everyone bool   // It names everybody, anonymous callers too.
	account  string // The account, or that of the user, role or session.
	user     string // Name, or "*" for every user of the account.
	role     string // Name, or "*" for every role of the account.
	session  string // Session of the role.
}

// matchLevel says how a principal names a caller.
type matchLevel uint8

const (
	matchNone    matchLevel = iota
	matchAccount            // The caller is a user or role of an account that is named.
	matchExact              // The caller itself is named.
)

// match returns how a principal names a caller.
func (p *principal) match(who *Principal) matchLevel {
	switch {
	case p.everyone && who.Federated != "" && who.Account == "":
		return matchAccount // A provider vouches for it, and nobody else: it has to be named.
	case p.everyone:
		return matchExact
	case p.kind == federatedPrincipal:
		return exactIf(p.namesProvider(who))
	case p.kind == servicePrincipal:
		return exactIf(who.Service == p.text)
	case who.Anonymous || who.Account != p.account:
		return matchNone
	case p.session != "":
		return exactIf(who.Role == p.role && (who.SessionName == p.session || who.SessionName == AnySession))
	case p.role != "":
		return exactIf(who.Role != "" && (p.role == "*" || who.Role == p.role))
	case p.user != "":
		return exactIf(who.User != "" && (p.user == "*" || who.User == p.user))
	case who.isRoot():
		return matchExact
	}
	return matchAccount
}

func exactIf(exact bool) matchLevel {
	if exact {
		return matchExact
	}
	return matchNone
}

// parsePrincipal reads a value of the member of this kind.
func parsePrincipal(kind principalKind, text string) (principal, error) {
	p := principal{kind: kind, text: text}
	switch {
	case kind == anyPrincipal:
		p.everyone = true
	case text == "":
		return p, fmt.Errorf("%s has an empty value", principalNames[kind])
	case kind == federatedPrincipal, kind == servicePrincipal:
		if strings.ContainsAny(text, "*?") {
			return p, fmt.Errorf("%q has a wildcard: name one %s", text, principalNames[kind])
		}
	case kind == awsPrincipal && text == "*":
		p.everyone = true
	case kind == awsPrincipal && strings.HasPrefix(text, "arn:"):
		return p, p.parseARN()
	case !isAccountID(text):
		return p, fmt.Errorf("%q is not an account: use its id or arn:aws:iam::ID:root, a user (arn:aws:iam::ID:user/NAME), a role (arn:aws:iam::ID:role/NAME), or \"*\"", text)
	default:
		p.account = text
	}
	return p, nil
}

// parseARN reads p.text, which begins with "arn:".
func (p *principal) parseARN() error {
	bad := fmt.Errorf("%q names nobody: use arn:aws:iam::ID:root, arn:aws:iam::ID:user/NAME, arn:aws:iam::ID:role/NAME or arn:aws:sts::ID:assumed-role/ROLE/SESSION, where a whole NAME, but no part of it, may be \"*\"", p.text)
	parts := strings.SplitN(p.text, ":", 6)
	if len(parts) != 6 || parts[1] != "aws" || parts[3] != "" || !isAccountID(parts[4]) {
		return bad
	}
	p.account = parts[4]
	kind, name, _ := strings.Cut(parts[5], "/")
	switch {
	case parts[2] == "iam" && parts[5] == "root":
		return nil
	case parts[2] == "iam" && kind == "user":
		p.user = name
	case parts[2] == "iam" && kind == "role":
		p.role = name
	case parts[2] == "sts" && kind == "assumed-role":
		p.role, p.session, _ = strings.Cut(name, "/")
		if p.role == "" || p.session == "" || strings.ContainsAny(name, "*?") {
			return bad
		}
		return nil
	default:
		return bad
	}
	if name == "" || name != "*" && strings.ContainsAny(name, "*?") {
		return bad
	}
	return nil
}

// maxAccountIDBytes bounds ids of accounts: AWS has twelve digits, others have 32 hex digits.
const maxAccountIDBytes = 64

func isAccountID(s string) bool {
	for i := range len(s) {
		c := lower(s[i])
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.", rune(c)) {
			return false
		}
	}
	return s != "" && len(s) <= maxAccountIDBytes
}
