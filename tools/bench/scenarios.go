package main

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// scenario is a row of the report. It prepares what it needs, measures once, compares the outcome with
// what was written, and removes what no other row needs.
type scenario struct {
	name    string
	what    func(plan) string
	formula formula // Empty if what it costs depends on how many operations share a commit or a page.
	run     func(ctx context.Context, r *turn) error
}

// scenarios are all rows, in the order in which they run. Rows that share objects stand together.
var scenarios = []scenario{
	put("put-64m", objects{16, 64 * mib, 4}, putFormula),
	get("get-64m", objects{16, 64 * mib, 4}, getFormula),
	rangeGet("range-get-1m", objects{16, 64 * mib, 8}, 64, mib),
	put("put-8m", objects{64, 8 * mib, 4}, putFormula),
	get("get-8m", objects{64, 8 * mib, 4}, getFormula),
	put("put-1m", objects{256, mib, 8}, putFormula),
	get("get-1m", objects{256, mib, 8}, getFormula),
	put("put-128k", objects{1000, 128 * kib, 16}, putFormula),
	get("get-128k", objects{1000, 128 * kib, 16}, getFormula),
	put("put-16k", objects{2000, 16 * kib, 16}, putFormula),
	get("get-16k", objects{2000, 16 * kib, 16}, getFormula),
	put("put-4k", objects{2000, 4 * kib, 16}, inlinePut),
	get("get-4k", objects{2000, 4 * kib, 16}, inlineGet),
	remove("delete-4k", objects{2000, 4 * kib, 16}, deleteFormula),
	put("put-4k-by-1", objects{500, 4 * kib, 1}, inlinePut),
	put("put-4k-by-8", objects{2000, 4 * kib, 8}, inlinePut),
	put("put-4k-by-64", objects{4000, 4 * kib, 64}, inlinePut),
	get("get-4k-by-1", objects{2000, 4 * kib, 1}, inlineGet),
	get("get-4k-by-8", objects{2000, 4 * kib, 8}, inlineGet),
	get("get-4k-by-64", objects{2000, 4 * kib, 64}, inlineGet),

	copyParts("copy-part", copies{objects: objects{16, 64 * mib, 4}}, referFormula),
	copyParts("copy-part-serial", copies{objects: objects{16, 64 * mib, 1}}, referFormula),
	copyParts("copy-part-to-key", copies{objects: objects{16, 64 * mib, 4}, to: keyB}, sealFormula),
	copyParts("copy-part-rekey", copies{objects: objects{16, 64 * mib, 4}, from: keyA, to: keyB}, rekeyFormula),
	copyParts("copy-part-ranges", copies{objects: objects{64, 8 * mib, 8}, unaligned: true}, referFormula),
	copyParts("copy-500-parts", copies{objects: objects{500, minPart, 8}}, referFormula),
	copyObject("copy-object-256m", objects{4, 256 * mib, 1}),
	completeParts("complete-10000", objects{10_000, minPart, 16}),

	putParts("put-part-64m", objects{16, 64 * mib, 4}),
	putSummedParts("put-part-64m-crc32", objects{16, 64 * mib, 4}, types.ChecksumAlgorithmCrc32),
	putSummedParts("put-part-64m-crc64", objects{16, 64 * mib, 4}, types.ChecksumAlgorithmCrc64nvme),

	list("list", false),
	list("list-delimiter", true),
	listUnderLoad("list-under-load", objects{1000, 4 * kib, 8}),

	putVersions("put-versions", versions{keys: 100, each: 20, clients: 16}),
	getVersions("get-versions", versions{keys: 100, each: 20, clients: 16}),
	listVersions("list-versions", versions{keys: 100, each: 20, clients: 16}),

	mixed("mixed", objects{2000, 128 * kib, 16}),
	mixed("mixed-by-64", objects{4000, 16 * kib, 64}),
}

// choose returns the rows that only names, or all if it is "", without those that skip names.
func choose(all []scenario, only, skip string) ([]scenario, error) {
	wanted, err := matching(all, "-only", only)
	if err != nil {
		return nil, err
	}
	unwanted, err := matching(all, "-skip", skip)
	if err != nil {
		return nil, err
	}
	var rows []scenario
	for _, s := range all {
		if (only == "" || wanted[s.name]) && !unwanted[s.name] {
			rows = append(rows, s)
		}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("-only and -skip leave no row; -list shows them")
	}
	return rows, nil
}

func matching(all []scenario, flag, patterns string) (map[string]bool, error) {
	found := map[string]bool{}
	for p := range strings.SplitSeq(patterns, ",") {
		if p == "" {
			continue
		}
		before := len(found)
		for _, s := range all {
			ok, err := path.Match(p, s.name)
			if err != nil {
				return nil, fmt.Errorf("%s %q: %w", flag, p, err)
			}
			if ok {
				found[s.name] = true
			}
		}
		if len(found) == before && !slices.ContainsFunc(all, func(s scenario) bool { return s.name == p }) {
			return nil, fmt.Errorf("%s %q: no such row; -list shows them", flag, p)
		}
	}
	return found, nil
}

func listRows(out io.Writer, rows []scenario, p plan) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range rows {
		fmt.Fprintf(w, "%s\t%s\n", s.name, s.what(p))
	}
	return w.Flush()
}
