package policy

import (
	"slices"
	"strings"
)

// AnySession is the SessionName of whoever assumes a role, who can give the session any name. No
// session is called that.
const AnySession = "*"

// Rights is what policies say of one caller, in a form in which two callers can be compared. It has
// the statements that concern the caller, with the caller's own values in place of variables, and
// without the conditions that the caller always meets because of who it is. What is left depends
// only on the request.
type Rights struct {
	who   *Principal // Nil: the rights of anybody, whose values are not known.
	allow []narrowed
	deny  []narrowed
}

// NewRights returns the rights of a caller whom no policy concerns yet. If who is nil, they are the
// rights of anybody, and variables may have any value.
func NewRights(who *Principal) *Rights { return &Rights{who: who} }

// Denials returns only what r denies.
func (r *Rights) Denials() *Rights { return &Rights{who: r.who, deny: slices.Clone(r.deny)} }

// Clone returns a copy. What is added to it does not change r.
func (r *Rights) Clone() *Rights {
	return &Rights{who: r.who, allow: slices.Clone(r.allow), deny: slices.Clone(r.deny)}
}

// narrowed is a statement as far as it concerns one caller.
type narrowed struct {
	origin     *statement
	actions    set
	resources  set
	conditions []string // Those that depend on the request, as texts that are equal if the conditions are.
	// loose says that the statement may concern less than actions, resources and conditions say,
	// because that depends on values that are not known here.
	loose  bool
	shared bool // It is in a policy that names principals; see AddShared.
}

// set is all texts that one of the patterns matches or, if not is set, that none of them matches.
type set struct {
	patterns [][]rune
	not      bool
}

// everything is the set of all texts.
var everything = set{patterns: [][]rune{{flatStar}}}

// Add adds a policy that is attached to the caller.
func (r *Rights) Add(p *Policy) {
	for i := range p.statements {
		n, effect := p.statements[i].narrow(r.who)
		switch effect {
		case Allow:
			r.allow = append(r.allow, n)
		case Deny:
			r.deny = append(r.deny, n)
		}
	}
}

// DenyAll adds a statement that denies everything.
func (r *Rights) DenyAll() {
	r.deny = append(r.deny, narrowed{actions: everything, resources: everything})
}

// AllowAll adds a statement that allows everything, so that only what is denied is missing.
func (r *Rights) AllowAll() {
	r.allow = append(r.allow, narrowed{actions: everything, resources: everything})
}

// AddShared adds a policy with principals, which is that of a bucket or the trust of a role, to the
// rights of two callers: to each what concerns it. What such a statement allows o's caller covers
// nothing but the same statement in r, because a policy of one bucket says nothing of others. If
// delegated is set, a statement that allows an account allows its users and roles.
func (r *Rights) AddShared(p *Policy, o *Rights, delegated bool) {
	for _, to := range []*Rights{r, o} {
		for i := range p.statements {
			n, effect := p.statements[i].narrow(to.who)
			if delegated {
				effect = undelegated(effect)
			}
			n.shared = true
			switch effect {
			case Allow:
				to.allow = append(to.allow, n)
			case Deny:
				to.deny = append(to.deny, n)
			}
		}
	}
}

// undelegated returns Allow for Delegate.
func undelegated(e Effect) Effect {
	if e == Delegate {
		return Allow
	}
	return e
}

// maxCompared bounds the cost of a comparison: the characters in the patterns of one side times
// those of the other.
const maxCompared = 1 << 30

// Covers reports whether r's caller may do everything that o's caller may do. It may answer false
// although that is so, but never true although it is not: statements are compared one by one as
// they are written, and what is larger than maxCompared is not compared.
func (r *Rights) Covers(o *Rights) bool {
	if r.characters()*o.characters() > maxCompared {
		return false
	}
	same := r.who != nil && o.who != nil && *r.who == *o.who
	var denied []*narrowed // What r denies and o may not deny.
	for i := range r.deny {
		d := &r.deny[i]
		if !slices.ContainsFunc(o.deny, func(n narrowed) bool { return same && n.origin == d.origin || n.covers(d) }) {
			denied = append(denied, d)
		}
	}
	for i := range o.allow {
		s := &o.allow[i]
		if !r.allows(s, same) {
			return false
		}
		for _, d := range denied {
			if !disjoint(d.actions, s.actions) && !disjoint(d.resources, s.resources) {
				return false
			}
		}
	}
	return true
}

// characters returns how many characters all patterns have.
func (r *Rights) characters() (n int64) {
	for _, list := range [][]narrowed{r.allow, r.deny} {
		for i := range list {
			for _, s := range []set{list[i].actions, list[i].resources} {
				for _, p := range s.patterns {
					n += int64(len(p)) + 1
				}
			}
		}
	}
	return n
}

// allows reports whether the statements of r that allow cover s. Each action on each resource of s
// must be covered by one of them.
func (r *Rights) allows(s *narrowed, same bool) bool {
	usable := make([]*narrowed, 0, len(r.allow))
	for i := range r.allow {
		t := &r.allow[i]
		if t.origin == s.origin && (same || t.covers(s)) {
			return true
		}
		if !t.loose && !t.shared && subset(t.conditions, s.conditions) {
			usable = append(usable, t)
		}
	}
	actions, resources := s.actions.pieces(), s.resources.pieces()
	byAction := make([][]bool, len(actions))
	for i, a := range actions {
		byAction[i] = make([]bool, len(usable))
		for k, t := range usable {
			byAction[i][k] = t.actions.covers(a)
		}
	}
	for _, res := range resources {
		reach := make([]int, 0, len(usable))
		for k, t := range usable {
			if t.resources.covers(res) {
				reach = append(reach, k)
			}
		}
		for i := range actions {
			if !slices.ContainsFunc(reach, func(k int) bool { return byAction[i][k] }) {
				return false
			}
		}
	}
	return true
}

// covers reports whether n concerns every request that other concerns.
func (n *narrowed) covers(other *narrowed) bool {
	return !n.loose && subset(n.conditions, other.conditions) && n.actions.covers(other.actions) && n.resources.covers(other.resources)
}

// subset reports whether every text of a is in b.
func subset(a, b []string) bool {
	return !slices.ContainsFunc(a, func(text string) bool { return !slices.Contains(b, text) })
}

// pieces returns sets whose union is s.
func (s set) pieces() []set {
	if s.not {
		return []set{s}
	}
	out := make([]set, len(s.patterns))
	for i := range s.patterns {
		out[i] = set{patterns: s.patterns[i : i+1]}
	}
	return out
}

// covers reports whether every text of o is in s. It may answer false although that is so.
func (s set) covers(o set) bool {
	switch {
	case s.not && o.not: // o must leave out everything that s leaves out.
		return all(s.patterns, func(p []rune) bool {
			return slices.ContainsFunc(o.patterns, func(q []rune) bool { return includes(q, p) })
		})
	case s.not:
		return disjoint(set{patterns: s.patterns}, o)
	case o.not:
		return slices.ContainsFunc(s.patterns, func(p []rune) bool { return includes(p, everything.patterns[0]) })
	}
	return all(o.patterns, func(q []rune) bool {
		return slices.ContainsFunc(s.patterns, func(p []rune) bool { return includes(p, q) })
	})
}

// disjoint reports whether no text is in both sets. It may answer false although that is so.
func disjoint(a, b set) bool {
	switch {
	case a.not && b.not:
		return false
	case a.not:
		return set{patterns: a.patterns}.covers(b)
	case b.not:
		return set{patterns: b.patterns}.covers(a)
	}
	return all(a.patterns, func(p []rune) bool { return all(b.patterns, func(q []rune) bool { return !meet(p, q) }) })
}

func all[T any](list []T, is func(T) bool) bool {
	return !slices.ContainsFunc(list, func(v T) bool { return !is(v) })
}

// includes reports whether pattern p matches every text that q matches. It matches p with q as if q
// were a text, in which only a star of p matches a star of q.
func includes(p, q []rune) bool {
	states := make([]bool, len(p)+1)
	states[0] = true
	closure(p, states)
	for _, c := range q {
		next := make([]bool, len(states))
		for i, want := range p {
			switch {
			case !states[i]:
			case want == flatStar:
				next[i] = true
			case c != flatStar && (want == flatAny || want == c):
				next[i+1] = true
			}
		}
		closure(p, next)
		states = next
	}
	return states[len(p)]
}

// meet reports whether some text matches both patterns.
func meet(p, q []rune) bool {
	reached := make([]bool, len(q)+1) // The places of q that a text can lead to which the part of p read so far matches.
	reached[0] = true
	closure(q, reached)
	for _, a := range p {
		next := make([]bool, len(q)+1)
		for j := range reached {
			if !reached[j] {
				continue
			}
			if a == flatStar {
				for k := j; k <= len(q); k++ {
					next[k] = true
				}
				break
			}
			if j == len(q) {
				continue
			}
			switch b := q[j]; {
			case b == flatStar:
				next[j] = true
			case a == flatAny || b == flatAny || a == b:
				next[j+1] = true
			}
		}
		closure(q, next)
		reached = next
	}
	return reached[len(q)]
}

// narrow returns the statement as far as it concerns a caller, and its effect, which is None if it
// does not concern it. who may be nil: see NewRights.
func (s *statement) narrow(who *Principal) (narrowed, Effect) {
	n := narrowed{origin: s, actions: set{not: s.notAction}, resources: set{not: s.notResource}}
	effect := s.effect
	if who != nil {
		effect = s.forPrincipal(who)
	}
	if effect == None || !n.narrowConditions(s, who) {
		return n, None
	}
	for i := range s.actions {
		flat := s.actions[i].flatten()
		for j, c := range flat {
			if 'A' <= c && c <= 'Z' {
				flat[j] = c + 'a' - 'A'
			}
		}
		n.actions.patterns = append(n.actions.patterns, flat)
	}
	if len(s.resources) == 0 {
		n.resources = everything // A trust policy has no resources.
		return n, effect
	}
	for i := range s.resources {
		flat, how := n.bind(&s.resources[i], who)
		switch {
		case how == someUnknown && s.notResource: // It may match nothing, and then keeps out nothing: it is left out.
		case how != noValue:
			n.resources.patterns = append(n.resources.patterns, flat)
		case s.notResource && s.effect == Allow:
			return n, None // Nobody knows what the statement keeps out: see forResource.
		}
	}
	if len(n.resources.patterns) == 0 && !n.resources.not {
		return n, None
	}
	return n, effect
}

// narrowConditions keeps the conditions that depend on the request. It reports whether the caller
// meets those that depend only on who it is.
func (n *narrowed) narrowConditions(s *statement, who *Principal) bool {
	for i := range s.conditions {
		c := &s.conditions[i]
		switch {
		case !c.variables && known(who, c.key):
			if !c.holds(&Request{Principal: *who}, s.effect) {
				return false
			}
		case c.variables, ofPrincipal(c.key), ofSession(c.key):
			n.loose = true
		default:
			n.conditions = append(n.conditions, c.canonical())
		}
	}
	return true
}

// canonical returns a text that is the same for two conditions only if they are the same.
func (c *condition) canonical() string {
	var b strings.Builder
	b.WriteString(c.name + "\x00" + c.key)
	for i := range c.operands {
		b.WriteString("\x00" + c.operands[i].text)
	}
	return b.String()
}

// knowledge says whether the values of a pattern's variables are known.
type knowledge uint8

const (
	allKnown    knowledge = iota
	someUnknown           // One depends on the request, and is a star in the result.
	noValue               // The caller has no value for one, so the pattern matches nothing.
)

// bind returns a flat pattern with the caller's values in place of variables. If a value is not
// known, the statement becomes loose.
func (n *narrowed) bind(p *pattern, who *Principal) ([]rune, knowledge) {
	if !p.variables {
		return p.flatten(), allKnown
	}
	how := allKnown
	var flat []rune
	for i, s := range p.segments {
		if i > 0 {
			flat = append(flat, flatStar)
		}
		for _, c := range s {
			switch {
			case c.variable != "" && !known(who, c.variable):
				n.loose, how = true, someUnknown
				flat = append(flat, flatStar)
			case c.variable != "":
				var one [1]string
				values, _ := (&Request{Principal: *who}).values(c.variable, &one)
				switch {
				case len(values) == 1:
					flat = append(flat, []rune(values[0])...)
				case c.hasFallback:
					flat = append(flat, []rune(c.fallback)...)
				default:
					return nil, noValue
				}
			case c.any > 0:
				for range c.any {
					flat = append(flat, flatAny)
				}
			default:
				flat = append(flat, []rune(c.literal)...)
			}
		}
	}
	return flat, how
}

// ofPrincipal reports whether the value of a key follows from who asks.
func ofPrincipal(key string) bool {
	switch key {
	case KeyPrincipalType, KeyPrincipalAccount, KeyUsername, KeyUserID, KeyPrincipalARN:
		return true
	}
	return false
}

// known reports whether the value of a key follows from who alone.
func known(who *Principal, key string) bool {
	return who != nil && ofPrincipal(key) && (key != KeyUserID || who.SessionName != AnySession)
}

// ofSession reports whether the value of a key follows from the credentials that sign. Some callers
// can have only values that others cannot have, so a condition on it is not the same for both.
func ofSession(key string) bool {
	return key == KeyTokenIssueTime || key == KeyMFAAge || isClaim(key)
}
