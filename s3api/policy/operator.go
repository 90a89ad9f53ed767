package policy

import "strings"

// class says how an operator reads values.
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

// relation is the order that a value has to have to the policy's.
type relation uint8

const (
	equal relation = iota
	less
	lessOrEqual
	greater
	greaterOrEqual
)

// operator is an operator of conditions, without prefix and suffix.
type operator struct {
	class     class
	relation  relation
	negated   bool // True of what its counterpart is false of, missing keys included.
	fold      bool // Of ASCII letters.
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

// quantifier says how the values of a request count.
type quantifier uint8

const (
	noQuantifier quantifier = iota // Some value, or for a negated operator none, is one of the policy's.
	forAllValues                   // The operator holds for each value; it holds if there is none.
	forAnyValue                    // The operator holds for at least one value.
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
		ok = false // It asks whether the key is there.
	}
	return op, q, ifExists, ok
}

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
