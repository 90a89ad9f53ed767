package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// document and statementDocument define the order of elements in canonical documents.
type document struct {
	Version   string `json:",omitempty"`
	ID        string `json:"Id,omitempty"`
	Statement []statementDocument
}

type statementDocument struct {
	Sid          string `json:",omitempty"`
	Effect       string
	Principal    any                       `json:",omitempty"`
	NotPrincipal any                       `json:",omitempty"`
	Action       any                       `json:",omitempty"`
	NotAction    any                       `json:",omitempty"`
	Resource     any                       `json:",omitempty"`
	NotResource  any                       `json:",omitempty"`
	Condition    map[string]map[string]any `json:",omitempty"`
}

// Marshal returns the policy as a canonical document: elements in a fixed order, single values as
// strings, conditions sorted. Parse makes the same policy of it.
func (p *Policy) Marshal() []byte {
	d := document{Version: p.version, ID: p.id}
	for i := range p.statements {
		d.Statement = append(d.Statement, p.statements[i].document())
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(d); err != nil {
		panic(fmt.Sprintf("policy: strings do not encode: %v", err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func (s *statement) document() statementDocument {
	d := statementDocument{Sid: s.sid, Effect: s.effect.String()}
	place(s.notPrincipal, s.principalDocument(), &d.Principal, &d.NotPrincipal)
	place(s.notAction, compact(patternTexts(s.actions)), &d.Action, &d.NotAction)
	place(s.notResource, compact(patternTexts(s.resources)), &d.Resource, &d.NotResource)
	for i := range s.conditions {
		c := &s.conditions[i]
		values := make([]string, len(c.operands))
		for j := range c.operands {
			values[j] = c.operands[j].text
		}
		if d.Condition == nil {
			d.Condition = make(map[string]map[string]any)
		}
		if d.Condition[c.name] == nil {
			d.Condition[c.name] = make(map[string]any)
		}
		d.Condition[c.name][c.key] = compact(values)
	}
	return d
}

// principalDocument returns the value of Principal or NotPrincipal; nil if the statement has
// neither.
func (s *statement) principalDocument() any {
	if len(s.principals) == 0 {
		return nil
	}
	if s.principals[0].kind == anyPrincipal {
		return "*"
	}
	values := make(map[string][]string)
	for i := range s.principals {
		name := principalNames[s.principals[i].kind]
		values[name] = append(values[name], s.principals[i].text)
	}
	compacted := make(map[string]any)
	for name, texts := range values {
		compacted[name] = compact(texts)
	}
	return compacted
}

// place sets the element or, if negated, its "Not" form.
func place(negated bool, value any, element, notElement *any) {
	if negated {
		element = notElement
	}
	*element = value
}

// compact returns nil for no values, the value itself for one, and otherwise the list.
func compact(values []string) any {
	switch len(values) {
	case 0:
		return nil
	case 1:
		return values[0]
	}
	return values
}

func patternTexts(patterns []pattern) []string {
	texts := make([]string, len(patterns))
	for i := range patterns {
		texts[i] = patterns[i].text
	}
	return texts
}
