package s3api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cairnstore/cairn/cluster/cost"
	"github.com/cairnstore/cairn/s3api/bucket"
)

// parsedPerByte is what a query or a header may allocate for each of its bytes.
const parsedPerByte = 128

// FuzzCost: what requests say in their query and headers costs no more than a bound per
// byte, whatever is repeated: parameters of lists, lists of headers, grants, tags.
func FuzzCost(f *testing.F) {
	f.Add("prefix=a", "&delimiter=b", "", uint16(900))
	f.Add("list-type=2", "&max-keys=%31", "&continuation-token=x", uint16(900))
	f.Add("", "&", "", uint16(900))
	f.Add("id=\"a\"", ", uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"", "", uint16(200))
	f.Add("a=b", "&a=b", "", uint16(900))
	f.Add("bytes=0-", "1,2-", "3", uint16(900))
	f.Add("\"a\"", ",\"b\"", "", uint16(900))
	f.Fuzz(func(t *testing.T, head, unit, tail string, times uint16) {
		text := string(cost.Repeat([]byte(head), []byte(unit), []byte(tail), times))
		text = text[:min(len(text), DefaultMaxHeaderBytes)]
		for _, parse := range []func(){
			func() {
				if q, err := parseQuery(text); err == nil {
					for i := range operations {
						_ = checkQuery(&operations[i], q)
						break
					}
				}
			},
			func() { _, _ = parseTags(text) },
			func() { _, _ = parseRange(text) },
			func() { _, _ = parseCopySource(text) },
			func() { headerList([]string{text}) },
			func() { withoutAWSChunked([]string{text, strings.ToUpper(text)}) },
			func() { _ = checkOptionalAttributes(text) },
			func() {
				h := http.Header{"If-Match": {text}, "If-None-Match": {text}, "X-Amz-Meta-A": {text}}
				_, _ = writeConditions(h)
				_, _ = parseAttributes(h)
				_, _ = bucket.ParseGrantees(text, bucket.GrantHeaders[0].Permission)
				_ = checkText(h)
			},
		} {
			cost.Allocated(t, 4*len(text), parsedPerByte, parse)
		}
	})
}
