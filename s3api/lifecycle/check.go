package lifecycle

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// Limits of rules.
const (
	maxPrefixBytes = 1024
	maxKeep        = 100       // The most that NewerNoncurrentVersions may be.
	maxDays        = 1_000_000 // So that the year of a date has four digits, as headers have it.
)

// Names of actions, as documents and messages have them.
const (
	actionAbort                = "AbortIncompleteMultipartUpload"
	actionExpiration           = "Expiration"
	actionTransition           = "Transition"
	actionNoncurrentExpiration = "NoncurrentVersionExpiration"
	actionNoncurrentTransition = "NoncurrentVersionTransition"
)

// Check returns what is wrong with a document that was parsed: a rule that makes no sense, alone or
// beside others. Unlike S3 it does not ask that objects stay in a class for some days.
func Check(doc *wirexml.Lifecycle) error {
	ids := make(map[string]bool, len(doc.Rules))
	for i := range doc.Rules {
		r := &doc.Rules[i]
		if r.Filter.Legacy != doc.Rules[0].Filter.Legacy {
			return s3err.InvalidRequest.Say("Either all rules have a Prefix, or all have a Filter.")
		}
		if ids[r.ID] && r.ID != "" {
			return s3err.BadArgument("ID", strconv.QuoteToASCII(r.ID),
				"Rule ID must be unique. Found same ID for more than one rule")
		}
		ids[r.ID] = true
		if err := checkRule(r); err != nil {
			return err
		}
	}
	return checkOverlap(doc)
}

func checkRule(r *wirexml.LifecycleRule) error {
	f := &r.Filter
	if len(f.Prefix) > maxPrefixBytes {
		return s3err.InvalidRequest.Say("The maximum size of a prefix is 1024.")
	}
	if f.LessThan > 0 && f.GreaterThan != nil && f.LessThan <= *f.GreaterThan {
		return s3err.InvalidRequest.Say("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.")
	}
	whole := ""
	switch {
	case r.AbortUploadDays > 0:
		whole = actionAbort
	case r.Expiration != nil && r.Expiration.DeleteMarker:
		whole = "ExpiredObjectDeleteMarker"
	}
	switch {
	case whole != "" && len(f.Tags) > 0:
		return s3err.InvalidRequest.Say(whole + " cannot be specified with Tags.")
	case whole != "" && (f.GreaterThan != nil || f.LessThan > 0):
		return s3err.InvalidRequest.Say(whole + " cannot be specified with ObjectSizeGreaterThan or ObjectSizeLessThan.")
	}
	if err := checkNumbers(r); err != nil {
		return err
	}
	if err := checkTransitions(r); err != nil {
		return err
	}
	return checkNoncurrent(r)
}

// checkNumbers bounds the days of a rule, and the versions that it keeps.
func checkNumbers(r *wirexml.LifecycleRule) error {
	days := map[string]int64{"DaysAfterInitiation": r.AbortUploadDays}
	if r.Expiration != nil {
		days["Days"] = r.Expiration.Days
	}
	for _, t := range r.Transitions {
		days["Days"] = max(days["Days"], t.Days)
	}
	var keep int64
	if r.NoncurrentExpiration != nil {
		days["NoncurrentDays"], keep = r.NoncurrentExpiration.Days, r.NoncurrentExpiration.Keep
	}
	for _, t := range r.NoncurrentTransitions {
		days["NoncurrentDays"], keep = max(days["NoncurrentDays"], t.Days), max(keep, t.Keep)
	}
	for _, name := range []string{"DaysAfterInitiation", "Days", "NoncurrentDays"} {
		if n := days[name]; n > maxDays {
			return s3err.BadArgument(name, strconv.FormatInt(n, 10), name+" must be at most 1000000.")
		}
	}
	if keep > maxKeep {
		return s3err.BadArgument("NewerNoncurrentVersions", strconv.FormatInt(keep, 10),
			"NewerNoncurrentVersions must be at most 100.")
	}
	return nil
}

// checkOverlap refuses two rules of the older form, with a Prefix of their own, that do the same to the
// same key. Filters may overlap: Due then decides which rule counts.
func checkOverlap(doc *wirexml.Lifecycle) error {
	prefixes := map[string][]string{}
	for i := range doc.Rules {
		r := &doc.Rules[i]
		if !r.Filter.Legacy {
			continue
		}
		for _, action := range actionsOf(r) {
			prefixes[action] = append(prefixes[action], r.Filter.Prefix)
		}
	}
	for _, action := range []string{actionAbort, actionExpiration, actionTransition, actionNoncurrentExpiration, actionNoncurrentTransition} {
		list := prefixes[action]
		slices.Sort(list) // Where any two overlap, two neighbours do.
		for i := 1; i < len(list); i++ {
			if strings.HasPrefix(list[i], list[i-1]) {
				return s3err.InvalidRequest.Say(fmt.Sprintf("Found overlapping prefixes '%s' and '%s' for same action type '%s'",
					printable(list[i-1]), printable(list[i]), action))
			}
		}
	}
	return nil
}

func actionsOf(r *wirexml.LifecycleRule) (actions []string) {
	for _, a := range []struct {
		name string
		has  bool
	}{{actionAbort, r.AbortUploadDays > 0}, {actionExpiration, r.Expiration != nil}, {actionTransition, len(r.Transitions) > 0},
		{actionNoncurrentExpiration, r.NoncurrentExpiration != nil}, {actionNoncurrentTransition, len(r.NoncurrentTransitions) > 0}} {
		if a.has {
			actions = append(actions, a.name)
		}
	}
	return actions
}

// printable is text as a message can have it.
func printable(s string) string { return strings.ToValidUTF8(s, "") }
