package policy

// Evaluate returns what p says of a request. A variable (${aws:username}) that the
// request has no single value for equals nothing; where a statement that allows
// would apply because of that (NotResource, StringNotEquals), it does not.
func Evaluate(p *Policy, r *Request) Effect {
	effect := None
	for i := range p.statements {
		if s := &p.statements[i]; s.effect > effect {
			effect = max(effect, s.evaluate(r))
		}
	}
	return effect
}

// MayAllow reports whether p allows a caller anything under any conditions.
func MayAllow(p *Policy, who Principal) bool {
	for i := range p.statements {
		if s := &p.statements[i]; s.effect == Allow && s.forPrincipal(&who) != None {
			return true
		}
	}
	return false
}
