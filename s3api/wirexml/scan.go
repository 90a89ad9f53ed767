package wirexml

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// Limits of the grammar.
const (
	maxDepth     = 8
	maxNameBytes = 128
	maxTextBytes = 16 << 10 // Of one element. A key has at most 1,024.
)

// scanner reads a document. It accepts only XML 1.0, and of that only what S3's documents need:
// elements, attributes (of which only the form is checked), text, CDATA, comments and processing
// instructions, in UTF-8. There is no document type, so there are no entities but the five
// predefined ones, and a small body cannot grow. Text is a piece of the document, and is copied
// only if it has references.
type scanner struct {
	doc   string
	at    int
	open  [maxDepth]string // Names of the open elements, with their prefixes.
	depth int
	empty bool // The innermost open element was written as <a/>.
}

func newScanner(doc []byte) *scanner {
	return &scanner{doc: strings.TrimPrefix(string(doc), "\ufeff")}
}

// malformed is the error for anything that is not the expected document. It never quotes the body.
func (s *scanner) malformed(why string) error {
	return s3err.MalformedXML.Say(s3err.Table[s3err.MalformedXML].Message + " At byte " + strconv.Itoa(s.at) + ": " + why + ".")
}

func (s *scanner) unknown(string) error {
	return s.malformed("this element is not expected here, or not twice")
}

// document parses the whole document. The root must have this name. child is called for each child
// of the root, after the child's start tag, and must parse its content.
func (s *scanner) document(root string, child func(name string) error) error {
	return s.rooted(func(string) error { return s.children(child) }, root)
}

// rooted parses the whole document. The root must have one of these names. content is called after
// the root's start tag, and must parse its content.
func (s *scanner) rooted(content func(root string) error, roots ...string) error {
	if !utf8.ValidString(s.doc) {
		return s.malformed("the body is not UTF-8")
	}
	if strings.HasPrefix(s.doc, "<?xml") && len(s.doc) > 5 && isSpace(s.doc[5]) {
		if err := s.declaration(); err != nil {
			return err
		}
	}
	if err := s.misc(); err != nil {
		return err
	}
	name, err := s.startTag()
	if err != nil {
		return err
	}
	if !slices.Contains(roots, name) {
		return s.malformed("the root element must be " + strings.Join(roots, " or "))
	}
	if err := content(name); err != nil {
		return err
	}
	if err := s.misc(); err != nil {
		return err
	}
	if s.at != len(s.doc) {
		return s.malformed("nothing may follow the root element")
	}
	return nil
}

// declaration skips <?xml … ?>. It refuses other versions and encodings.
func (s *scanner) declaration() error {
	end := strings.Index(s.doc, "?>")
	if end < 0 {
		return s.malformed("the XML declaration does not end")
	}
	s.at = len("<?xml")
	seen := 0
	for s.at < end {
		spaced := s.skipSpace()
		if s.at >= end {
			break
		}
		name, value, err := s.attribute()
		if err != nil {
			return err
		}
		order := 0
		switch {
		case name == "version" && value == "1.0":
			order = 1
		case name == "encoding" && strings.EqualFold(value, "utf-8"):
			order = 2
		case name == "standalone" && (value == "yes" || value == "no"):
			order = 3
		}
		if order <= seen || !spaced || seen == 0 && order != 1 {
			return s.malformed("the XML declaration must be of version 1.0 and encoding UTF-8")
		}
		seen = order
	}
	if seen == 0 || s.at != end {
		return s.malformed("the XML declaration is not well formed")
	}
	s.at = end + len("?>")
	return nil
}

// misc skips white space, comments and processing instructions outside the root.
func (s *scanner) misc() error {
	for {
		s.skipSpace()
		skipped, err := s.skipAside()
		if err != nil || !skipped {
			return err
		}
	}
}

// skipAside skips a comment or a processing instruction, if there is one here.
func (s *scanner) skipAside() (bool, error) {
	rest := s.doc[s.at:]
	switch {
	case strings.HasPrefix(rest, "<!--"):
		end := strings.Index(rest[4:], "--")
		if end < 0 || !strings.HasPrefix(rest[4+end:], "-->") {
			return false, s.malformed("a comment is not well formed")
		}
		if !validText(rest[4 : 4+end]) {
			return false, s.malformed("a comment has a character that XML cannot hold")
		}
		s.at += 4 + end + 3
		return true, nil
	case strings.HasPrefix(rest, "<?"):
		return true, s.instruction()
	}
	return false, nil
}

func (s *scanner) instruction() error {
	s.at += len("<?")
	end := strings.Index(s.doc[s.at:], "?>")
	if end < 0 {
		return s.malformed("a processing instruction does not end")
	}
	body := s.doc[s.at : s.at+end]
	target, err := s.name() // It ends before "?>", which no name contains.
	if err != nil {
		return err
	}
	after := body[len(target):]
	if strings.EqualFold(target, "xml") || after != "" && !isSpace(after[0]) || !validText(body) {
		return s.malformed("a processing instruction is not well formed")
	}
	s.at += len(after) + len("?>")
	return nil
}

// children parses the content of the element that was just opened, up to its end tag. It may have
// only child elements, with white space between them. child is called for each.
func (s *scanner) children(child func(name string) error) error {
	for {
		if s.empty {
			s.empty = false
			s.depth--
			return nil
		}
		if err := s.misc(); err != nil {
			return err
		}
		if strings.HasPrefix(s.doc[s.at:], "</") {
			return s.endTag()
		}
		name, err := s.startTag()
		if err != nil {
			return err
		}
		if err := child(name); err != nil {
			return err
		}
	}
}

// startTag parses a start tag and returns the element's name without its prefix.
func (s *scanner) startTag() (string, error) {
	if s.at >= len(s.doc) || s.doc[s.at] != '<' {
		return "", s.malformed("an element must begin here")
	}
	s.at++
	name, err := s.name()
	if err != nil {
		return "", err
	}
	for {
		spaced := s.skipSpace()
		switch rest := s.doc[s.at:]; {
		case strings.HasPrefix(rest, "/>"):
			s.at += 2
			return s.push(name, true)
		case strings.HasPrefix(rest, ">"):
			s.at++
			return s.push(name, false)
		case !spaced:
			return "", s.malformed("a start tag is not well formed")
		}
		if _, _, err := s.attribute(); err != nil {
			return "", err
		}
	}
}

// push notes an open element. It refuses elements that are nested too deeply.
func (s *scanner) push(name string, empty bool) (string, error) {
	if s.depth == maxDepth {
		return "", s.malformed("elements are nested too deeply")
	}
	s.open[s.depth], s.empty = name, empty
	s.depth++
	if i := strings.IndexByte(name, ':'); i >= 0 {
		return name[i+1:], nil
	}
	return name, nil
}

// endTag parses the end tag of the innermost open element.
func (s *scanner) endTag() error {
	want := s.open[s.depth-1]
	rest := s.doc[s.at+2:]
	if !strings.HasPrefix(rest, want) {
		return s.malformed("an end tag does not match its start tag")
	}
	s.at += 2 + len(want)
	s.skipSpace()
	if s.at >= len(s.doc) || s.doc[s.at] != '>' {
		return s.malformed("an end tag is not well formed")
	}
	s.at++
	s.depth--
	return nil
}

// attribute parses name="value", and returns the value as it is written.
func (s *scanner) attribute() (name, value string, err error) {
	if name, err = s.name(); err != nil {
		return "", "", err
	}
	s.skipSpace()
	if s.at >= len(s.doc) || s.doc[s.at] != '=' {
		return "", "", s.malformed("an attribute is not well formed")
	}
	s.at++
	s.skipSpace()
	if s.at >= len(s.doc) || s.doc[s.at] != '"' && s.doc[s.at] != '\'' {
		return "", "", s.malformed("an attribute has no quoted value")
	}
	end := strings.IndexByte(s.doc[s.at+1:], s.doc[s.at])
	if end < 0 {
		return "", "", s.malformed("an attribute does not end")
	}
	raw := s.doc[s.at+1 : s.at+1+end]
	if strings.IndexByte(raw, '<') >= 0 {
		return "", "", s.malformed("an attribute is not well formed")
	}
	if _, err := s.unescape(raw); err != nil {
		return "", "", err
	}
	s.at += end + 2
	return name, raw, nil
}

// name parses a name: ASCII letters, digits, '_', '-' and '.', with at most one colon inside.
func (s *scanner) name() (string, error) {
	from, colon := s.at, -1
	for s.at < len(s.doc) {
		c := s.doc[s.at]
		first := s.at == from || colon == s.at-1
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		later := c >= '0' && c <= '9' || c == '-' || c == '.'
		if c == ':' && !first && colon < 0 {
			colon = s.at
		} else if !letter && (first || !later) {
			break
		}
		s.at++
	}
	if s.at == from || colon == s.at-1 || s.at-from > maxNameBytes {
		return "", s.malformed("a name is not well formed")
	}
	return s.doc[from:s.at], nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// skipSpace skips white space and reports whether there was any.
func (s *scanner) skipSpace() bool {
	from := s.at
	for s.at < len(s.doc) && isSpace(s.doc[s.at]) {
		s.at++
	}
	return s.at > from
}
