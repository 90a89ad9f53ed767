package wirexml

import (
	"slices"
	"strconv"
	"strings"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// Limits of a CORS configuration.
const (
	MaxCORSRules   = 100
	MaxRuleIDRunes = 255
)

// CORS is the document that says which pages of other origins may use a bucket.
type CORS struct{ Rules []CORSRule }

// CORSRule lets pages of some origins use some methods.
type CORSRule struct {
	ID      string
	Origins []string // Each has at most one *.
	Methods []string // Of corsMethods.
	Headers []string // Each has at most one *. Case does not matter.
	Expose  []string
	// MaxAge is how many seconds a browser may remember the answer; HasMaxAge says that the
	// document has it.
	MaxAge    int64
	HasMaxAge bool
}

var corsMethods = []string{"GET", "PUT", "HEAD", "POST", "DELETE"}

// AppendXML implements Document.
func (d *CORS) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "CORSConfiguration", ns)
	for i := range d.Rules {
		dst = d.Rules[i].append(dst)
	}
	return append(dst, "</CORSConfiguration>"...)
}

func (r *CORSRule) append(dst []byte) []byte {
	dst = append(dst, "<CORSRule>"...)
	dst = appendOptional(dst, "ID", r.ID)
	for _, list := range []struct {
		name   string
		values []string
	}{{"AllowedOrigin", r.Origins}, {"AllowedMethod", r.Methods}, {"AllowedHeader", r.Headers}, {"ExposeHeader", r.Expose}} {
		for _, v := range list.values {
			dst = appendText(dst, list.name, v)
		}
	}
	if r.HasMaxAge {
		dst = appendInt(dst, "MaxAgeSeconds", r.MaxAge)
	}
	return append(dst, "</CORSRule>"...)
}

// ParseCORS parses a CORSConfiguration. It must have 1 to MaxCORSRules rules, and each rule at
// least one origin and one method.
func ParseCORS(body []byte) (*CORS, error) {
	s, d := newScanner(body), &CORS{}
	err := s.document("CORSConfiguration", func(name string) error {
		if name != "CORSRule" {
			return s.unknown(name)
		}
		if len(d.Rules) == MaxCORSRules {
			return tooMany("CORS rules", MaxCORSRules)
		}
		r, err := parseCORSRule(s)
		d.Rules = append(d.Rules, r)
		return err
	})
	if err == nil && len(d.Rules) == 0 {
		err = s3err.MalformedXML.Say("You must specify at least one CORSRule.")
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

func parseCORSRule(s *scanner) (r CORSRule, err error) {
	once := leaves{}
	err = s.children(func(name string) error {
		if name == "ID" || name == "MaxAgeSeconds" {
			return s.leaf(once, name, name)
		}
		text, err := s.text()
		if err != nil {
			return err
		}
		text = strings.TrimSpace(text)
		switch name {
		case "AllowedOrigin":
			r.Origins = append(r.Origins, text)
			return oneWildcard(name, text)
		case "AllowedHeader":
			r.Headers = append(r.Headers, text)
			return oneWildcard(name, text)
		case "AllowedMethod":
			r.Methods = append(r.Methods, text)
			return corsMethod(text)
		case "ExposeHeader":
			r.Expose = append(r.Expose, text)
			return exposable(text)
		}
		return s.unknown(name)
	})
	if err != nil {
		return r, err
	}
	if len(r.Origins) == 0 || len(r.Methods) == 0 {
		return r, s3err.MalformedXML.Say("A CORSRule needs an AllowedOrigin and an AllowedMethod.")
	}
	if r.ID = once.word("ID"); len([]rune(r.ID)) > MaxRuleIDRunes {
		return r, s3err.BadArgument("ID", "", "ID length should not exceed allowed limit of 255")
	}
	_, r.HasMaxAge = once["MaxAgeSeconds"]
	r.MaxAge, err = once.number("MaxAgeSeconds", 0)
	if err == nil && r.MaxAge > maxInt32 {
		err = s3err.BadArgument("MaxAgeSeconds", strconv.FormatInt(r.MaxAge, 10),
			"MaxAgeSeconds must be at most 2147483647.")
	}
	return r, err
}

const maxInt32 = 1<<31 - 1

func oneWildcard(name, text string) error {
	switch {
	case text == "" || !printableASCII(text):
		return s3err.MalformedXML.Say("An " + name + " must be printable ASCII.")
	case strings.Count(text, "*") > 1:
		return s3err.InvalidRequest.Say(name + " \"" + text + "\" can not have more than one wildcard.")
	}
	return nil
}

func corsMethod(text string) error {
	if !slices.Contains(corsMethods, text) {
		return s3err.InvalidRequest.Say("Found unsupported HTTP method in CORS config. Unsupported method is " + strings.ToValidUTF8(text[:min(len(text), maxNameBytes)], ""))
	}
	return nil
}

func exposable(text string) error {
	switch {
	case text == "" || !printableASCII(text) || strings.ContainsAny(text, " ,"):
		return s3err.MalformedXML.Say("An ExposeHeader must be the name of a header.")
	case strings.Contains(text, "*"):
		return s3err.InvalidRequest.Say("ExposeHeader \"" + text + "\" contains wildcard. We currently do not support wildcard for ExposeHeader.")
	}
	return nil
}

func printableASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// Allows reports whether the rule allows a request of an origin with a method. headers are those
// that a preflight request asks for.
func (r *CORSRule) Allows(origin, method string, headers []string) bool {
	if !slices.Contains(r.Methods, method) || !slices.ContainsFunc(r.Origins, func(p string) bool { return matchOne(p, origin) }) {
		return false
	}
	for _, h := range headers {
		if !slices.ContainsFunc(r.Headers, func(p string) bool { return matchHeader(p, h) }) {
			return false
		}
	}
	return true
}

// AnyOrigin reports whether the rule is for every origin.
func (r *CORSRule) AnyOrigin() bool { return slices.Contains(r.Origins, "*") }

// matchOne reports whether text matches a pattern that has at most one *.
func matchOne(pattern, text string) bool {
	before, after, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == text
	}
	return len(text) >= len(before)+len(after) && strings.HasPrefix(text, before) && strings.HasSuffix(text, after)
}

// matchHeader is matchOne for names of headers, in which case does not matter.
func matchHeader(pattern, name string) bool {
	before, after, wild := strings.Cut(pattern, "*")
	if !wild {
		return strings.EqualFold(pattern, name)
	}
	rest := len(name) - len(after)
	return rest >= len(before) && strings.EqualFold(name[:len(before)], before) && strings.EqualFold(name[rest:], after)
}
