package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cairnstore/cairn/cluster/errs"
)

// Error says what is wrong with a document, in words for its author. It is the cause of every error
// of Parse and ParseBucket; these errors are of kind Invalid.
type Error struct {
	Statement int    // The number of the statement, from 1; 0: the policy itself is wrong.
	Sid       string // Of the statement, if it has one.
	Element   string // "Action", or "Condition" and the place in it; may be empty.
	Reason    string
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Statement > 0 {
		fmt.Fprintf(&b, "Statement %d", e.Statement)
		if e.Sid != "" {
			fmt.Fprintf(&b, " (Sid %q)", e.Sid)
		}
		b.WriteString(": ")
	}
	if e.Element != "" {
		b.WriteString(e.Element + ": ")
	}
	b.WriteString(e.Reason)
	return b.String()
}

// Parse compiles a document. The error is of kind Invalid and has an *Error as its cause. For the
// policy of a bucket use ParseBucket: Parse does not check that the resources are the bucket's.
func Parse(document []byte, kind Kind) (*Policy, error) {
	p, bad := parse(document, kind)
	if bad != nil {
		return nil, errs.New("policy.Parse", errs.Invalid, bad)
	}
	return p, nil
}

// ParseBucket is Parse for the policy of a bucket. Every resource must be the bucket or able to
// name something in it.
func ParseBucket(document []byte, bucket string) (*Policy, error) {
	p, bad := parse(document, Resource)
	if bad == nil {
		bad = p.checkBucket(bucket)
	}
	if bad != nil {
		return nil, errs.New("policy.ParseBucket", errs.Invalid, bad)
	}
	return p, nil
}

// AllowsExcept returns an error if a statement allows everybody but those it names (Allow with
// NotPrincipal), because it lets strangers in. AWS refuses new policies with such a statement, and
// so should the caller. A policy that a bucket has already still means what it says.
func (p *Policy) AllowsExcept() *Error {
	for i := range p.statements {
		if s := &p.statements[i]; s.notPrincipal && s.effect == Allow {
			return &Error{Statement: i + 1, Sid: s.sid, Element: "NotPrincipal",
				Reason: "it goes with \"Effect\": \"Deny\" alone: name whom to allow as Principal"}
		}
	}
	return nil
}

// maxBytes returns how long a document of this kind may be.
func (k Kind) maxBytes() int {
	return [...]int{MaxIdentityPolicyBytes, MaxBucketPolicyBytes, MaxTrustPolicyBytes}[k]
}

func parse(document []byte, kind Kind) (*Policy, *Error) {
	if limit := kind.maxBytes(); len(document) > limit {
		return nil, &Error{Reason: fmt.Sprintf("the policy has %d bytes, at most %d are allowed", len(document), limit)}
	}
	root, bad := readJSON(document)
	if bad != nil {
		return nil, bad
	}
	c := compiler{kind: kind}
	if bad := c.elements(root, "Version", "Id", "Statement"); bad != nil {
		return nil, bad
	}
	p := &Policy{kind: kind}
	if p.version, bad = c.text(root, "Version"); bad != nil {
		return nil, bad
	}
	if p.id, bad = c.text(root, "Id"); bad != nil {
		return nil, bad
	}
	switch p.version {
	case Version2012:
		c.variables = true
	case Version2008, "":
	default:
		return nil, c.fail("Version", "%q is not a version: use %q or %q", p.version, Version2012, Version2008)
	}
	p.statements, bad = c.statements(root)
	return p, bad
}

// compiler compiles the JSON of a document to statements. It keeps where it is, for errors.
type compiler struct {
	kind      Kind
	variables bool
	number    int // Of the statement that is compiled, from 1; 0: none yet.
	sid       string
}

func (c *compiler) fail(element, format string, args ...any) *Error {
	return &Error{Statement: c.number, Sid: c.sid, Element: element, Reason: fmt.Sprintf(format, args...)}
}

// elements checks that an object has only members that are allowed.
func (c *compiler) elements(object node, allowed ...string) *Error {
	for _, m := range object.members {
		if !slices.Contains(allowed, m.name) {
			return c.fail("", "there is no element %q here: use %s", m.name, strings.Join(allowed, ", "))
		}
	}
	return nil
}

// text returns a member that must be a string; empty if there is none.
func (c *compiler) text(object node, name string) (string, *Error) {
	n, ok := object.member(name)
	if !ok {
		return "", nil
	}
	if n.kind != textNode {
		return "", c.fail(name, "it is %v, not a string", n.kind)
	}
	if len(n.text) > MaxValueBytes {
		return "", c.fail(name, "it is longer than %d bytes", MaxValueBytes)
	}
	return n.text, nil
}

// list returns the values of an element, which is one string or a list of strings and has at least
// one. If scalars is set, numbers and booleans are taken too.
func (c *compiler) list(element string, n node, scalars bool) ([]string, *Error) {
	items := []node{n}
	if n.kind == listNode {
		items = n.items
	}
	if len(items) == 0 {
		return nil, c.fail(element, "the list is empty: give at least one value")
	}
	if len(items) > MaxValues {
		return nil, c.fail(element, "it has %d values, at most %d are allowed", len(items), MaxValues)
	}
	values := make([]string, len(items))
	for i, item := range items {
		if item.kind != textNode && (!scalars || item.kind != scalarNode) {
			return nil, c.fail(element, "a value is %v: use strings", item.kind)
		}
		if len(item.text) > MaxValueBytes {
			return nil, c.fail(element, "a value is longer than %d bytes", MaxValueBytes)
		}
		values[i] = item.text
	}
	return values, nil
}

func (n node) member(name string) (node, bool) {
	for _, m := range n.members {
		if m.name == name {
			return m.value, true
		}
	}
	return node{}, false
}
