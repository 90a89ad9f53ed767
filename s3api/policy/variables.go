package policy

import (
	"fmt"
	"strings"
)

// syntax says what is special in a text.
type syntax struct {
	wildcards bool // '*' and '?'.
	variables bool // ${...}, which only Version2012 has.
	fold      bool // The case of ASCII letters does not matter.
}

// compile returns the pattern of a text.
func (x syntax) compile(text string) (pattern, error) {
	p := pattern{text: text, fold: x.fold}
	var segment []piece
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			segment = append(segment, piece{literal: literal.String()})
			literal.Reset()
		}
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '*' && x.wildcards:
			flush()
			p.segments = append(p.segments, segment)
			segment = nil
		case c == '?' && x.wildcards:
			flush()
			if n := len(segment); n > 0 && segment[n-1].any > 0 {
				segment[n-1].any++
			} else {
				segment = append(segment, piece{any: 1})
			}
		case x.variables && strings.HasPrefix(text[i:], "${"):
			end := variableEnd(text[i:])
			if end < 0 {
				return pattern{}, fmt.Errorf("%q has a \"${\" without its \"}\"", text)
			}
			v, err := variable(text[i+2 : i+end])
			if err != nil {
				return pattern{}, err
			}
			i += end
			if v.variable == "" {
				literal.WriteString(v.literal)
				continue
			}
			flush()
			segment = append(segment, v)
			p.variables = true
		default:
			literal.WriteByte(c)
		}
	}
	flush()
	p.segments = append(p.segments, segment)
	if !p.variables {
		p.prepare()
	}
	return p, nil
}

// variableEnd returns the place of the brace that closes the variable with which text begins; -1 if
// there is none. Braces in the quotes of a fallback do not count.
func variableEnd(text string) int {
	quoted := false
	for i := range len(text) {
		switch {
		case text[i] == '\'':
			quoted = !quoted
		case text[i] == '}' && !quoted:
			return i
		}
	}
	return -1
}

// variable returns the piece for ${inner}. inner is a key, a key with a fallback ("aws:username,
// 'nobody'"), or one of the characters '*', '?' and '$', which then stands for itself.
func variable(inner string) (piece, error) {
	if inner == "*" || inner == "?" || inner == "$" {
		return piece{literal: inner}, nil
	}
	name, rest, hasFallback := strings.Cut(inner, ",")
	key, ok := canonicalKey(strings.TrimSpace(name))
	if !ok || key == KeyRequestTagKeys {
		return piece{}, fmt.Errorf("no variable is called ${%s}: use a condition key of one value such as ${aws:username}, or ${*}, ${?} or ${$} for the character itself", inner)
	}
	v := piece{variable: key, hasFallback: hasFallback}
	if hasFallback {
		rest = strings.TrimSpace(rest)
		if len(rest) < 2 || rest[0] != '\'' || strings.IndexByte(rest[1:], '\'') != len(rest)-2 {
			return piece{}, fmt.Errorf("the default of ${%s} has to be in single quotes, such as ${aws:username, 'nobody'}", inner)
		}
		v.fallback = rest[1 : len(rest)-1]
	}
	return v, nil
}
