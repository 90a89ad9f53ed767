package policy

// statement is one compiled statement. Where a "not" flag is set, the element was
// NotPrincipal, NotAction or NotResource.
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

// evaluate returns the statement's effect if it applies to the request, else None.
// A statement that allows a whole account may delegate instead.
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

// forPrincipal returns the statement's effect if it concerns the caller.
func (s *statement) forPrincipal(who *Principal) Effect {
	if len(s.principals) == 0 {
		return s.effect // Identity policies concern whoever they are attached to.
	}
	best := matchNone
	for i := range s.principals {
		best = max(best, s.principals[i].match(who))
	}
	switch {
	case s.notPrincipal && s.effect == Deny:
		// As AWS has it, an account in NotPrincipal exempts its root alone.
		if best == matchExact {
			return None
		}
	case s.notPrincipal:
		// And what it keeps out of an Allow is the whole account.
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

func (s *statement) forResource(r *Request) bool {
	if len(s.resources) == 0 {
		return true // Trust policies concern the role they are attached to.
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
				return false // What is kept out is not known.
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
