package policy

import (
	"slices"
	"strings"
)

// AnySession is the SessionName, which no session has, of the rights of whoever assumes a
// role: the session can be called anything.
const AnySession = "*"

// Rights is what policies say of one caller, in a form that compares with the rights
// of another: the statements that concern the caller, with its own values in place of
// variables, and without conditions that it meets by being who it is. What is left
// depends on requests alone.
type Rights struct {
	who   *Principal // Nil: of anybody, whose values are not known.
	allow []narrowed
	deny  []narrowed
}

// NewRights returns the rights of somebody whom no policy concerns. who may be nil:
// the rights are then those of anybody, so variables may have any value.
func NewRights(who *Principal) *Rights { return &Rights{who: who} }

// Denials returns r without what it allows.
func (r *Rights) Denials() *Rights { return &Rights{who: r.who, deny: slices.Clone(r.deny)} }

// Clone returns rights that can be added to without changing r.
func (r *Rights) Clone() *Rights {
	return &Rights{who: r.who, allow: slices.Clone(r.allow), deny: slices.Clone(r.deny)}
}

// narrowed is a statement as it concerns one caller.
type narrowed struct {
	origin     *statement
	actions    set
	resources  set
	conditions []string // Of the request, as texts that are equal where the conditions are.
	// loose says that the statement may concern less than actions, resources and
	// conditions say, since that depends on values that are not known here.
	loose  bool
	shared bool // Of a policy that names who it concerns.
}

// set is what some patterns match, or what none of them does.
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

// DenyAll adds that everything is denied.
func (r *Rights) DenyAll() {
	r.deny = append(r.deny, narrowed{actions: everything, resources: everything})
}

// AllowAll adds that everything is allowed. What is left out is what is denied.
func (r *Rights) AllowAll() {
	r.allow = append(r.allow, narrowed{actions: everything, resources: everything})
}

// AddShared adds a policy with principals, of a bucket or the trust of a role, to the
// rights of two callers, to each as it concerns it. What it allows o's caller covers
// nothing but the same statement, since its resources are those of one thing. Where
// delegated is set, to allow an account is to allow its users and roles.
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

func undelegated(e Effect) Effect {
	if e == Delegate {
		return Allow
	}
	return e
}

// maxCompared bounds what a comparison takes: the characters of the one's patterns times
// those of the other's.
const maxCompared = 1 << 30

// Covers reports whether o's caller may do nothing, by these rights, that r's may not. It
// errs on the side of false: statements are compared one by one, as they are written,
// and what is too large is not compared.
func (r *Rights) Covers(o *Rights) bool {
	if r.characters()*o.characters() > maxCompared {
		return false
	}
	same := r.who != nil && o.who != nil && *r.who == *o.who
	var denied []*narrowed // What r's caller is denied and o's may not be.
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

// characters counts those of all patterns.
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

// allows reports whether the statements that allow cover one, action by action and
// resource by resource.
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

// covers reports whether n concerns each request that other does.
func (n *narrowed) covers(other *narrowed) bool {
	return !n.loose && subset(n.conditions, other.conditions) && n.actions.covers(other.actions) && n.resources.covers(other.resources)
}

// subset reports whether every text of a is in b.
func subset(a, b []string) bool {
	return !slices.ContainsFunc(a, func(text string) bool { return !slices.Contains(b, text) })
}

// pieces returns sets whose union this one is.
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

// covers reports whether every text of o is one of s.
func (s set) covers(o set) bool {
	switch {
	case s.not && o.not: // What s leaves out, o leaves out.
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

// disjoint reports whether no text is in both sets.
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

// includes reports whether pattern p matches every text that q matches: p is matched
// with q as if q were a text, in which a star of q is met by a star of p alone.
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
	reached := make([]bool, len(q)+1) // With what was read of p so far, what of q.
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

// narrow returns the statement as it concerns a caller, and its effect: None where it
// does not concern it.
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
		n.resources = everything // Of a trust policy.
		return n, effect
	}
	for i := range s.resources {
		flat, how := n.bind(&s.resources[i], who)
		switch {
		case how == someUnknown && s.notResource: // It may keep out nothing.
		case how != noValue:
			n.resources.patterns = append(n.resources.patterns, flat)
		case s.notResource && s.effect == Allow:
			return n, None // What is kept out is not known: see forResource.
		}
	}
	if len(n.resources.patterns) == 0 && !n.resources.not {
		return n, None
	}
	return n, effect
}

// narrowConditions keeps the conditions that depend on the request, and reports whether
// the caller meets those that depend on who it is.
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

// canonical returns a text that two conditions share only if they are the same.
func (c *condition) canonical() string {
	var b strings.Builder
	b.WriteString(c.name + "\x00" + c.key)
	for i := range c.operands {
		b.WriteString("\x00" + c.operands[i].text)
	}
	return b.String()
}

// knowledge says what is known of the variables of a pattern.
type knowledge uint8

const (
	allKnown    knowledge = iota
	someUnknown           // One is of the request, and is a star now.
	noValue               // The caller has no value for one: the pattern matches nothing.
)

// bind returns a pattern with the caller's values for variables. One that is not known
// makes the statement loose.
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

// known reports whether who is enough to tell the value of a key.
func known(who *Principal, key string) bool {
	return who != nil && ofPrincipal(key) && (key != KeyUserID || who.SessionName != AnySession)
}

// ofSession reports whether the value of a key follows from the credentials that sign:
// some callers cannot have such as others can.
func ofSession(key string) bool { return key == KeyTokenIssueTime || key == KeyMFAAge }
