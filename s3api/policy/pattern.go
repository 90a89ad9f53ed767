package policy

import (
	"strings"
	"unicode/utf8"
)

// pattern is a compiled text with wildcards ('*': any run of characters, '?': any
// one) and variables. Between its stars lie segments, each a run of pieces. A
// pattern is matched segment by segment, the leftmost place for each: never going
// back over a star, it takes at most |pattern|·|text| steps, and about |text| where
// there is no '?'.
type pattern struct {
	text      string // As written.
	segments  [][]piece
	variables bool // Some piece is a variable: resolve before matching.
	fold      bool // Case does not matter: names of actions, which are ASCII.
}

// piece is a literal text, a run of '?', or a variable.
type piece struct {
	literal  string
	any      int    // Characters.
	variable string // Condition key.
	fallback string // Value of a variable that has none, if hasFallback.

	hasFallback bool
}

// match reports whether the whole of text matches. Characters are code points.
func (p *pattern) match(text string) bool {
	first, last := p.segments[0], p.segments[len(p.segments)-1]
	n, ok := p.matchStart(first, text)
	if !ok {
		return false
	}
	text = text[n:]
	if len(p.segments) == 1 {
		return text == ""
	}
	for _, s := range p.segments[1 : len(p.segments)-1] {
		if n, ok = p.find(s, text); !ok {
			return false
		}
		text = text[n:]
	}
	return p.matchEnd(last, text)
}

// matchStart matches a segment where text begins and returns its length there.
func (p *pattern) matchStart(s []piece, text string) (int, bool) {
	rest := text
	for i := range s {
		if s[i].any == 0 {
			l := len(s[i].literal)
			if len(rest) < l || !p.equal(rest[:l], s[i].literal) {
				return 0, false
			}
			rest = rest[l:]
			continue
		}
		for range s[i].any {
			if rest == "" {
				return 0, false
			}
			_, size := utf8.DecodeRuneInString(rest)
			rest = rest[size:]
		}
	}
	return len(text) - len(rest), true
}

// matchEnd matches a segment where text ends.
func (p *pattern) matchEnd(s []piece, text string) bool {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i].any == 0 {
			at := len(text) - len(s[i].literal)
			if at < 0 || !p.equal(text[at:], s[i].literal) {
				return false
			}
			text = text[:at]
			continue
		}
		for range s[i].any {
			if text == "" {
				return false
			}
			_, size := utf8.DecodeLastRuneInString(text)
			text = text[:len(text)-size]
		}
	}
	return true
}

// find returns where the first match of a segment in text ends.
func (p *pattern) find(s []piece, text string) (int, bool) {
	if len(s) == 0 {
		return 0, true
	}
	for at := 0; ; {
		if s[0].any == 0 && !p.fold {
			skip := strings.Index(text[at:], s[0].literal)
			if skip < 0 {
				return 0, false
			}
			at += skip
		}
		if n, ok := p.matchStart(s, text[at:]); ok {
			return at + n, true
		}
		if at == len(text) {
			return 0, false
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
}

func (p *pattern) equal(a, b string) bool {
	if !p.fold {
		return a == b
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// wild reports whether the pattern has a wildcard or a variable, and so may match
// more than one text.
func (p *pattern) wild() bool {
	if len(p.segments) > 1 || p.variables {
		return true
	}
	for _, s := range p.segments[0] {
		if s.any > 0 {
			return true
		}
	}
	return false
}

// resolve returns the pattern with the request's values in place of variables; they
// stand for themselves, wildcards in them too. It is false where the request has
// not exactly one value for a variable and the policy gives no other.
func (p *pattern) resolve(r *Request) (*pattern, bool) {
	resolved := &pattern{text: p.text, fold: p.fold, segments: make([][]piece, len(p.segments))}
	for i, s := range p.segments {
		pieces := make([]piece, len(s))
		for j, c := range s {
			if c.variable != "" {
				var one [1]string
				values, _ := r.values(c.variable, &one)
				switch {
				case len(values) == 1:
					c = piece{literal: values[0]}
				case c.hasFallback:
					c = piece{literal: c.fallback}
				default:
					return nil, false
				}
			}
			pieces[j] = c
		}
		resolved.segments[i] = pieces
	}
	return resolved, true
}
