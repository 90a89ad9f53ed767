package policy

// Evaluate returns what p says of a request. A variable (${aws:username}) for which the request has
// not exactly one value equals nothing. A statement that allows because something is not equal
// (NotResource, StringNotEquals) does not apply then, because nobody knows what it keeps out.
func Evaluate(p *Policy, r *Request) Effect {
	effect := None
	for i := range p.statements {
		if s := &p.statements[i]; s.effect > effect {
			effect = max(effect, s.evaluate(r))
		}
	}
	return effect
}

// MayAllow reports whether p has a statement that allows a caller something, whatever its
// conditions.
func MayAllow(p *Policy, who Principal) bool {
	for i := range p.statements {
		if s := &p.statements[i]; s.effect == Allow && s.forPrincipal(&who) != None {
			return true
		}
	}
	return false
}
