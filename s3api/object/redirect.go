package object

import (
	"slices"

	"github.com/cairnstore/cairn/meta/metapb"
)

// RedirectHeader is the header, among an object's attributes, that says where visitors of a website
// are sent instead. A copy has the redirect that its request names, and never its source's.
const RedirectHeader = "x-amz-website-redirect-location"

// Redirect returns where an object sends visitors of a website; empty: nowhere.
func Redirect(a *metapb.Attributes) string {
	for _, h := range a.GetHeaders() {
		if h.GetName() == RedirectHeader {
			return h.GetValue()
		}
	}
	return ""
}

// setRedirect returns a with the redirect of from in place of its own. It may change a.
func setRedirect(a, from *metapb.Attributes) *metapb.Attributes {
	to := Redirect(from)
	if to == Redirect(a) {
		return a
	}
	if a == nil {
		a = &metapb.Attributes{}
	}
	a.Headers = slices.DeleteFunc(a.Headers, func(h *metapb.Pair) bool { return h.GetName() == RedirectHeader })
	if to != "" {
		a.Headers = append(a.Headers, &metapb.Pair{Name: RedirectHeader, Value: to})
	}
	return a
}
