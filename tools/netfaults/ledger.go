package main

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// ledger is what was acknowledged about versions, and how operations ended. Safe
// for concurrent use.
type ledger struct {
	mu       sync.Mutex
	versions map[string]string // By id: the value; empty for a delete marker.
	written  map[string]bool   // Values that somebody tried to write.
	nameless map[string]bool   // Values acknowledged without the version's id.
	counted  counts
}

// counts is how operations ended.
type counts struct {
	answered, failed, versions int
	errors                     map[string]int
}

func (c counts) minus(before counts) counts {
	c.answered -= before.answered
	c.failed -= before.failed
	c.versions -= before.versions
	return c
}

func newLedger() *ledger {
	return &ledger{versions: map[string]string{}, written: map[string]bool{}, nameless: map[string]bool{}, counted: counts{errors: map[string]int{}}}
}

// counts returns how operations have ended so far.
func (l *ledger) counts() counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counted
	c.versions = len(l.versions) + len(l.nameless)
	c.errors = maps.Clone(c.errors)
	return c
}

// ended counts an operation; kind is of its error, empty if there was none.
func (l *ledger) ended(kind string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if kind == "" {
		l.counted.answered++
		return
	}
	l.counted.failed++
	l.counted.errors[kind]++
}

// tries notes a value before it is written.
func (l *ledger) tries(value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written[value] = true
}

// made notes an acknowledged version. A Complete that took long has begun its
// answer before there was one, so the id was not told.
func (l *ledger) made(version *string, value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if version == nil {
		l.nameless[value] = true
		return
	}
	l.versions[*version] = value
}

// contradicts returns what is wrong about a version that is there.
func (l *ledger) contradicts(version, value string) (wrong []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.written[value] {
		wrong = append(wrong, fmt.Sprintf("version %s holds %q, which nobody wrote", version, value))
	}
	if told, ok := l.versions[version]; ok && told != value {
		wrong = append(wrong, fmt.Sprintf("version %s holds %q, acknowledged was %q", version, value, told))
	}
	return wrong
}

// lost returns the acknowledged versions that are not found, by id and by value.
func (l *ledger) lost(found map[string]bool, holds map[string]string) (wrong []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range slices.Sorted(maps.Keys(l.versions)) {
		if !found[v] {
			wrong = append(wrong, fmt.Sprintf("version %s (%q) was acknowledged and is gone", v, l.versions[v]))
		}
	}
	for _, value := range slices.Sorted(maps.Keys(l.nameless)) {
		if _, ok := holds[value]; !ok {
			wrong = append(wrong, fmt.Sprintf("%q was acknowledged and no version holds it", value))
		}
	}
	return wrong
}
