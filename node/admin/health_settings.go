package admin

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// checkSettings compares the settings that must be equal on every node. Nodes tell digests of their
// values, so that no secret is sent.
func (p *picture) checkSettings() (out []finding) {
	names := map[string]bool{}
	for _, r := range p.reports {
		for name := range r.GetSettings() {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if odd := p.oddOnes(name); len(odd) > 0 {
			out = append(out, finding{warning, fmt.Sprintf("%s: another --%s than on most nodes", strings.Join(odd, ", "), name),
				"it must be the same on every node: set it and restart those"})
		}
	}
	return out
}

// oddOnes returns the nodes whose value of a setting is not the one that most nodes have.
func (p *picture) oddOnes(name string) (out []string) {
	count := map[string]int{}
	answered := func(yield func(*adminpb.NodeStatus, string) bool) {
		for _, n := range p.nodes() {
			for id, r := range p.reports {
				if digest, told := r.GetSettings()[name]; told && id.String() == n.Id && !yield(n, digest) {
					return
				}
			}
		}
	}
	for _, digest := range answered {
		count[digest]++
	}
	if len(count) < 2 {
		return nil
	}
	// If two values are equally frequent, the first in order is taken, so that every answer is the same.
	most := slices.MaxFunc(slices.Sorted(maps.Keys(count)), func(a, b string) int { return cmp.Compare(count[a], count[b]) })
	for n, digest := range answered {
		if digest != most {
			out = append(out, "node "+nodeName(n))
		}
	}
	return out
}
