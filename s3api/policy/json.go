package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxDepth bounds how deep values nest. The values of a condition are the deepest: policy,
// statements, statement, conditions, operator, list.
const maxDepth = 6

type nodeKind uint8

const (
	textNode   nodeKind = iota
	scalarNode          // A number or a boolean, as written.
	nullNode
	listNode
	objectNode
)

func (k nodeKind) String() string {
	return [...]string{"a string", "a number or boolean", "null", "a list", "an object"}[k]
}

// node is a JSON value. The members of an object are in the order of the document.
type node struct {
	kind    nodeKind
	text    string // Of textNode and scalarNode.
	items   []node // Of listNode.
	members []member
}

type member struct {
	name  string
	value node
}

// readJSON reads a document, which must be one JSON object and nothing behind it.
func readJSON(document []byte) (node, *Error) {
	if !utf8.Valid(document) {
		return node{}, &Error{Reason: "the document is not UTF-8"}
	}
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	root, err := readValue(d, maxDepth)
	if err == nil && root.kind != objectNode {
		err = fmt.Errorf("the document is %v, not an object", root.kind)
	}
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = fmt.Errorf("something follows the policy, after byte %d", d.InputOffset())
		}
	}
	if err != nil {
		return node{}, &Error{Reason: jsonReason(err, d.InputOffset())}
	}
	return root, nil
}

// jsonReason returns what is wrong with JSON in words for the author of the document.
func jsonReason(err error, offset int64) string {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return "the JSON ends too early"
	}
	if _, ok := err.(*json.SyntaxError); ok {
		return fmt.Sprintf("not JSON near byte %d: %v", offset, err)
	}
	return err.Error()
}

func readValue(d *json.Decoder, depth int) (node, error) {
	token, err := d.Token()
	if err != nil {
		return node{}, err
	}
	switch t := token.(type) {
	case json.Delim:
		if depth == 0 {
			return node{}, fmt.Errorf("the JSON nests deeper than %d levels", maxDepth)
		}
		if t == '[' {
			return readList(d, depth-1)
		}
		return readObject(d, depth-1)
	case string:
		return node{kind: textNode, text: t}, nil
	case json.Number:
		return node{kind: scalarNode, text: t.String()}, nil
	case bool:
		return node{kind: scalarNode, text: fmt.Sprint(t)}, nil
	}
	return node{kind: nullNode}, nil
}

func readList(d *json.Decoder, depth int) (node, error) {
	n := node{kind: listNode}
	for d.More() {
		item, err := readValue(d, depth)
		if err != nil {
			return node{}, err
		}
		n.items = append(n.items, item)
	}
	_, err := d.Token() // The bracket.
	return n, err
}

func readObject(d *json.Decoder, depth int) (node, error) {
	n := node{kind: objectNode}
	seen := make(map[string]bool)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return node{}, err
		}
		m := member{name: name.(string)} // The decoder refuses everything else as a name.
		if seen[m.name] {
			return node{}, fmt.Errorf("%q occurs twice in one object, near byte %d", m.name, d.InputOffset())
		}
		seen[m.name] = true
		if m.value, err = readValue(d, depth); err != nil {
			return node{}, err
		}
		n.members = append(n.members, m)
	}
	_, err := d.Token() // The brace.
	return n, err
}
