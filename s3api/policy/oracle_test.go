package policy_test

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/cairnstore/cairn/s3api/policy"
)

// An evaluator that reads the JSON anew for each request and does everything with regular
// expressions and maps. It shares nothing with the one under test but the facts of the request.
type oracle struct {
	request *policy.Request
	who     policy.Principal
	facts   facts
	deny    bool // The statement that is evaluated denies.
}

type object = map[string]any

func (o *oracle) evaluate(document string) policy.Effect {
	var p object
	if err := json.Unmarshal([]byte(document), &p); err != nil {
		panic(err)
	}
	effect := policy.None
	for _, s := range many(p["Statement"]) {
		effect = max(effect, o.statement(s.(object)))
	}
	return effect
}

func many(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

func (o *oracle) statement(s object) policy.Effect {
	o.deny = s["Effect"] == "Deny"
	effect := policy.Allow
	if o.deny {
		effect = policy.Deny
	}
	if list, ok := s["Action"]; ok && !o.someAction(list) {
		return policy.None
	}
	if list, ok := s["NotAction"]; ok && o.someAction(list) {
		return policy.None
	}
	if list, ok := s["Resource"]; ok && !o.some(list, o.request.Resource, "", true) {
		return policy.None
	}
	if list, ok := s["NotResource"]; ok && !o.none(list, o.request.Resource, "", true) {
		return policy.None
	}
	for name, keys := range s["Condition"].(object) {
		for key, values := range keys.(object) {
			if !o.condition(name, key, values) {
				return policy.None
			}
		}
	}
	person, account := o.named(s["Principal"])
	notPerson, notAccount := o.named(s["NotPrincipal"])
	switch {
	case s["Principal"] != nil && !person && !account:
		return policy.None
	case s["Principal"] != nil && !person && !o.deny:
		return policy.Delegate
	case notPerson || notAccount && !o.deny:
		return policy.None
	}
	return effect
}

// named reports whether a principal element names the caller itself, and whether it names the
// caller's account.
func (o *oracle) named(element any) (person, account bool) {
	if element == nil {
		return false, false
	}
	if element == "*" {
		return true, false
	}
	for _, v := range many(element.(object)["AWS"]) {
		text := v.(string)
		self := o.who.ARN()
		switch {
		case text == "*" || self != "" && text == self:
			person = true
		case o.who.Role != "" && text == "arn:aws:iam::"+o.who.Account+":role/"+o.who.Role:
			person = true
		case text == o.who.Account && o.who.User+o.who.Role == "":
			person = true
		case o.who.Account != "" && (text == o.who.Account || text == "arn:aws:iam::"+o.who.Account+":root"):
			account = true
		}
	}
	return person, account
}

// glob returns a pattern as a regular expression with variables filled in, and
// whether all of them have a value.
func (o *oracle) glob(text string, wild bool) (string, bool) {
	known := true
	var b strings.Builder
	for _, token := range regexp.MustCompile(`\$\{[^}]*\}|(?s:.)`).FindAllString(text, -1) {
		switch {
		case token == "${*}" || token == "${?}" || token == "${$}":
			b.WriteString(regexp.QuoteMeta(token[2:3]))
		case len(token) > 3 && token[0] == '$':
			values := o.lookup(token[2 : len(token)-1])
			if len(values) != 1 {
				known = false
				continue
			}
			b.WriteString(regexp.QuoteMeta(values[0]))
		case token == "*" && wild:
			b.WriteString("(?s:.*)")
		case token == "?" && wild:
			b.WriteString("(?s:.)")
		default:
			b.WriteString(regexp.QuoteMeta(token))
		}
	}
	return `^` + b.String() + `$`, known
}

func (o *oracle) lookup(key string) []string {
	switch key {
	case policy.KeyUsername:
		if o.who.User == "" {
			return nil
		}
		return []string{o.who.User}
	case policy.KeyPrincipalAccount:
		if o.who.Anonymous {
			return nil
		}
		return []string{o.who.Account}
	}
	return o.facts[key]
}

func (o *oracle) someAction(list any) bool { return o.some(list, o.request.Action, "(?i)", true) }

func (o *oracle) some(list any, value, flags string, wild bool) bool {
	for _, v := range many(list) {
		expression, known := o.glob(v.(string), wild)
		if known && regexp.MustCompile(flags+expression).MatchString(value) {
			return true
		}
	}
	return false
}

// none is the opposite of some, but it is never true for an Allow if that depends on a value that
// is not known.
func (o *oracle) none(list any, value, flags string, wild bool) bool {
	for _, v := range many(list) {
		if _, known := o.glob(v.(string), wild); !known && !o.deny {
			return false
		}
	}
	return !o.some(list, value, flags, wild)
}

func (o *oracle) condition(name, key string, list any) bool {
	values := o.lookup(key)
	if name == "Null" {
		return (len(values) == 0) == (list == "true")
	}
	quantifier, base, found := strings.Cut(name, ":")
	if !found {
		quantifier, base = "", name
	}
	operator := strings.TrimSuffix(base, "IfExists")
	if len(values) == 0 {
		return operator != base || quantifier == "ForAllValues" || quantifier == "" && strings.Contains(operator, "Not")
	}
	for _, v := range values {
		ok := o.compare(operator, v, list)
		switch {
		case ok && (quantifier == "ForAnyValue" || quantifier == "" && !strings.Contains(operator, "Not")):
			return true
		case !ok && (quantifier == "ForAllValues" || quantifier == "" && strings.Contains(operator, "Not")):
			return false
		}
	}
	return quantifier == "ForAllValues" || quantifier == "" && strings.Contains(operator, "Not")
}

// compare applies an operator to one value of the request.
func (o *oracle) compare(operator, value string, list any) bool {
	switch operator {
	case "StringEquals":
		return o.some(list, value, "", false)
	case "StringNotEquals":
		return o.none(list, value, "", false)
	case "StringEqualsIgnoreCase":
		return o.some(list, value, "(?i)", false)
	case "StringLike":
		return o.some(list, value, "", true)
	case "StringNotLike":
		return o.none(list, value, "", true)
	case "NumericNotEquals":
		return !o.someNumber(list, value, func(a, b int) bool { return a == b })
	case "NumericLessThan":
		return o.someNumber(list, value, func(a, b int) bool { return a < b })
	case "NumericGreaterThanEquals":
		return o.someNumber(list, value, func(a, b int) bool { return a >= b })
	case "IpAddress":
		return someAddress(list, value)
	case "NotIpAddress":
		return !someAddress(list, value)
	}
	panic(operator)
}

func (o *oracle) someNumber(list any, value string, is func(a, b int) bool) bool {
	n, _ := strconv.Atoi(value)
	for _, v := range many(list) {
		if m, _ := strconv.Atoi(v.(string)); is(n, m) {
			return true
		}
	}
	return false
}

func someAddress(list any, value string) bool {
	for _, v := range many(list) {
		if netip.MustParsePrefix(v.(string)).Contains(netip.MustParseAddr(value)) {
			return true
		}
	}
	return false
}
