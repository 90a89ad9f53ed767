package notify

import (
	"crypto/rand"
	"strings"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// Rules returns the rules of a document in the form of the state machine. A rule of the document
// that has no ID is given one. known reports whether there is a target with an ARN. Errors:
// *s3err.Error.
func Rules(doc *wirexml.Notification, known func(arn string) bool) (*metapb.EventRules, error) {
	rules := &metapb.EventRules{}
	ids := map[string]bool{}
	for i := range doc.Rules {
		r := &doc.Rules[i]
		if r.ID == "" {
			r.ID = rand.Text()
		}
		if ids[r.ID] {
			return nil, s3err.BadArgument("Id", r.ID, "Same ID used for multiple configurations. IDs must be unique")
		}
		ids[r.ID] = true
		if !known(r.Target) {
			return nil, s3err.BadArgument(r.Target, "The destination is no target of this cluster",
				"Unable to validate the following destination configurations")
		}
		rule := &metapb.EventRule{Id: r.ID, Target: r.Target, Prefix: r.Prefix, Suffix: r.Suffix}
		for _, name := range r.Events {
			bits := bitsOf(name)
			if bits == 0 {
				return nil, s3err.BadArgument("Event", name,
					"The event '"+name+"' is not supported for notifications")
			}
			rule.Kinds |= bits
		}
		for _, other := range rules.Rules {
			if overlap(rule, other) {
				return nil, s3err.InvalidArgument.Say("Configurations overlap. Configurations on the same bucket cannot share a common event type. : " + other.Id + ", " + rule.Id)
			}
		}
		rules.Rules = append(rules.Rules, rule)
	}
	return rules, nil
}

// overlap reports whether there can be an event of a key that both rules ask for.
func overlap(a, b *metapb.EventRule) bool {
	prefixes := strings.HasPrefix(a.Prefix, b.Prefix) || strings.HasPrefix(b.Prefix, a.Prefix)
	suffixes := strings.HasSuffix(a.Suffix, b.Suffix) || strings.HasSuffix(b.Suffix, a.Suffix)
	return a.Kinds&b.Kinds != 0 && prefixes && suffixes
}
