package wirexml

import (
	"slices"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// maxRuleIDRunes bounds the ID of a lifecycle rule.
const maxRuleIDRunes = 255

// maxTransitions bounds the transitions of each kind in a rule. There are fewer storage classes
// than that.
const maxTransitions = 16

// ParseLifecycle parses a LifecycleConfiguration of 1 to MaxLifecycleRules rules, each with a
// status and at least one action. The caller must check by lifecycle.Check whether the rules make
// sense together: that classes exist, IDs and prefixes differ, and days are in order.
func ParseLifecycle(body []byte) (*Lifecycle, error) {
	s, d := newScanner(body), &Lifecycle{}
	err := s.document("LifecycleConfiguration", func(name string) error {
		if name != "Rule" {
			return s.unknown(name)
		}
		if len(d.Rules) == MaxLifecycleRules {
			return tooMany("lifecycle rules", MaxLifecycleRules)
		}
		r, err := parseLifecycleRule(s)
		d.Rules = append(d.Rules, r)
		return err
	})
	if err == nil && len(d.Rules) == 0 {
		err = s3err.MalformedXML.Say("You must specify at least one Rule.")
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

func parseLifecycleRule(s *scanner) (r LifecycleRule, err error) {
	got := leaves{}
	err = s.children(func(name string) error {
		switch name {
		case "ID", "Status", "Prefix":
			return s.leaf(got, name, name)
		case "Transition", "NoncurrentVersionTransition":
		default: // At most one of each other element.
			if _, twice := got[name]; twice {
				return s.unknown(name)
			}
			got[name] = ""
		}
		return r.parseElement(s, name)
	})
	if err != nil {
		return r, err
	}
	r.ID = got["ID"]
	if prefix, ok := got["Prefix"]; ok {
		if _, both := got["Filter"]; both {
			return r, s3err.MalformedXML.Say("A Rule has a Prefix or a Filter, not both.")
		}
		r.Filter = LifecycleFilter{Prefix: prefix, Legacy: true}
	} else if _, ok := got["Filter"]; !ok {
		return r, s3err.MalformedXML.Say("A Rule needs a Filter or a Prefix.")
	}
	return r, r.check(got.word("Status"))
}

func (r *LifecycleRule) check(status string) error {
	r.Enabled = status == "Enabled"
	switch {
	case !r.Enabled && status != "Disabled":
		return s3err.MalformedXML.Say("Status of a Rule must be Enabled or Disabled.")
	case len([]rune(r.ID)) > maxRuleIDRunes:
		return s3err.BadArgument("ID", "", "ID length should not exceed allowed limit of 255")
	case r.Expiration == nil && r.NoncurrentExpiration == nil && r.AbortUploadDays == 0 && len(r.Transitions)+len(r.NoncurrentTransitions) == 0:
		return s3err.InvalidRequest.Say("At least one action needs to be specified in a rule.")
	}
	return nil
}

func (r *LifecycleRule) parseElement(s *scanner, name string) (err error) {
	switch name {
	case "Filter":
		r.Filter, err = parseLifecycleFilter(s)
	case "Expiration":
		r.Expiration, err = parseExpiration(s)
	case "Transition":
		if len(r.Transitions) == maxTransitions {
			return tooMany("Transitions in a Rule", maxTransitions)
		}
		var t Transition
		t, err = parseTransition(s)
		r.Transitions = append(r.Transitions, t)
	case "NoncurrentVersionExpiration":
		r.NoncurrentExpiration = &NoncurrentExpiration{}
		r.NoncurrentExpiration.Days, r.NoncurrentExpiration.Keep, _, err = parseNoncurrent(s)
	case "NoncurrentVersionTransition":
		if len(r.NoncurrentTransitions) == maxTransitions {
			return tooMany("NoncurrentVersionTransitions in a Rule", maxTransitions)
		}
		var t NoncurrentTransition
		t.Days, t.Keep, t.Class, err = parseNoncurrent(s, "StorageClass")
		r.NoncurrentTransitions = append(r.NoncurrentTransitions, t)
	case "AbortIncompleteMultipartUpload":
		var got leaves
		if got, err = s.leaves("DaysAfterInitiation"); err == nil {
			r.AbortUploadDays, err = got.needed("DaysAfterInitiation", 1)
		}
	default:
		return s.unknown(name)
	}
	return err
}

// needed is number, but the element must be there.
func (l leaves) needed(name string, least int64) (int64, error) {
	if _, ok := l[name]; !ok {
		return 0, s3err.MalformedXML.Say(name + " is missing.")
	}
	return l.number(name, least)
}

// parseLifecycleFilter parses a Filter, which has one term, or And with several.
func parseLifecycleFilter(s *scanner) (f LifecycleFilter, err error) {
	terms, and := 0, false
	got := leaves{}
	term := func(name string) error {
		terms++
		if name == "Tag" {
			t, err := parseTag(s)
			f.Tags = append(f.Tags, t)
			return err
		}
		return s.leaf(got, name, "Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan")
	}
	err = s.children(func(name string) error {
		if name == "And" && !and && terms == 0 {
			and = true
			return s.children(term)
		}
		if and {
			return s.unknown(name)
		}
		return term(name)
	})
	if err != nil {
		return f, err
	}
	if terms > 1 && !and {
		return f, s3err.MalformedXML.Say("A Filter of several terms needs And around them.")
	}
	f.Prefix, f.And = got["Prefix"], and
	if _, ok := got["ObjectSizeGreaterThan"]; ok {
		n, err := got.number("ObjectSizeGreaterThan", 0)
		if err != nil {
			return f, err
		}
		f.GreaterThan = &n
	}
	if f.LessThan, err = got.number("ObjectSizeLessThan", 1); err != nil {
		return f, err
	}
	return f, CheckTags(f.Tags, MaxObjectTags)
}

func parseExpiration(s *scanner) (*Expiration, error) {
	got, err := s.leaves("Days", "Date", "ExpiredObjectDeleteMarker")
	if err != nil {
		return nil, err
	}
	if len(got) != 1 {
		return nil, s3err.MalformedXML.Say("An Expiration has one of Days, Date and ExpiredObjectDeleteMarker.")
	}
	e := &Expiration{}
	if e.Days, err = got.number("Days", 1); err != nil {
		return nil, err
	}
	if e.Date, err = got.date("Date"); err != nil {
		return nil, err
	}
	e.DeleteMarker, err = got.flag("ExpiredObjectDeleteMarker")
	if err == nil && *e == (Expiration{}) {
		err = s3err.MalformedXML.Say("ExpiredObjectDeleteMarker must be true.")
	}
	return e, err
}

func parseTransition(s *scanner) (t Transition, err error) {
	got, err := s.leaves("Days", "Date", "StorageClass")
	if err != nil {
		return t, err
	}
	_, days := got["Days"]
	if _, date := got["Date"]; days == date {
		return t, s3err.MalformedXML.Say("A Transition has either Days or Date.")
	}
	if t.Days, err = got.number("Days", 0); err != nil {
		return t, err
	}
	if t.Date, err = got.date("Date"); err != nil {
		return t, err
	}
	t.Class, err = got.class()
	return t, err
}

func (l leaves) class() (string, error) {
	class := l.word("StorageClass")
	if class == "" {
		return "", s3err.MalformedXML.Say("StorageClass is missing.")
	}
	return class, nil
}

// parseNoncurrent parses the elements that all rules about noncurrent versions have, and those
// named by more.
func parseNoncurrent(s *scanner, more ...string) (days, keep int64, class string, err error) {
	got, err := s.leaves(slices.Concat([]string{"NoncurrentDays", "NewerNoncurrentVersions"}, more)...)
	if err != nil {
		return 0, 0, "", err
	}
	least := int64(1) - int64(len(more)) // 0 for a transition, which may be made at once.
	if days, err = got.needed("NoncurrentDays", least); err != nil {
		return 0, 0, "", err
	}
	if keep, err = got.number("NewerNoncurrentVersions", 1); err != nil || len(more) == 0 {
		return days, keep, "", err
	}
	class, err = got.class()
	return days, keep, class, err
}
