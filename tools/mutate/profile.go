package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A profile says of each test of a package which code that may be broken it reaches, and how long it
// takes.
type profile struct {
	Of     string // Fingerprint of the tests and of the code: see fingerprint.
	Blocks []string
	Tests  []testProfile
}

type testProfile struct {
	Name    string
	Seconds float64
	Reaches []int // Indexes of Blocks.
}

// allBroken returns the packages whose code a profile covers: that of the suite and those of all
// default suites, so that one profile of a package of tests serves all of them.
func allBroken(s suite) []string {
	dirs := []string{s.dir()}
	for _, s := range suites {
		dirs = append(dirs, s.in)
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// profileOf returns the profile of a package's tests: the one that is kept in dir or, if the tests or
// the code have changed since, a new one, which it keeps there.
func profileOf(ctx context.Context, w io.Writer, dir, tests string, short bool, of []string) (*profile, error) {
	print, err := fingerprint(tests, of)
	if err != nil {
		return nil, err
	}
	name := filepath.Join(dir, profileName(tests, short)+".json")
	p := new(profile)
	if b, err := os.ReadFile(name); err == nil && json.Unmarshal(b, p) == nil && p.Of == print {
		return p, nil
	}
	fmt.Fprintf(w, "learning what the tests of %s reach\n", tests)
	if p, err = measure(ctx, dir, tests, short, of); err != nil {
		return nil, err
	}
	p.Of = print
	b, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return p, os.WriteFile(name, b, 0o600)
}

func profileName(tests string, short bool) string {
	name := "profile-" + strings.ReplaceAll(tests, "/", "-")
	if short {
		name += "-short"
	}
	return name
}

// measure runs every test by itself, with nothing broken, and returns their profile.
func measure(ctx context.Context, dir, tests string, short bool, of []string) (*profile, error) {
	binary := filepath.Join(dir, "profiled.test")
	packages := "./" + strings.Join(of, ",./")
	if out, err := compile(ctx, binary, tests, "-coverpkg", packages); err != nil {
		return nil, fmt.Errorf("go test -c %s: %w\n%s", tests, err, out)
	}
	defer func() { _ = os.Remove(binary) }()
	names, err := runTests(ctx, binary, tests, "-test.list", ".")
	if err != nil {
		return nil, err
	}
	p := new(profile)
	numbers := make(map[string]int)
	for name := range strings.FieldsSeq(string(names)) {
		if !strings.HasPrefix(name, "Test") && !strings.HasPrefix(name, "Fuzz") {
			continue
		}
		cover := filepath.Join(dir, "cover.out")
		began := time.Now()
		out, err := runTests(ctx, binary, tests, shortFlag(short), "-test.run", "^"+name+"$", "-test.timeout", "20m", "-test.coverprofile", cover)
		if err != nil {
			return nil, fmt.Errorf("%s of %s fails though nothing is broken: %w\n%s", name, tests, err, out)
		}
		t := testProfile{Name: name, Seconds: time.Since(began).Seconds()}
		b, err := os.ReadFile(cover)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(b)) {
			block, times, ok := readCover(line)
			if !ok || times == 0 {
				continue
			}
			n, known := numbers[block]
			if !known {
				n = len(p.Blocks)
				numbers[block] = n
				p.Blocks = append(p.Blocks, block)
			}
			t.Reaches = append(t.Reaches, n)
		}
		p.Tests = append(p.Tests, t)
	}
	slices.SortFunc(p.Tests, func(a, b testProfile) int { return cmp.Compare(a.Seconds, b.Seconds) })
	return p, nil
}

// readCover reads a line of a coverage profile: "module/file:from,to statements times".
func readCover(line string) (block string, times int, ok bool) {
	f := strings.Fields(line)
	if len(f) != 3 {
		return "", 0, false
	}
	times, err := strconv.Atoi(f[2])
	return strings.TrimPrefix(f[0], module), times, err == nil
}

const module = "github.com/cairnstore/cairn/"

// reaching returns the tests that reach a mutant, the quickest first.
func (p *profile) reaching(m mutant) []testProfile {
	var holds []int
	for i, block := range p.Blocks {
		if blockHolds(block, m) {
			holds = append(holds, i)
		}
	}
	var out []testProfile
	for _, t := range p.Tests {
		if slices.ContainsFunc(holds, func(i int) bool { return slices.Contains(t.Reaches, i) }) {
			out = append(out, t)
		}
	}
	return out
}

// blockHolds reports whether a block, "file:line.column,line.column", holds the mutant. A block ends
// where the braces after it begin, so a condition belongs to the block before it. The values of a case
// stand between blocks, and any test of their function may look at them. So they belong to all blocks
// of it.
func blockHolds(block string, m mutant) bool {
	file, span, ok := strings.Cut(block, ":")
	if !ok || file != m.file {
		return false
	}
	from, to, _ := strings.Cut(span, ",")
	at := [2]int{m.line, m.column}
	first, last := position(from), position(to)
	if m.loose {
		return m.around[0] <= first[0] && last[0] <= m.around[1]
	}
	return slices.Compare(first[:], at[:]) <= 0 && slices.Compare(at[:], last[:]) <= 0
}

func position(s string) [2]int {
	line, column, _ := strings.Cut(s, ".")
	l, _ := strconv.Atoi(line)
	c, _ := strconv.Atoi(column)
	return [2]int{l, c}
}

// fingerprint returns a hash of all files of a package of tests, and of the code that may be broken.
func fingerprint(tests string, of []string) (string, error) {
	var files []string
	for _, dir := range of {
		found, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			return "", err
		}
		for _, f := range found {
			if !strings.HasSuffix(f, "_test.go") {
				files = append(files, f)
			}
		}
	}
	found, err := filepath.Glob(filepath.Join(tests, "*.go"))
	if err != nil {
		return "", err
	}
	files = append(files, found...)
	slices.Sort(files)
	h := sha256.New()
	for _, f := range slices.Compact(files) {
		b, err := os.ReadFile(f)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n", f, len(b))
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

// compile makes the binary of a package's tests. It leaves out what only debuggers need, which makes
// linking a few times as fast.
func compile(ctx context.Context, binary, tests string, more ...string) ([]byte, error) {
	args := append([]string{"test", "-c", "-vet=off", "-tags", "invariants", "-ldflags=-s -w", "-o", binary}, more...)
	c := exec.CommandContext(ctx, "go", append(args, "./"+tests)...)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	return c.CombinedOutput()
}

func shortFlag(short bool) string { return fmt.Sprintf("-test.short=%v", short) }

// memoryKiB is how much address space tests may have, because broken code may allocate without end.
const memoryKiB = 8 << 20

// runTests runs a binary of tests in the folder of its package, and returns its output.
func runTests(ctx context.Context, binary, tests string, args ...string) ([]byte, error) {
	script := fmt.Sprintf(`ulimit -v %d; exec "$@"`, memoryKiB)
	c := exec.CommandContext(ctx, "sh", append([]string{"-c", script, "sh", binary}, args...)...)
	c.Dir = tests
	c.Env = append(os.Environ(), "TMPDIR="+filepath.Dir(binary))
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return out.Bytes(), err
}
