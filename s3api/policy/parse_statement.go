package policy

import (
	"slices"
	"sort"
	"strings"
)

func (c *compiler) statements(root node) ([]statement, *Error) {
	n, ok := root.member("Statement")
	items := []node{n}
	switch {
	case !ok:
		return nil, c.fail("Statement", "it is missing: a policy needs at least one statement")
	case n.kind == listNode:
		items = n.items
	}
	if len(items) == 0 || len(items) > MaxStatements {
		return nil, c.fail("Statement", "there are %d statements: give 1 to %d", len(items), MaxStatements)
	}
	statements := make([]statement, 0, len(items))
	sids := make(map[string]bool)
	for i, item := range items {
		c.number, c.sid = i+1, ""
		s, bad := c.statement(item)
		if bad != nil {
			return nil, bad
		}
		if sids[s.sid] {
			return nil, c.fail("Sid", "an earlier statement has the same: make it unique or leave it out")
		}
		sids[s.sid] = s.sid != ""
		statements = append(statements, s)
	}
	return statements, nil
}

// statementElements returns the elements that a statement may have in a kind of policy, in the
// order of canonical documents.
func statementElements(kind Kind) []string {
	switch kind {
	case Identity:
		return []string{"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
	case Trust:
		return []string{"Sid", "Effect", "Principal", "Action", "Condition"}
	}
	return []string{"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
}

func (c *compiler) statement(n node) (s statement, bad *Error) {
	if n.kind != objectNode {
		return s, c.fail("", "it is %v, not an object", n.kind)
	}
	if s.sid, bad = c.text(n, "Sid"); bad != nil {
		return s, bad
	}
	c.sid = s.sid
	if bad = c.elements(n, statementElements(c.kind)...); bad != nil {
		return s, bad
	}
	if s.effect, bad = c.effect(n); bad != nil {
		return s, bad
	}
	if c.kind != Identity {
		if s.principals, s.notPrincipal, bad = c.principals(n); bad != nil {
			return s, bad
		}
	}
	if s.actions, s.notAction, bad = c.actions(n); bad != nil {
		return s, bad
	}
	if c.kind != Trust {
		if s.resources, s.notResource, bad = c.resources(n); bad != nil {
			return s, bad
		}
	}
	s.conditions, bad = c.conditions(n)
	return s, bad
}

func (c *compiler) effect(n node) (Effect, *Error) {
	text, bad := c.text(n, "Effect")
	switch {
	case bad != nil:
		return None, bad
	case text == "Allow":
		return Allow, nil
	case text == "Deny":
		return Deny, nil
	}
	return None, c.fail("Effect", "%q is not an effect: use \"Allow\" or \"Deny\"", text)
}

// either returns an element or its "Not" form: a statement must have exactly one of them.
func (c *compiler) either(n node, name string) (element string, value node, negated bool, bad *Error) {
	value, ok := n.member(name)
	other, not := n.member("Not" + name)
	switch {
	case ok && not:
		return "", node{}, false, c.fail("Not"+name, "%s is there too: use one of them", name)
	case ok:
		return name, value, false, nil
	case not:
		return "Not" + name, other, true, nil
	}
	return "", node{}, false, c.fail(name, "it is missing")
}

// principals returns the values of Principal, or those of NotPrincipal and negated.
func (c *compiler) principals(n node) (principals []principal, negated bool, bad *Error) {
	element, value, negated, bad := c.either(n, "Principal")
	if bad != nil {
		return nil, false, bad
	}
	if value.kind == textNode && value.text == "*" {
		everyone, _ := parsePrincipal(anyPrincipal, "*")
		return []principal{everyone}, negated, nil
	}
	names := principalNames[awsPrincipal:]
	if value.kind != objectNode || len(value.members) == 0 {
		return nil, false, c.fail(element, "it is neither \"*\" nor an object of %s", strings.Join(names, ", "))
	}
	for _, m := range value.members {
		if !slices.Contains(names, m.name) {
			return nil, false, c.fail(element, "there is no kind of principal %q: use %s", m.name, strings.Join(names, ", "))
		}
	}
	for kind := awsPrincipal; kind <= servicePrincipal; kind++ {
		listed, ok := value.member(principalNames[kind])
		if !ok {
			continue
		}
		values, bad := c.list(element+": "+principalNames[kind], listed, false)
		if bad != nil {
			return nil, false, bad
		}
		for _, text := range values {
			p, err := parsePrincipal(kind, text)
			if err != nil {
				return nil, false, c.fail(element, "%v", err)
			}
			principals = append(principals, p)
		}
	}
	return principals, negated, nil
}

func (c *compiler) conditions(n node) ([]condition, *Error) {
	value, ok := n.member("Condition")
	if !ok {
		return nil, nil
	}
	if value.kind != objectNode {
		return nil, c.fail("Condition", "it is %v, not an object of operators", value.kind)
	}
	var conditions []condition
	for _, m := range value.members {
		if m.value.kind != objectNode || len(m.value.members) == 0 {
			return nil, c.fail("Condition: "+m.name, "it is not an object of condition keys and values")
		}
		seen := make(map[string]bool)
		for _, k := range m.value.members {
			one, bad := c.condition(m.name, k)
			if bad != nil {
				return nil, bad
			}
			if seen[one.key] {
				return nil, c.fail("Condition: "+m.name, "%s occurs twice: list its values under one", one.key)
			}
			seen[one.key] = true
			conditions = append(conditions, one)
		}
	}
	if len(conditions) > MaxConditions {
		return nil, c.fail("Condition", "it has %d keys, at most %d are allowed", len(conditions), MaxConditions)
	}
	sort.Slice(conditions, func(i, j int) bool {
		a, b := &conditions[i], &conditions[j]
		return a.name < b.name || a.name == b.name && a.key < b.key
	})
	return conditions, nil
}

func (c *compiler) condition(name string, m member) (x condition, bad *Error) {
	element := "Condition: " + name
	var ok bool
	x.name = name
	if x.op, x.quantifier, x.ifExists, ok = parseOperator(name); !ok {
		return x, c.fail("Condition", "there is no operator %q: use %s; but for Null, each may begin with %s or %s and end with %s",
			name, operatorNames(), forAllPrefix, forAnyPrefix, ifExistsSuffix)
	}
	if x.key, ok = canonicalKey(m.name); !ok {
		return x, c.fail(element, "there is no condition key %q: use %s, %s<tag key>, %s<tag key> or a claim "+
			"(<identity provider>:<claim>)",
			m.name, strings.Join(conditionKeys[:], ", "), ExistingTagPrefix, RequestTagPrefix)
	}
	element += ": " + x.key
	values, bad := c.list(element, m.value, true)
	if bad != nil {
		return x, bad
	}
	if x.op.class == nullClass && len(values) > 1 {
		return x, c.fail(element, "Null takes one value, true or false")
	}
	for _, v := range values {
		o, err := x.op.parseOperand(sourceOperand(x.key, v), c.variables)
		o.text = v
		if err != nil {
			return x, c.fail(element, "%v", err)
		}
		for _, p := range o.patterns(x.op.class) {
			x.variables = x.variables || p.variables
		}
		x.operands = append(x.operands, o)
	}
	x.perObject = x.dependsOnObject()
	return x, nil
}

// sourceOperand returns a value of a policy in the form in which requests have it. The source of a
// copy is bucket/key, as AWS documents it. A policy may write a slash in front, as requests may,
// and means the same.
func sourceOperand(key, value string) string {
	if key == KeyCopySource {
		return strings.TrimPrefix(value, "/")
	}
	return value
}

func operatorNames() string {
	names := make([]string, 0, len(operators))
	for name := range operators {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
