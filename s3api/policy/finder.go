package policy

import "unicode/utf8"

const (
	wordBits = 64
	// stackWords is the size of the state for the longest run that a policy may have. That state
	// fits on the stack.
	stackWords = MaxValueBytes / wordBits
)

// finder looks for a run of characters in which some places take any character ('?'). It goes over
// the text once and keeps a bit for each place of the run: whether the text read so far ends with
// the run up to this place (the shift-and method). Each character of the text costs one step for
// each word of bits, whatever the text is. A search that starts anew at each place of the text
// could cost as many steps as the run is long.
type finder struct {
	places int
	fold   bool
	any    []uint64              // The places that take any character.
	ascii  [utf8.RuneSelf]uint16 // The index in marks of each ASCII character; 0: it is not in the run.
	others map[rune]int          // The same for all other characters.
	marks  [][]mark              // The places that a character takes; the first is empty.
}

// mark is a word of bits, and which word of the state it is.
type mark struct {
	word int
	bits uint64
}

func newFinder(pieces []piece, fold bool) *finder {
	f := &finder{fold: fold, marks: make([][]mark, 1)}
	for i := range pieces {
		for range pieces[i].any {
			f.grow()
			f.any[len(f.any)-1] |= 1 << ((f.places - 1) % wordBits)
		}
		for text := pieces[i].literal; text != ""; {
			r, size := f.character(text)
			text = text[size:]
			f.grow()
			f.mark(r)
		}
	}
	return f
}

// grow adds a place to the run.
func (f *finder) grow() {
	if f.places%wordBits == 0 {
		f.any = append(f.any, 0)
	}
	f.places++
}

// mark makes the last place take r.
func (f *finder) mark(r rune) {
	word, bit := (f.places-1)/wordBits, uint64(1)<<((f.places-1)%wordBits)
	i := f.index(r)
	if i == 0 {
		i = len(f.marks)
		f.marks = append(f.marks, nil)
		if 0 <= r && r < utf8.RuneSelf {
			f.ascii[r] = uint16(i)
		} else {
			if f.others == nil {
				f.others = make(map[rune]int)
			}
			f.others[r] = i
		}
	}
	marks := f.marks[i]
	if n := len(marks); n > 0 && marks[n-1].word == word {
		marks[n-1].bits |= bit
		return
	}
	f.marks[i] = append(marks, mark{word, bit})
}

// index returns the index of r in marks; 0 if r is not in the run.
func (f *finder) index(r rune) int {
	if 0 <= r && r < utf8.RuneSelf {
		return int(f.ascii[r])
	}
	return f.others[r]
}

// character returns the first character of text and its length. A byte that is not UTF-8 becomes a
// negative number of its own, so that it equals only the same byte.
func (f *finder) character(text string) (rune, int) {
	if c := text[0]; c < utf8.RuneSelf {
		if f.fold {
			c = lower(c)
		}
		return rune(c), 1
	}
	r, size := utf8.DecodeRuneInString(text)
	if r == utf8.RuneError && size == 1 {
		return -rune(text[0]), 1
	}
	return r, size
}

// find returns where the first match in text ends. It adds what it cost to steps.
func (f *finder) find(text string, steps *int) (int, bool) {
	if len(f.any) == 1 {
		return f.findShort(text, steps)
	}
	var stack [2 * stackWords]uint64
	words := len(f.any)
	state, next := stack[:stackWords], stack[stackWords:]
	if words > stackWords {
		state, next = make([]uint64, words), make([]uint64, words)
	}
	state, next = state[:words], next[:words]
	last := uint64(1) << ((f.places - 1) % wordBits)
	for at := 0; at < len(text); {
		r, size := f.character(text[at:])
		at += size
		*steps += words
		carry := uint64(1) // A match may begin anywhere.
		for w, bits := range state {
			state[w] = bits<<1 | carry
			carry = bits >> (wordBits - 1)
			next[w] = state[w] & f.any[w]
		}
		for _, m := range f.marks[f.index(r)] {
			next[m.word] |= state[m.word] & m.bits
		}
		if next[words-1]&last != 0 {
			return at, true
		}
		state, next = next, state
	}
	return 0, false
}

// findShort is find for a run whose bits fit into one word.
func (f *finder) findShort(text string, steps *int) (int, bool) {
	state, last := uint64(0), uint64(1)<<(f.places-1)
	for at := 0; at < len(text); {
		r, size := f.character(text[at:])
		at += size
		*steps++
		fits := f.any[0]
		if marks := f.marks[f.index(r)]; len(marks) > 0 {
			fits |= marks[0].bits
		}
		if state = (state<<1 | 1) & fits; state&last != 0 {
			return at, true
		}
	}
	return 0, false
}
