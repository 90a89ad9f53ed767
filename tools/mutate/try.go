package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// tally counts what became of mutants.
type tally struct{ killed, survived, explained int }

func (t *tally) add(o tally) {
	t.killed += o.killed
	t.survived += o.survived
	t.explained += o.explained
}

// A jury tries mutants and remembers its verdicts.
type jury struct {
	w         io.Writer
	dir       string
	quick     bool                // All tests are asked in their short form.
	profiles  map[string]*profile // By profileName.
	explained map[string]bool
	known     map[string]result
	results   *os.File
}

// result is a line of the file of results.
type result struct {
	Mutant  string  `json:"mutant"` // In words, for people who read the file.
	ID      string  `json:"id"`     // See mutant.id.
	Verdict verdict `json:"verdict"`
	By      string  `json:"by,omitempty"`    // The test that failed.
	Tests   string  `json:"tests,omitempty"` // If it survived: the fingerprints of the tests that did not notice it.
	Seconds float64 `json:"seconds"`
}

// A verdict is what the tests say of a mutant.
type verdict string

const (
	killed      verdict = "killed"       // A test failed, or did not end.
	survived    verdict = "survived"     // All tests that reach it passed, or no test reaches it.
	noCompiling verdict = "no compiling" // It does not compile.
)

// open reads the verdicts of earlier runs.
func (j *jury) open() (err error) {
	if j.dir, err = filepath.Abs(j.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return err
	}
	j.known = make(map[string]result)
	j.results, err = os.OpenFile(filepath.Join(j.dir, "results.jsonl"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(j.results)
	for lines.Scan() {
		var r result
		if json.Unmarshal(lines.Bytes(), &r) == nil { // The last line may have been cut off.
			j.known[r.ID] = r
		}
	}
	return lines.Err()
}

func (j *jury) close() { _ = j.results.Close() }

// try judges mutants until n of them were judged or are explained; 0: all of them.
func (j *jury) try(ctx context.Context, s suite, mutants []mutant, n int) (tally, error) {
	var t tally
	tests, err := j.prints(s)
	if err != nil {
		return t, err
	}
	for _, m := range mutants {
		if n > 0 && t.killed+t.survived+t.explained >= n {
			break
		}
		r, ok := j.known[m.id()]
		if !ok || r.Verdict == survived && r.Tests != tests && !j.explained[m.key()] {
			if r, err = j.judge(ctx, s, m); err != nil {
				return t, err
			}
			r.Tests = tests
			if err := j.remember(r); err != nil {
				return t, err
			}
		}
		switch {
		case r.Verdict == noCompiling:
		case r.Verdict == killed:
			t.killed++
		case j.explained[m.key()]:
			t.explained++
		default:
			t.survived++
			fmt.Fprintf(j.w, "SURVIVED %s\n", m)
		}
	}
	return t, nil
}

// prints returns the fingerprints of all tests of a suite.
func (j *jury) prints(s suite) (string, error) {
	var prints []string
	if j.quick {
		prints = append(prints, "short")
	}
	for _, tests := range s.tests {
		print, err := fingerprint(tests, allBroken(s))
		if err != nil {
			return "", err
		}
		prints = append(prints, print)
	}
	return strings.Join(prints, " "), nil
}

// profile reads or makes the profile of a package's tests. It is called only when these are asked,
// since making it takes a run of each test.
func (j *jury) profile(ctx context.Context, s suite, tests string) (p *profile, err error) {
	name := profileName(tests, j.short(s, tests))
	if p = j.profiles[name]; p == nil {
		if p, err = profileOf(ctx, j.w, j.dir, tests, j.short(s, tests), allBroken(s)); err == nil {
			j.profiles[name] = p
		}
	}
	return p, err
}

// short reports whether a package's tests are asked in their short form. The tests of packages that
// rest on the broken one are dear, and what the short form notices, the long form notices too.
func (j *jury) short(s suite, tests string) bool { return j.quick || tests != s.tests[0] }

func (j *jury) remember(r result) error {
	j.known[r.ID] = r
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = j.results.Write(append(b, '\n'))
	return err
}

// judge compiles the mutant in the place of its file, and runs the tests that reach it, one package
// after the other, until one fails.
func (j *jury) judge(ctx context.Context, s suite, m mutant) (r result, err error) {
	began := time.Now()
	r = result{Mutant: m.String(), ID: m.id(), Verdict: survived}
	defer func() { r.Seconds = time.Since(began).Round(100 * time.Millisecond).Seconds() }()
	dir, err := os.MkdirTemp(j.dir, "mutant-")
	if err != nil {
		return r, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := writeOverlay(dir, m)
	if err != nil {
		return r, err
	}
	for i, tests := range s.tests {
		p, err := j.profile(ctx, s, tests)
		if err != nil {
			return r, err
		}
		reaching := p.reaching(m)
		if len(reaching) == 0 && i > 0 {
			continue
		}
		binary := filepath.Join(dir, "broken.test")
		out, err := compile(ctx, binary, tests, "-overlay", overlay)
		switch {
		case ctx.Err() != nil:
			return r, ctx.Err()
		case err != nil && i == 0 && len(out) > 0:
			r.Verdict = noCompiling
			return r, nil
		case err != nil:
			return r, fmt.Errorf("go test -c %s with %s: %w\n%s", tests, m, err, out)
		}
		for _, some := range inTurns(reaching) {
			by, err := runSome(ctx, binary, tests, j.short(s, tests), some)
			if err != nil {
				return r, err
			}
			if by != "" {
				r.Verdict, r.By = killed, by
				return r, nil
			}
		}
	}
	return r, nil
}

// inTurns parts tests, the quickest first, into runs, of which each may take a few times as long as the
// one before. A process for each test would cost more than the quick tests do.
func inTurns(tests []testProfile) (turns [][]testProfile) {
	const first, times = 0.5, 3.0 // Seconds.
	most := first
	for len(tests) > 0 {
		sum, n := 0.0, 0
		for n < len(tests) && (n == 0 || sum+tests[n].Seconds <= most) {
			sum += tests[n].Seconds
			n++
		}
		turns = append(turns, tests[:n])
		tests = tests[n:]
		most = max(most, sum) * times
	}
	return turns
}

// How long tests may take before they count as not ending: this many times as long as with nothing
// broken, and so much more. It is generous because the machine may be loaded by then.
const (
	hangsFactor = 10
	hangsAfter  = 30 * time.Second
)

var (
	failedTest = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	endedBy    = regexp.MustCompile(`(?m)^(panic:|fatal error:|runtime:|goleak:|unexpected fault|signal:|SIG|FAIL).*`)
)

// runSome runs tests and returns which of them failed, or how they ended; "" if all passed.
func runSome(ctx context.Context, binary, tests string, short bool, some []testProfile) (by string, err error) {
	var names []string
	limit := hangsAfter
	for _, t := range some {
		names = append(names, t.Name)
		limit += time.Duration(hangsFactor * t.Seconds * float64(time.Second))
	}
	out, err := runTests(ctx, binary, tests, "-test.failfast", shortFlag(short), "-test.timeout", limit.String(),
		"-test.run", "^("+strings.Join(names, "|")+")$")
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err == nil:
		return "", nil
	case strings.Contains(string(out), "panic: test timed out"):
		return tests + ": does not end", nil
	}
	if failed := failedTest.FindAllSubmatch(out, -1); failed != nil {
		return tests + ": " + string(failed[len(failed)-1][1]), nil
	}
	if ended := endedBy.Find(out); ended != nil {
		return tests + ": " + oneLine(string(ended)), nil
	}
	return "", fmt.Errorf("the tests of %s did not run with %s: %w\n%s", tests, names, err, out)
}

// writeOverlay writes the broken file, and the file that tells the go command to compile it in the
// place of the original. It returns the name of the latter.
func writeOverlay(dir string, m mutant) (string, error) {
	original, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	if m.to > len(source) || string(source[m.from:m.to]) != m.old {
		return "", fmt.Errorf("%s changed while it was looked at", m.file)
	}
	broken := filepath.Join(dir, "broken.go")
	text := string(source[:m.from]) + m.new + string(source[m.to:])
	if err := os.WriteFile(broken, []byte(text), 0o600); err != nil {
		return "", err
	}
	description, err := json.Marshal(map[string]any{"Replace": map[string]string{original: broken}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, description, 0o600)
}

// readExplained reads the keys of survivors that make no difference: lines of "file | function | what |
// old text", with the reason in a comment above.
func readExplained(file string) (map[string]bool, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	keys := make(map[string]bool)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line != "" && !strings.HasPrefix(line, "#") {
			keys[line] = true
		}
	}
	return keys, lines.Err()
}
