package sigauth

import (
	"bufio"
	"bytes"
	"slices"
	"strings"

	"github.com/cairnstore/cairn/s3api/s3err"
)

const (
	trailerSignature = "x-amz-trailer-signature"
	maxTrailerLine   = 1 << 10
	// maxBlankLines bounds the empty lines before the signature of a signed trailer and behind a
	// trailer. Some clients end each part of a trailer with one.
	maxBlankLines = maxTrailers + 2
)

// trailer reads the trailer behind the last chunk, up to the empty line that ends the body. It must
// have exactly the fields that are declared and, if chunks are signed, their signature.
func (d *chunkedReader) trailer() error {
	fields := make(map[string]string, len(d.p.names))
	var canonical []byte
	signature, blank := "", 0
	for {
		line, err := d.trailerLine()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			blank++
			if d.chain == nil || signature != "" || len(d.p.names) == 0 {
				break
			}
			if blank > maxBlankLines {
				return badTrailer("it has too many empty lines.")
			}
			continue
		}
		before, after, ok := bytes.Cut(line, []byte(":"))
		name := strings.ToLower(string(before))
		value := string(bytes.Trim(after, " \t"))
		switch _, twice := fields[name]; {
		case !ok || !isPrintable(value) || signature != "":
			return badTrailer("a line is not of the form name:value, or follows the signature.")
		case d.chain != nil && name == trailerSignature:
			signature = value
			continue
		case twice || !slices.Contains(d.p.names, name):
			return badTrailer("a field is not declared in x-amz-trailer, or comes twice.")
		}
		fields[name] = value
		canonical = append(canonical, name...)
		canonical = append(canonical, ':')
		canonical = append(canonical, value...)
		canonical = append(canonical, '\n')
	}
	for _, name := range d.p.names {
		if _, ok := fields[name]; !ok {
			return badTrailer("it lacks " + name + ".")
		}
	}
	if err := d.emptyLines(maxBlankLines - blank); err != nil {
		return err
	}
	if d.chain != nil && (len(d.p.names) > 0 || signature != "") {
		if err := d.chain.trailer(canonical, signature); err != nil {
			return err
		}
	}
	*d.trailers = fields
	return nil
}

// emptyLines reads the empty lines behind the one that ends the trailer; most bounds them. It
// leaves anything else to finish, which refuses it.
func (d *chunkedReader) emptyLines(most int) error {
	for {
		next, err := d.src.Peek(1)
		if err != nil || next[0] != '\r' && next[0] != '\n' {
			return nil // The body ends, or fails: the next read meets that again.
		}
		if most--; most < 0 {
			return badTrailer("it has too many empty lines.")
		}
		line, err := d.trailerLine()
		if err != nil {
			return err
		}
		if len(line) > 0 {
			return badTrailer("a line follows the one that ends it.")
		}
	}
}

// trailerLine reads a line of the trailer and returns it without its end. Some clients end lines
// with LF alone.
func (d *chunkedReader) trailerLine() ([]byte, error) {
	line, err := d.src.ReadSlice('\n')
	if err == bufio.ErrBufferFull || len(line) > maxTrailerLine {
		return nil, badTrailer("a line is too long.")
	}
	if err != nil {
		return nil, shortBody(err)
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}

// isPrintable reports whether the value of a trailer is printable ASCII and not empty.
func isPrintable(value string) bool {
	for i := range len(value) {
		if value[i] < ' ' || value[i] > '~' {
			return false
		}
	}
	return value != ""
}

func badTrailer(why string) error {
	return s3err.MalformedTrailerError.Say("The trailer of the request is malformed: " + why)
}
