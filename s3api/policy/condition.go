package policy

import (
	"cmp"
	"encoding/base64"
	"net/netip"
	"slices"
	"strings"
)

// condition is one key under one operator.
type condition struct {
	name       string // The operator as written.
	key        string // Canonical.
	op         operator
	quantifier quantifier
	ifExists   bool
	operands   []operand
	variables  bool // Some operand has one.
	perObject  bool // It may hold for one object of a request and not for another.
}

// operand is a value that a policy compares with. The class of the operator decides which fields it
// has besides the text.
type operand struct {
	text    string
	pattern pattern    // textClass.
	arn     [6]pattern // arnClass: between the first five colons.
	number  float64    // numberClass.
	millis  int64      // dateClass: milliseconds since 1970.
	prefix  netip.Prefix
	bytes   string // binaryClass.
	truth   bool   // boolClass and nullClass.
}

// holds reports whether the condition is met in a statement of the given effect. A
// value that is too long is not looked at: what denies then denies, what allows does
// not allow.
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
			return false // What is kept out is not known.
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

// resolve returns the operands with the request's values for variables, without
// those that have none, and the worst that came of a variable.
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

// patterns returns the operand's patterns, if its class has any.
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

// matches reports whether a value is, or for an ordering relation compares to, one
// of the operands. Negation is the caller's. A value that cannot be read as the
// class demands matches none.
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

// matchARN compares part by part, so that no wildcard reaches over a colon but in
// the last part.
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
