package policy

// Evaluate returns what p says of a request. A variable (${aws:username}) for which the request has
// not exactly one value equals nothing. A statement that allows because something is not equal
// (NotResource, StringNotEquals) does not apply then, because nobody knows what it keeps out.
func Evaluate(p *Policy, r *Request) Effect {
	effect, _ := Decide(p, r)
	return effect
}

// Decide is Evaluate, and tells which statement has the effect: its number from 1, and 0 for None.
// If several have it, it is the first.
func Decide(p *Policy, r *Request) (effect Effect, number int) {
	for i := range p.statements {
		s := &p.statements[i]
		if s.effect <= effect {
			continue // It cannot say more than an earlier one has said.
		}
		if e := s.evaluate(r); e > effect {
			effect, number = e, i+1
		}
	}
	return effect, number
}

// Sid returns the id of a statement, whose number is counted from 1; empty if it has none.
func (p *Policy) Sid(number int) string {
	if number < 1 || number > len(p.statements) {
		return ""
	}
	return p.statements[number-1].sid
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
