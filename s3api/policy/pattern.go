package policy

import (
	"strings"
	"unicode/utf8"
)

// pattern is a compiled text with wildcards ('*': any run of characters, '?': any one character)
// and variables. Its stars divide it into segments, each of which is a run of pieces.
//
// A pattern is matched segment by segment. Each segment takes the leftmost place where it fits, and
// that is never taken back: the star behind it can match more. Each segment is looked for in one
// pass (see finder). So a match takes at most |text| steps for each 64 characters of the longest
// segment with a '?' in it, and no policy and no request can make it take more.
type pattern struct {
	text      string // As written.
	segments  [][]piece
	finders   []*finder // Of segments between stars that are more than a literal. Nil: made at the match, if needed.
	variables bool      // Some piece is a variable: call resolve before matching.
	fold      bool      // The case of ASCII letters does not matter, as in names of actions.
}

// piece is a literal text, a run of '?', or a variable.
type piece struct {
	literal  string
	any      int    // How many characters a run of '?' takes; 0: the piece is no such run.
	variable string // The condition key of a variable.
	fallback string // What stands for a variable without a value, if hasFallback.

	hasFallback bool
}

// match reports whether the pattern matches the whole text. Characters are code points.
func (p *pattern) match(text string) bool {
	m := matcher{p: p}
	return m.match(text)
}

// matcher compares a pattern with a text. It counts steps, so that tests can hold a match to its
// bound: characters of text that were looked at, times the words of state of the segment that was
// looked for.
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

// matchStart matches a segment at the beginning of text, and returns how many bytes of text it
// took.
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

// skip returns the length in bytes of the first n characters of text; false if text has fewer.
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

// matchEnd matches a segment at the end of text.
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

// find returns where the first match of the i-th segment in text ends. A '?' next to a star only
// asks for one character more, so those at both ends of the segment are skipped and not searched
// for.
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

// search looks for the core of a segment that is more than one literal.
func (m *matcher) search(i int, core []piece, text string) (int, bool) {
	var f *finder
	if i < len(m.p.finders) {
		f = m.p.finders[i]
	}
	if f == nil {
		if leastBytes(core) > len(text) {
			return 0, false // So no finder is made that is longer than the text, whatever values variables have.
		}
		f = newFinder(core, m.p.fold)
	}
	return f.find(text, &m.steps)
}

// split returns the pieces of a segment from its first literal to its last one, and how many
// characters the '?' before and after them take.
func split(s []piece) (lead int, core []piece, tail int) {
	for len(s) > 0 && s[0].any > 0 {
		lead, s = lead+s[0].any, s[1:]
	}
	for len(s) > 0 && s[len(s)-1].any > 0 {
		tail, s = tail+s[len(s)-1].any, s[:len(s)-1]
	}
	return lead, s, tail
}

// leastBytes returns the least length of a text that the pieces match.
func leastBytes(pieces []piece) (n int) {
	for i := range pieces {
		n += pieces[i].any + len(pieces[i].literal)
	}
	return n
}

// prepare makes the finders of a pattern that has no variables.
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

// wild reports whether the pattern has a wildcard or a variable, so that it may match more than one
// text.
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

// binding says whether the variables of a pattern have values.
type binding uint8

const (
	bound    binding = iota
	unbound          // The request has not exactly one value for a variable, and the policy has no fallback.
	overlong         // A value is longer than MaxFactBytes.
)

// resolve returns the pattern with the request's values in place of its variables. Wildcards in
// these values are plain characters. It returns no pattern unless all variables are bound.
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
