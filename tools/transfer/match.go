package transfer

import (
	"strings"
)

// IsPattern reports whether a key has characters that a pattern has.
func IsPattern(key string) bool { return strings.ContainsAny(key, "*?") }

// matchKey reports whether a key, or a directory above it if below is set, is what a pattern says:
// * is any run of characters but /, ** is any run, ? is any character but /.
func matchKey(pattern, key string, below bool) bool {
	if match([]rune(pattern), []rune(key), false) {
		return true
	}
	for i := len(key) - 1; below && i > 0; i-- {
		if key[i] == '/' && match([]rune(pattern), []rune(key[:i]), false) {
			return true
		}
	}
	return false
}

// match reports whether the pattern is of the whole text. With across, * and ? stand for / too. It keeps
// one place to go back to, which is enough where ** is the only thing that may cross a /: a * that fails
// at a / gives way to the ** before it.
func match(pattern, text []rune, across bool) bool {
	type place struct{ p, t int }
	none := place{-1, -1}
	star, double := none, none
	p, t := 0, 0
	for t < len(text) || p < len(pattern) {
		switch {
		case p+1 < len(pattern) && pattern[p] == '*' && pattern[p+1] == '*':
			p += 2
			double, star = place{p, t}, none
			continue
		case p < len(pattern) && pattern[p] == '*':
			p++
			star = place{p, t}
			continue
		case p < len(pattern) && t < len(text) && pattern[p] == '?' && (across || text[t] != '/'):
			p, t = p+1, t+1
			continue
		case p < len(pattern) && t < len(text) && pattern[p] != '?' && pattern[p] == text[t]:
			p, t = p+1, t+1
			continue
		}
		switch {
		case star != none && star.t < len(text) && (across || text[star.t] != '/'):
			star.t++
			p, t = star.p, star.t
		case double != none && double.t < len(text):
			double.t++
			star = none
			p, t = double.p, double.t
		default:
			return false
		}
	}
	return true
}

// Rule lets in or leaves out what a pattern says. In it, * and ? stand for / too.
type Rule struct {
	Include bool
	Pattern string
}

// Rules decide what is taken: the last one that matches. What none matches is taken.
type Rules []Rule

// Take reports whether a path, relative to what was named, is taken.
func (rs Rules) Take(rel string) bool {
	for i := len(rs) - 1; i >= 0; i-- {
		if match([]rune(rs[i].Pattern), []rune(rel), true) {
			return rs[i].Include
		}
	}
	return true
}
