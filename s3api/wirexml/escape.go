package wirexml

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// plain are the bytes that are not escaped in text.
var plain = func() (t [256]bool) {
	for c := 0x20; c < 0x7f; c++ {
		t[c] = true
	}
	for _, c := range `&<>"'` {
		t[c] = false
	}
	return t
}()

func appendOpen(dst []byte, name string) []byte {
	dst = append(dst, '<')
	dst = append(dst, name...)
	return append(dst, '>')
}

func appendClose(dst []byte, name string) []byte {
	dst = append(dst, '<', '/')
	dst = append(dst, name...)
	return append(dst, '>')
}

// appendText appends <name>text</name>.
func appendText(dst []byte, name, text string) []byte {
	dst = appendOpen(dst, name)
	dst = appendEscaped(dst, text, true)
	return appendClose(dst, name)
}

// appendOptional is appendText, but appends nothing if text is empty.
func appendOptional(dst []byte, name, text string) []byte {
	if text == "" {
		return dst
	}
	return appendText(dst, name, text)
}

// appendCoded is appendText, but URL-encodes the text first if urls is set.
func appendCoded(dst []byte, name, text string, urls bool) []byte {
	if !urls {
		return appendText(dst, name, text)
	}
	dst = appendOpen(dst, name)
	dst = AppendURLEncoded(dst, text) // What it writes needs no escaping.
	return appendClose(dst, name)
}

func appendInt(dst []byte, name string, n int64) []byte {
	dst = appendOpen(dst, name)
	dst = strconv.AppendInt(dst, n, 10)
	return appendClose(dst, name)
}

func appendUint(dst []byte, name string, n uint64) []byte {
	dst = appendOpen(dst, name)
	dst = strconv.AppendUint(dst, n, 10)
	return appendClose(dst, name)
}

func appendBool(dst []byte, name string, b bool) []byte {
	dst = appendOpen(dst, name)
	dst = strconv.AppendBool(dst, b)
	return appendClose(dst, name)
}

// appendETag appends an ETag element. The quotes around the tag need no escaping in text.
func appendETag(dst []byte, etag string) []byte {
	dst = append(dst, `<ETag>"`...)
	dst = appendEscaped(dst, etag, true)
	return append(dst, `"</ETag>`...)
}

// appendTime appends an element with a time, in the form of AppendTime.
func appendTime(dst []byte, name string, unixMilli int64) []byte {
	dst = appendOpen(dst, name)
	dst = AppendTime(dst, unixMilli)
	return appendClose(dst, name)
}

// AppendTime appends a time in the form that S3 has in XML, YYYY-MM-DDThh:mm:ss.mmmZ. Times outside
// the years 0 to 9999 are cut to that range.
func AppendTime(dst []byte, unixMilli int64) []byte {
	const first, last = -62167219200_000, 253402300799_999 // 0000-01-01, 9999-12-31.
	t := time.UnixMilli(min(max(unixMilli, first), last)).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = appendDigits(dst, year, 1000)
	dst = appendDigits(append(dst, '-'), int(month), 10)
	dst = appendDigits(append(dst, '-'), day, 10)
	dst = appendDigits(append(dst, 'T'), hour, 10)
	dst = appendDigits(append(dst, ':'), minute, 10)
	dst = appendDigits(append(dst, ':'), second, 10)
	dst = appendDigits(append(dst, '.'), t.Nanosecond()/1e6, 100)
	return append(dst, 'Z')
}

// appendDigits appends n in as many digits as scale has, which is a power of ten.
func appendDigits(dst []byte, n, scale int) []byte {
	for ; scale > 0; scale /= 10 {
		dst = append(dst, byte('0'+n/scale%10))
	}
	return dst
}

// appendEscaped appends text as character data. White space other than the blank is written as
// references, so that no parser folds it. A character that XML 1.0 cannot hold becomes a reference, as
// S3 writes it, if references is set, and U+FFFD otherwise. Bytes that are not UTF-8 become U+FFFD.
func appendEscaped(dst []byte, text string, references bool) []byte {
	from := 0
	for i := 0; i < len(text); {
		c := text[i]
		if plain[c] {
			i++
			continue
		}
		r, size := rune(c), 1
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(text[i:])
			if size > 1 && r != 0xfffe && r != 0xffff {
				i += size
				continue
			}
		}
		dst = append(dst, text[from:i]...)
		dst = appendReference(dst, r, references || r == '\t' || r == '\n' || r == '\r')
		i += size
		from = i
	}
	return append(dst, text[from:]...)
}

// appendReference appends a character that cannot be in text as it is. numeric says whether to
// write a character that XML 1.0 cannot hold as a reference.
func appendReference(dst []byte, r rune, numeric bool) []byte {
	switch {
	case r == '&':
		return append(dst, "&amp;"...)
	case r == '<':
		return append(dst, "&lt;"...)
	case r == '>':
		return append(dst, "&gt;"...)
	case r == '"':
		return append(dst, "&quot;"...)
	case r == '\'':
		return append(dst, "&apos;"...)
	case r == 0x7f || r == utf8.RuneError:
		return utf8.AppendRune(dst, r)
	case numeric:
		dst = append(dst, "&#x"...)
		dst = strconv.AppendInt(dst, int64(r), 16)
		return append(dst, ';')
	}
	return utf8.AppendRune(dst, utf8.RuneError)
}

// urlPlain are the bytes that AppendURLEncoded does not encode.
var urlPlain = func() (t [256]bool) {
	for _, c := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.*/" {
		t[c] = true
	}
	return t
}()

// AppendURLEncoded appends text in the encoding that S3 uses in lists if the client asks for
// encoding-type=url. It is that of HTML forms, except that the slash is not encoded.
func AppendURLEncoded(dst []byte, text string) []byte {
	const hex = "0123456789ABCDEF"
	from := 0
	for i := range len(text) {
		c := text[i]
		if urlPlain[c] {
			continue
		}
		dst = append(dst, text[from:i]...)
		if from = i + 1; c == ' ' {
			dst = append(dst, '+')
		} else {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return append(dst, text[from:]...)
}
