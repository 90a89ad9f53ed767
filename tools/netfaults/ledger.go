package main

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// ledger keeps which versions were acknowledged, and how operations ended. Several goroutines may use
// it.
type ledger struct {
	mu       sync.Mutex
	versions map[string]string // The values, by the id of their version. Empty for a delete marker.
	written  map[string]bool   // The values that somebody tried to write.
	nameless map[string]bool   // The values that were acknowledged without the id of their version.
	counted  counts
}

// counts says how operations ended.
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

// counts returns how operations have ended so far. The caller may keep it.
func (l *ledger) counts() counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counted
	c.versions = len(l.versions) + len(l.nameless)
	c.errors = maps.Clone(c.errors)
	return c
}

// ended counts an operation. kind is that of its error, and empty if there was none.
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

// tries notes a value. It must be called before the value is written, because a write may have its
// effect even if it fails.
func (l *ledger) tries(value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written[value] = true
}

// made notes a version that was acknowledged. version is nil if the answer did not tell its id: a
// Complete that takes long begins its answer before there is a version.
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

// lost returns what is wrong about acknowledged versions that were not found: found has the ids that
// are there, and holds the values.
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
