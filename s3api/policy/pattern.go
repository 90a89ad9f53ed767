package policy

import (
	"strings"
	"unicode/utf8"
)

// pattern is a compiled text with wildcards ('*': any run of characters, '?': any
// one) and variables. Between its stars lie segments, each a run of pieces. A
// pattern is matched segment by segment, the leftmost place for each, never going back
// over a star. A segment is looked for in one pass (see finder), so a match takes at
// most |text| steps for each 64 characters of the longest segment with a '?' in it.
type pattern struct {
	text      string // As written.
	segments  [][]piece
	finders   []*finder // Of segments between stars that are more than a literal; nil: none, or made when needed.
	variables bool      // Some piece is a variable: resolve before matching.
	fold      bool      // Case does not matter: names of actions, which are ASCII.
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
	m := matcher{p: p}
	return m.match(text)
}

// matcher is one comparison of a pattern with a text. It counts its steps, so that
// tests can hold them to their bound: characters of text looked at, times the words
// of state of the segment that is looked for.
type matcher struct {
	p     *pattern
	steps int
}

func (m *matcher) match(text string) bool {
	first, last := m.p.segments[0], m.p.segments[len(m.p.segments)-1]
	n, ok := m.matchStart(first, text)
	if !ok {
		return false
	}
	text = text[n:]
	if len(m.p.segments) == 1 {
		return text == ""
	}
	for i := 1; i < len(m.p.segments)-1; i++ {
		if n, ok = m.find(i, text); !ok {
			return false
		}
		text = text[n:]
	}
	return m.matchEnd(last, text)
}

// matchStart matches a segment where text begins and returns its length there.
func (m *matcher) matchStart(s []piece, text string) (int, bool) {
	rest := text
	for i := range s {
		if s[i].any == 0 {
			l := len(s[i].literal)
			if len(rest) < l || !m.p.equal(rest[:l], s[i].literal) {
				return 0, false
			}
			m.steps += l
			rest = rest[l:]
			continue
		}
		n, ok := m.skip(s[i].any, rest)
		if !ok {
			return 0, false
		}
		rest = rest[n:]
	}
	return len(text) - len(rest), true
}

// skip returns how many bytes the first n characters of text have, if it has so many.
func (m *matcher) skip(n int, text string) (int, bool) {
	m.steps += n
	at := 0
	for range n {
		if at == len(text) {
			return 0, false
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	return at, true
}

// matchEnd matches a segment where text ends.
func (m *matcher) matchEnd(s []piece, text string) bool {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i].any == 0 {
			at := len(text) - len(s[i].literal)
			if at < 0 || !m.p.equal(text[at:], s[i].literal) {
				return false
			}
			m.steps += len(s[i].literal)
			text = text[:at]
			continue
		}
		m.steps += s[i].any
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

// find returns where the first match of the i-th segment in text ends. A '?' beside a
// star only asks for a character more, so those at both ends are no part of the
// search.
func (m *matcher) find(i int, text string) (int, bool) {
	lead, core, tail := split(m.p.segments[i])
	from, ok := m.skip(lead, text)
	if !ok {
		return 0, false
	}
	end, ok := from, true
	switch {
	case len(core) == 0:
	case len(core) == 1 && !m.p.fold:
		skip := strings.Index(text[from:], core[0].literal)
		if skip < 0 {
			m.steps += len(text) - from
			return 0, false
		}
		m.steps += skip + len(core[0].literal)
		end = from + skip + len(core[0].literal)
	default:
		var n int
		if n, ok = m.search(i, core, text[from:]); !ok {
			return 0, false
		}
		end = from + n
	}
	n, ok := m.skip(tail, text[end:])
	return end + n, ok
}

// search looks for a segment's core, which is more than one literal.
func (m *matcher) search(i int, core []piece, text string) (int, bool) {
	var f *finder
	if i < len(m.p.finders) {
		f = m.p.finders[i]
	}
	if f == nil {
		if leastBytes(core) > len(text) {
			return 0, false // Which bounds what values of variables may cost.
		}
		f = newFinder(core, m.p.fold)
	}
	return f.find(text, &m.steps)
}

// split returns the pieces of a segment from its first literal to its last one, and how many
// characters it asks for before and after these.
func split(s []piece) (lead int, core []piece, tail int) {
	for len(s) > 0 && s[0].any > 0 {
		lead, s = lead+s[0].any, s[1:]
	}
	for len(s) > 0 && s[len(s)-1].any > 0 {
		tail, s = tail+s[len(s)-1].any, s[:len(s)-1]
	}
	return lead, s, tail
}

// leastBytes returns how long a text is at least that pieces match.
func leastBytes(pieces []piece) (n int) {
	for i := range pieces {
		n += pieces[i].any + len(pieces[i].literal)
	}
	return n
}

// prepare makes the finders of a pattern without variables.
func (p *pattern) prepare() {
	for i := 1; i < len(p.segments)-1; i++ {
		_, core, _ := split(p.segments[i])
		if len(core) > 1 || len(core) == 1 && p.fold {
			if p.finders == nil {
				p.finders = make([]*finder, len(p.segments))
			}
			p.finders[i] = newFinder(core, p.fold)
		}
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

// binding says what came of a pattern's variables.
type binding uint8

const (
	bound    binding = iota
	unbound          // The request has not exactly one value for one, and the policy gives no other.
	overlong         // A value is longer than MaxFactBytes.
)

// resolve returns the pattern with the request's values in place of variables; they
// stand for themselves, wildcards in them too. There is none unless all are bound.
func (p *pattern) resolve(r *Request) (*pattern, binding) {
	resolved := &pattern{text: p.text, fold: p.fold, segments: make([][]piece, len(p.segments))}
	for i, s := range p.segments {
		pieces := make([]piece, len(s))
		for j, c := range s {
			if c.variable != "" {
				var one [1]string
				values, _ := r.values(c.variable, &one)
				switch {
				case len(values) == 1 && len(values[0]) > MaxFactBytes:
					return nil, overlong
				case len(values) == 1:
					c = piece{literal: values[0]}
				case c.hasFallback:
					c = piece{literal: c.fallback}
				default:
					return nil, unbound
				}
			}
			pieces[j] = c
		}
		resolved.segments[i] = pieces
	}
	return resolved, bound
}
