package wirexml

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// text parses the content of the element that was just opened, up to its end tag. The content must
// be text.
func (s *scanner) text() (string, error) {
	if s.empty {
		s.empty = false
		s.depth--
		return "", nil
	}
	var whole, more = "", []byte(nil) // The text is whole, or more if there is a second piece.
	add := func(piece string) error {
		switch {
		case len(whole)+len(more)+len(piece) > maxTextBytes:
			return s.malformed("an element has too much text")
		case more == nil && whole == "":
			whole = piece
		case piece != "":
			more = append(append(more, whole...), piece...)
			whole = ""
		}
		return nil
	}
	for {
		end := strings.IndexByte(s.doc[s.at:], '<')
		if end < 0 {
			return "", s.malformed("an element does not end")
		}
		piece, err := s.unescape(s.doc[s.at : s.at+end])
		if err != nil {
			return "", err
		}
		s.at += end
		if err := add(piece); err != nil {
			return "", err
		}
		switch rest := s.doc[s.at:]; {
		case strings.HasPrefix(rest, "</"):
			if more != nil {
				whole = string(more)
			}
			return whole, s.endTag()
		case strings.HasPrefix(rest, "<![CDATA["):
			if piece, err = s.cdata(); err != nil {
				return "", err
			}
			if err := add(piece); err != nil {
				return "", err
			}
		default:
			if skipped, err := s.skipAside(); err != nil || !skipped {
				if err == nil {
					err = s.malformed("only text may be here")
				}
				return "", err
			}
		}
	}
}

func (s *scanner) cdata() (string, error) {
	s.at += len("<![CDATA[")
	end := strings.Index(s.doc[s.at:], "]]>")
	if end < 0 {
		return "", s.malformed("a CDATA section does not end")
	}
	raw := s.doc[s.at : s.at+end]
	if !validText(raw) {
		return "", s.malformed("text has a character that XML cannot hold")
	}
	s.at += end + len("]]>")
	return foldLines(raw), nil
}

// unescape replaces the references in raw text and makes each line end a line feed, as XML demands.
func (s *scanner) unescape(raw string) (string, error) {
	if !validText(raw) || strings.Contains(raw, "]]>") {
		return "", s.malformed("text has a character that XML cannot hold")
	}
	raw = foldLines(raw)
	amp := strings.IndexByte(raw, '&')
	if amp < 0 {
		return raw, nil
	}
	out := make([]byte, 0, len(raw))
	for ; amp >= 0; amp = strings.IndexByte(raw, '&') {
		out = append(out, raw[:amp]...)
		end := strings.IndexByte(raw[amp:], ';')
		if end < 0 {
			return "", s.malformed("a reference does not end")
		}
		r, ok := reference(raw[amp+1 : amp+end])
		if !ok {
			return "", s.malformed("a reference to an entity that is not one of the five predefined, or to no character")
		}
		out = utf8.AppendRune(out, r)
		raw = raw[amp+end+1:]
	}
	return string(append(out, raw...)), nil
}

// reference returns the character for what is between & and ;.
func reference(ref string) (rune, bool) {
	switch ref {
	case "amp":
		return '&', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	if len(ref) < 2 || len(ref) > 12 || ref[0] != '#' {
		return 0, false
	}
	digits, base := ref[1:], 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	if len(digits) == 0 || digits[0] == '+' || digits[0] == '-' {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n > utf8.MaxRune || !validReference(rune(n)) {
		return 0, false
	}
	return rune(n), true
}

// validReference reports whether a reference may name r. It allows more than XML 1.0: also control
// characters, except U+0000, because keys may have them and clients have no other way to send them.
func validReference(r rune) bool {
	return r != 0 && utf8.ValidRune(r)
}

// validText reports whether UTF-8 text has no character that XML 1.0 cannot hold.
func validText(raw string) bool {
	for i := range len(raw) {
		c := raw[i]
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' {
			return false
		}
		// U+FFFE and U+FFFF are ef bf be and ef bf bf.
		if c == 0xef && i+2 < len(raw) && raw[i+1] == 0xbf && raw[i+2] >= 0xbe {
			return false
		}
	}
	return true
}

// foldLines makes each line end a line feed.
func foldLines(raw string) string {
	if strings.IndexByte(raw, '\r') < 0 {
		return raw
	}
	raw = strings.ReplaceAll(raw, "\r\n", "\n")
	return strings.ReplaceAll(raw, "\r", "\n")
}
