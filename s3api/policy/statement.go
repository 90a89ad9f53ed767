package policy

// statement is a compiled statement. If a "not" flag is set, the element was NotPrincipal,
// NotAction or NotResource.
type statement struct {
	sid          string
	effect       Effect // Allow or Deny.
	principals   []principal
	notPrincipal bool
	actions      []pattern
	notAction    bool
	resources    []pattern
	notResource  bool
	conditions   []condition // Sorted by operator and key.
}

// evaluate returns the statement's effect if it applies to the request, and None otherwise. A
// statement that allows a whole account delegates to the account's users and roles (see Delegate).
func (s *statement) evaluate(r *Request) Effect {
	if anyMatches(s.actions, r.Action) == s.notAction {
		return None
	}
	effect := s.forPrincipal(&r.Principal)
	if effect == None || !s.forResource(r) {
		return None
	}
	for i := range s.conditions {
		if !r.Memo.holds(&s.conditions[i], r, s.effect) {
			return None
		}
	}
	return effect
}

// forPrincipal returns the statement's effect, or Delegate, if it concerns the caller; otherwise
// None.
func (s *statement) forPrincipal(who *Principal) Effect {
	if len(s.principals) == 0 {
		return s.effect // An identity policy concerns everybody it is attached to.
	}
	best := matchNone
	for i := range s.principals {
		best = max(best, s.principals[i].match(who))
	}
	switch {
	case s.notPrincipal && s.effect == Deny:
		// An account in NotPrincipal exempts only its root from a denial, as at AWS.
		if best == matchExact {
			return None
		}
	case s.notPrincipal:
		// From an Allow it keeps out everybody in the account.
		if best != matchNone {
			return None
		}
	case best == matchNone:
		return None
	case best == matchAccount && s.effect == Allow:
		return Delegate
	}
	return s.effect
}

// forResource reports whether the statement concerns the resource of the request.
func (s *statement) forResource(r *Request) bool {
	if len(s.resources) == 0 {
		return true // A trust policy concerns the role that it is attached to.
	}
	matched := false
	for i := range s.resources {
		p := &s.resources[i]
		if p.variables {
			resolved, how := p.resolve(r)
			if how == overlong {
				return s.effect == Deny
			}
			if how == unbound && s.notResource && s.effect == Allow {
				return false // Nobody knows what the statement keeps out.
			}
			matched = matched || how == bound && resolved.match(r.Resource)
			continue
		}
		matched = matched || p.match(r.Resource)
	}
	return matched != s.notResource
}

func anyMatches(patterns []pattern, text string) bool {
	for i := range patterns {
		if patterns[i].match(text) {
			return true
		}
	}
	return false
}
