package policy

// A range of addresses with fewer fixed bits than these counts as everybody, as at AWS.
const (
	minFixedIPv4Bits = 8
	minFixedIPv6Bits = 32
)

// IsPublic reports whether p, the policy of a bucket, lets in callers that it does not name, as AWS
// defines it: a statement allows everybody, and no condition limits that to fixed addresses,
// accounts, users or keys. Statements that deny do not count.
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
		return false // A request without the key meets it.
	}
	fixed := (*operand).fixedText
	switch c.key {
	case KeySourceIP:
		if c.op.class != addressClass {
			return false // Only IpAddress fixes addresses.
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

// fixedText reports whether the operand matches one text only.
func (o *operand) fixedText(class class) bool {
	patterns := o.patterns(class)
	for _, p := range patterns {
		if p.wild() {
			return false
		}
	}
	return len(patterns) > 0
}

// fixedAddress reports whether the operand's range of addresses is narrow enough not to count as
// everybody.
func (o *operand) fixedAddress(class) bool {
	if o.prefix.Addr().Is4() {
		return o.prefix.Bits() >= minFixedIPv4Bits
	}
	return o.prefix.Bits() >= minFixedIPv6Bits
}
