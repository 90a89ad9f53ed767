package policy

import (
	"cmp"
	"encoding/base64"
	"net/netip"
	"slices"
	"strings"
)

// condition is one operator with one key and the values that a policy gives for it.
type condition struct {
	name       string // The operator as written, with prefix and suffix.
	key        string // Canonical.
	op         operator
	quantifier quantifier
	ifExists   bool
	operands   []operand
	variables  bool // Some operand has variables.
	perObject  bool // It may hold for one object of a request and not for another; see Memo.
}

// operand is a value in a policy with which a request's values are compared. Which fields are set
// besides text depends on the class of the operator.
type operand struct {
	text    string
	pattern pattern    // textClass.
	arn     [6]pattern // arnClass: the parts between the first five colons.
	number  float64    // numberClass.
	millis  int64      // dateClass: milliseconds since 1970.
	prefix  netip.Prefix
	bytes   string // binaryClass.
	truth   bool   // boolClass and nullClass.
}

// holds reports whether the request meets the condition, in a statement with the given effect. A
// value that is longer than MaxFactBytes is not looked at, and the condition errs on the safe side:
// it holds in a statement that denies and does not hold in one that allows.
func (c *condition) holds(r *Request, effect Effect) bool {
	var one [1]string
	values, present := r.values(c.key, &one)
	present = present && len(values) > 0
	switch {
	case c.op.class == nullClass:
		return present != c.operands[0].truth
	case !present:
		return c.ifExists || c.quantifier == forAllValues || c.op.negated && c.quantifier == noQuantifier
	}
	if slices.ContainsFunc(values, func(v string) bool { return len(v) > MaxFactBytes }) {
		return effect == Deny
	}
	operands := c.operands
	if c.variables {
		var how binding
		operands, how = c.resolve(r)
		switch {
		case how == overlong:
			return effect == Deny
		case how == unbound && c.op.negated && effect == Allow:
			return false // Nobody knows what the statement keeps out.
		}
	}
	matched := 0
	for _, v := range values {
		if c.op.matches(v, operands) {
			matched++
		}
	}
	switch {
	case c.quantifier == forAllValues && c.op.negated:
		return matched == 0
	case c.quantifier == forAllValues:
		return matched == len(values)
	case c.quantifier == forAnyValue && c.op.negated:
		return matched < len(values)
	}
	return (matched > 0) != c.op.negated
}

// resolve returns the operands with the request's values in place of variables. It leaves out
// operands with a variable that is not bound, and returns the worst binding that it met.
func (c *condition) resolve(r *Request) ([]operand, binding) {
	worst := bound
	operands := make([]operand, 0, len(c.operands))
next:
	for _, o := range c.operands {
		for _, p := range o.patterns(c.op.class) {
			if !p.variables {
				continue
			}
			resolved, how := p.resolve(r)
			if how != bound {
				worst = max(worst, how)
				continue next
			}
			*p = *resolved
		}
		operands = append(operands, o)
	}
	return operands, worst
}

// patterns returns the patterns of an operand, if its class has any.
func (o *operand) patterns(class class) []*pattern {
	switch class {
	case textClass:
		return []*pattern{&o.pattern}
	case arnClass:
		a := &o.arn
		return []*pattern{&a[0], &a[1], &a[2], &a[3], &a[4], &a[5]}
	}
	return nil
}

// matches reports whether a value equals one of the operands or, if the operator asks for an order,
// stands in that order to one of them. It ignores whether the operator is negated; the caller does
// that. A value that the class cannot read matches no operand.
func (x operator) matches(value string, operands []operand) bool {
	switch x.class {
	case numberClass:
		n, ok := parseNumber(value)
		return ok && some(operands, func(o *operand) bool { return x.relation.holds(cmp.Compare(n, o.number)) })
	case dateClass:
		t, ok := parseDate(value)
		return ok && some(operands, func(o *operand) bool { return x.relation.holds(cmp.Compare(t, o.millis)) })
	case boolClass:
		b, ok := parseBool(value)
		return ok && some(operands, func(o *operand) bool { return o.truth == b })
	case binaryClass:
		b, err := base64.StdEncoding.DecodeString(value)
		return err == nil && some(operands, func(o *operand) bool { return o.bytes == string(b) })
	case addressClass:
		a, err := netip.ParseAddr(value)
		a = a.Unmap().WithZone("")
		return err == nil && some(operands, func(o *operand) bool { return o.prefix.Contains(a) })
	case arnClass:
		return some(operands, func(o *operand) bool { return o.matchARN(value) })
	}
	return some(operands, func(o *operand) bool { return o.pattern.match(value) })
}

func some(operands []operand, is func(*operand) bool) bool {
	for i := range operands {
		if is(&operands[i]) {
			return true
		}
	}
	return false
}

// matchARN compares part by part, so that a wildcard does not match across a colon, except in the
// last part.
func (o *operand) matchARN(value string) bool {
	for i := range o.arn {
		part, rest, found := strings.Cut(value, ":")
		if last := i == len(o.arn)-1; last {
			part = value
		} else if !found {
			return false
		}
		if !o.arn[i].match(part) {
			return false
		}
		value = rest
	}
	return true
}
