package notify

import (
	"slices"
	"strings"

	"github.com/cairnstore/cairn/meta/metapb"
)

// kindName is a kind of event and its name in rules and messages.
type kindName struct {
	kind metapb.EventKind
	name string
}

// kinds are all kinds of events that rules may ask for.
var kinds = []kindName{
	{metapb.EventKind_EVENT_PUT, "s3:ObjectCreated:Put"},
	{metapb.EventKind_EVENT_POST, "s3:ObjectCreated:Post"},
	{metapb.EventKind_EVENT_COPY, "s3:ObjectCreated:Copy"},
	{metapb.EventKind_EVENT_COMPLETE, "s3:ObjectCreated:CompleteMultipartUpload"},
	{metapb.EventKind_EVENT_DELETE, "s3:ObjectRemoved:Delete"},
	{metapb.EventKind_EVENT_DELETE_MARKER, "s3:ObjectRemoved:DeleteMarkerCreated"},
	{metapb.EventKind_EVENT_RESTORE_POST, "s3:ObjectRestore:Post"},
	{metapb.EventKind_EVENT_RESTORE_COMPLETED, "s3:ObjectRestore:Completed"},
	{metapb.EventKind_EVENT_RESTORE_DELETE, "s3:ObjectRestore:Delete"},
	{metapb.EventKind_EVENT_EXPIRATION_DELETE, "s3:LifecycleExpiration:Delete"},
	{metapb.EventKind_EVENT_EXPIRATION_MARKER, "s3:LifecycleExpiration:DeleteMarkerCreated"},
	{metapb.EventKind_EVENT_TRANSITION, "s3:LifecycleTransition"},
	{metapb.EventKind_EVENT_TAGGING_PUT, "s3:ObjectTagging:Put"},
	{metapb.EventKind_EVENT_TAGGING_DELETE, "s3:ObjectTagging:Delete"},
	{metapb.EventKind_EVENT_ACL_PUT, "s3:ObjectAcl:Put"},
}

// nameOf returns the name of a kind; empty if rules cannot ask for it.
func nameOf(k metapb.EventKind) string {
	i := slices.IndexFunc(kinds, func(n kindName) bool { return n.kind == k })
	if i < 0 {
		return ""
	}
	return kinds[i].name
}

// bitsOf returns the kinds that a name in a rule means, in the form of EventRule.Kinds; 0 if there
// is no such event. A name may end in ":*".
func bitsOf(name string) (bits uint64) {
	prefix, all := strings.CutSuffix(name, ":*")
	for _, k := range kinds {
		if k.name == name || all && strings.HasPrefix(k.name, prefix+":") {
			bits |= 1 << k.kind
		}
	}
	return bits
}
