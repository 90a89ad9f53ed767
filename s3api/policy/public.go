package policy

// Ranges of addresses that are broader than this are as good as everybody, as AWS
// has it.
const (
	minFixedIPv4Bits = 8
	minFixedIPv6Bits = 32
)

// IsPublic reports whether p, a bucket's policy, lets in callers that it does not
// name, as AWS defines it: a statement allows everybody and no condition limits it
// to fixed addresses, accounts, users or keys. Deny statements do not count.
func IsPublic(p *Policy) bool {
	for i := range p.statements {
		if p.statements[i].public() {
			return true
		}
	}
	return false
}

func (s *statement) public() bool {
	open := s.notPrincipal
	for i := range s.principals {
		open = open || s.principals[i].everyone
	}
	if !open || s.effect != Allow {
		return false
	}
	for i := range s.conditions {
		if s.conditions[i].fixes() {
			return false
		}
	}
	return true
}

// fixes reports whether only callers that the condition names can meet it.
func (c *condition) fixes() bool {
	if c.op.negated || c.ifExists || c.quantifier == forAllValues {
		return false // Met where the key is absent.
	}
	fixed := (*operand).fixedText
	switch c.key {
	case KeySourceIP:
		if c.op.class != addressClass {
			return false // Addresses are compared as such, or not at all.
		}
		fixed = (*operand).fixedAddress
	case KeyUserID, KeyPrincipalAccount, KeyPrincipalARN, KeySSEKMSKeyID:
	default:
		return false
	}
	for i := range c.operands {
		if !fixed(&c.operands[i], c.op.class) {
			return false
		}
	}
	return true
}

func (o *operand) fixedText(class class) bool {
	patterns := o.patterns(class)
	for _, p := range patterns {
		if p.wild() {
			return false
		}
	}
	return len(patterns) > 0
}

func (o *operand) fixedAddress(class) bool {
	if o.prefix.Addr().Is4() {
		return o.prefix.Bits() >= minFixedIPv4Bits
	}
	return o.prefix.Bits() >= minFixedIPv6Bits
}
