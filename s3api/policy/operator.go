package policy

import "strings"

// class is the type of value that an operator compares.
type class uint8

const (
	textClass class = iota // StringEquals, StringEqualsIgnoreCase, StringLike.
	numberClass
	dateClass
	boolClass
	binaryClass
	addressClass
	arnClass
	nullClass
)

// relation is how a request's value must be ordered to the policy's.
type relation uint8

const (
	equal relation = iota
	less
	lessOrEqual
	greater
	greaterOrEqual
)

// operator is an operator of conditions without its prefix and suffix.
type operator struct {
	class     class
	relation  relation
	negated   bool // It holds where its counterpart does not, also if the request does not have the key.
	fold      bool // The case of ASCII letters does not matter.
	wildcards bool
}

var operators = map[string]operator{
	"StringEquals":              {class: textClass},
	"StringNotEquals":           {class: textClass, negated: true},
	"StringEqualsIgnoreCase":    {class: textClass, fold: true},
	"StringNotEqualsIgnoreCase": {class: textClass, fold: true, negated: true},
	"StringLike":                {class: textClass, wildcards: true},
	"StringNotLike":             {class: textClass, wildcards: true, negated: true},
	"NumericEquals":             {class: numberClass},
	"NumericNotEquals":          {class: numberClass, negated: true},
	"NumericLessThan":           {class: numberClass, relation: less},
	"NumericLessThanEquals":     {class: numberClass, relation: lessOrEqual},
	"NumericGreaterThan":        {class: numberClass, relation: greater},
	"NumericGreaterThanEquals":  {class: numberClass, relation: greaterOrEqual},
	"DateEquals":                {class: dateClass},
	"DateNotEquals":             {class: dateClass, negated: true},
	"DateLessThan":              {class: dateClass, relation: less},
	"DateLessThanEquals":        {class: dateClass, relation: lessOrEqual},
	"DateGreaterThan":           {class: dateClass, relation: greater},
	"DateGreaterThanEquals":     {class: dateClass, relation: greaterOrEqual},
	"Bool":                      {class: boolClass},
	"BinaryEquals":              {class: binaryClass},
	"IpAddress":                 {class: addressClass},
	"NotIpAddress":              {class: addressClass, negated: true},
	"ArnEquals":                 {class: arnClass, wildcards: true},
	"ArnNotEquals":              {class: arnClass, wildcards: true, negated: true},
	"ArnLike":                   {class: arnClass, wildcards: true},
	"ArnNotLike":                {class: arnClass, wildcards: true, negated: true},
	"Null":                      {class: nullClass},
}

// quantifier says which of a request's values must meet the operator.
type quantifier uint8

const (
	noQuantifier quantifier = iota // At least one value equals one of the policy's; negated: no value does.
	forAllValues                   // Each value meets the operator, which is so if there is no value.
	forAnyValue                    // At least one value meets the operator.
)

const (
	forAllPrefix   = "ForAllValues:"
	forAnyPrefix   = "ForAnyValue:"
	ifExistsSuffix = "IfExists"
)

// parseOperator reads the name of an operator with its prefix and suffix.
func parseOperator(name string) (op operator, q quantifier, ifExists, ok bool) {
	base, prefixed := strings.CutPrefix(name, forAllPrefix)
	if prefixed {
		q = forAllValues
	} else if base, prefixed = strings.CutPrefix(name, forAnyPrefix); prefixed {
		q = forAnyValue
	}
	base, ifExists = strings.CutSuffix(base, ifExistsSuffix)
	op, ok = operators[base]
	if op.class == nullClass && (ifExists || q != noQuantifier) {
		ok = false // Null asks whether the key is there: no value counts.
	}
	return op, q, ifExists, ok
}

// holds reports whether an order, as cmp.Compare returns it, is the relation.
func (x relation) holds(order int) bool {
	switch x {
	case less:
		return order < 0
	case lessOrEqual:
		return order <= 0
	case greater:
		return order > 0
	case greaterOrEqual:
		return order >= 0
	}
	return order == 0
}
