package wirexml

import (
	"slices"
	"strconv"
	"strings"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// leaves are the texts of elements that have only text, by name.
type leaves map[string]string

// leaf parses the element that was just opened. It must have only text, have one of the known
// names, and not be in into already.
func (s *scanner) leaf(into leaves, name string, known ...string) error {
	if _, twice := into[name]; twice || !slices.Contains(known, name) {
		return s.unknown(name)
	}
	text, err := s.text()
	into[name] = text
	return err
}

// leaves parses the content of the element that was just opened: elements with only text and one of
// the known names, each at most once.
func (s *scanner) leaves(known ...string) (leaves, error) {
	into := leaves{}
	return into, s.children(func(name string) error { return s.leaf(into, name, known...) })
}

// word returns the text of an element without white space around it.
func (l leaves) word(name string) string { return strings.TrimSpace(l[name]) }

// number returns the text of an element as an integer, which must not be less than least; 0 if the
// element is missing. Text that is no integer is MalformedXML, and a smaller integer
// InvalidArgument.
func (l leaves) number(name string, least int64) (int64, error) {
	if _, ok := l[name]; !ok {
		return 0, nil
	}
	n, err := strconv.ParseInt(l.word(name), 10, 64)
	if err != nil {
		return 0, s3err.MalformedXML.Say("The value of " + name + " must be an integer.")
	}
	if n < least {
		return 0, s3err.BadArgument(name, strconv.FormatInt(n, 10),
			name+" must be at least "+strconv.FormatInt(least, 10)+".")
	}
	return n, nil
}

// flag returns the text of an element as a boolean; false if the element is missing or empty.
func (l leaves) flag(name string) (bool, error) {
	switch text := l.word(name); {
	case text == "" && l[name] == "" || strings.EqualFold(text, "false"):
		return false, nil
	case strings.EqualFold(text, "true"):
		return true, nil
	}
	return false, s3err.MalformedXML.Say("The value of " + name + " must be true or false.")
}

// begins reports whether the content of the element that was just opened begins with a child
// element.
func (s *scanner) begins() bool {
	rest := strings.TrimLeft(s.doc[s.at:], " \t\r\n")
	return !s.empty && strings.HasPrefix(rest, "<") && !strings.HasPrefix(rest, "</") && !strings.HasPrefix(rest, "<!")
}
