//go:build e2e

package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// needleBytes is how much of a secret is looked for: its first bytes and its last ones, each by
// themselves, so that half a secret is found, too.
const needleBytes = 16

// needle is one form of a piece of a secret.
type needle struct {
	secret, form string
	pattern      []byte
}

func (n needle) String() string { return n.secret + " as " + n.form }

// needles returns every form in which a secret could be written down.
func needles(secret string, value []byte) (all []needle) {
	pieces := map[string][2]int{"": {0, len(value)}}
	if len(value) >= 2*needleBytes {
		pieces = map[string][2]int{"first bytes, ": {0, needleBytes}, "last bytes, ": {len(value) - needleBytes, len(value)}}
	}
	for which, at := range pieces {
		piece := value[at[0]:at[1]]
		add := func(form string, pattern []byte) {
			if !slices.ContainsFunc(all, func(n needle) bool { return bytes.Equal(n.pattern, pattern) }) {
				all = append(all, needle{secret, which + form, pattern})
			}
		}
		add("raw", piece)
		add("hex", []byte(hex.EncodeToString(piece)))
		add("HEX", []byte(strings.ToUpper(hex.EncodeToString(piece))))
		for shift := range 3 { // The piece may begin at any place of a group of three bytes.
			add("base64", base64Inside(base64.StdEncoding, piece, shift))
			add("URL-safe base64", base64Inside(base64.URLEncoding, piece, shift))
		}
		list := strings.Trim(fmt.Sprint(piece), "[]")
		add("a list of numbers", []byte(list))
		add("a list with commas", []byte(strings.ReplaceAll(list, " ", ",")))
		add("a Go string", quotedInside(value, at[0], at[1]))
		for at := 0; at+8 <= len(piece); at += 8 { // So arguments look in the trace of a goroutine.
			add("a machine word", fmt.Appendf(nil, "%#x", binary.LittleEndian.Uint64(piece[at:])))
		}
	}
	return all
}

// base64Inside returns the characters that piece has in any longer text where it begins shift bytes
// after the start of a group. The characters that depend on what stands beside it are cut off.
func base64Inside(e *base64.Encoding, piece []byte, shift int) []byte {
	text := e.EncodeToString(append(make([]byte, shift), piece...))
	return []byte(text[(shift*8+5)/6 : (shift+len(piece))*8/6])
}

// quotedInside returns how the bytes from..to of value are written in a quoted Go string of all of it.
// It leaves out a rune that begins or ends outside them, because its bytes are written in another way
// when they stand alone.
func quotedInside(value []byte, from, to int) (pattern []byte) {
	for at := 0; at < to; {
		_, n := utf8.DecodeRune(value[at:])
		if at >= from && at+n <= to {
			quoted := strconv.Quote(string(value[at : at+n]))
			pattern = append(pattern, quoted[1:len(quoted)-1]...)
		}
		at += n
	}
	return pattern
}

// TestQuotedInside splits a secret in the middle of a rune.
func TestQuotedInside(t *testing.T) {
	value := []byte("0123456789abcde\xc3\xa9\"123456789abcdef")
	require.Contains(t, fmt.Sprintf("%q", value), string(quotedInside(value, 0, 16)))
	require.Contains(t, fmt.Sprintf("%q", value), string(quotedInside(value, 16, len(value))))
	require.Equal(t, "0123456789abcde", string(quotedInside(value, 0, 16)))
	require.Equal(t, `\"123456789abcdef`, string(quotedInside(value, 16, len(value))))
}

// leaks returns a line for each needle that the files below root hold, and how many bytes it has
// searched.
func leaks(t *testing.T, root string, wanted []needle) (found []string, searched int64) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		n, err := search(f, wanted, func(w needle, at int64) {
			found = append(found, fmt.Sprintf("%s holds %s, at %d", path, w, at))
		})
		searched += n
		return err
	})
	require.NoError(t, err)
	return found, searched
}

const (
	searchWindow  = 1 << 20
	searchOverlap = 1 << 10 // More than the longest needle.
)

// search calls tell for each needle that it finds, once for each window. Windows overlap, so that no
// needle is cut.
func search(r io.Reader, wanted []needle, tell func(needle, int64)) (searched int64, err error) {
	window := make([]byte, searchOverlap+searchWindow)
	zeros := make([]byte, searchWindow)
	kept := 0
	for {
		n, err := io.ReadFull(r, window[kept:][:searchWindow])
		text := window[:kept+n]
		if !bytes.Equal(text[kept:], zeros[:n]) { // Zeros are room that is not used yet.
			for _, w := range wanted {
				if i := bytes.Index(text, w.pattern); i >= 0 {
					tell(w, searched-int64(kept)+int64(i))
				}
			}
		}
		searched += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return searched, nil
		}
		if err != nil {
			return searched, err
		}
		kept = copy(window, text[max(0, len(text)-searchOverlap):])
	}
}

// TestNeedles plants a secret in each form, across the border of windows and among other text. Each
// must be found.
func TestNeedles(t *testing.T) {
	for _, value := range [][]byte{randomBytes(32), randomBytes(64), []byte("wJalrXUtnFEMI/K7MDENG+bPxRfiCYzzzzKEY"), []byte("a short password")} {
		all := needles("the key", value)
		for name, text := range map[string]string{
			"raw": string(value), "%x": fmt.Sprintf("%x", value), "%X": fmt.Sprintf("%X", value),
			"%v": fmt.Sprintf("%v", value), "%q": fmt.Sprintf("%q", value),
			"base64":          base64.StdEncoding.EncodeToString(value),
			"URL-safe base64": base64.RawURLEncoding.EncodeToString(value),
			"after a name":    base64.StdEncoding.EncodeToString(append([]byte("user:"), value...)),
			"a word":          fmt.Sprintf("main.f({0x1, %#x})", binary.LittleEndian.Uint64(value)),
			"its first half":  string(value[:max(needleBytes, len(value)/2)]),
			"its last half":   string(value[min(len(value)-needleBytes, len(value)/2):]),
		} {
			for _, before := range []int{0, 7, searchWindow - 10, 3*searchWindow - 1} {
				path := filepath.Join(t.TempDir(), "file")
				planted := append(bytes.Repeat([]byte{'x'}, before), text...)
				require.NoError(t, os.WriteFile(path, append(planted, randomBytes(2*searchWindow)...), 0o644))
				found, _ := leaks(t, path, all)
				require.NotEmpty(t, found, "%s, %d bytes from the start", name, before)
			}
		}
		path := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(path, randomBytes(4*searchWindow), 0o644))
		found, _ := leaks(t, path, all)
		require.Empty(t, found)
	}
}
