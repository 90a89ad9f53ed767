package lifecycle

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// step is a change of class on the way from warm to cold.
type step struct {
	class string // As the rule names it, and after checkSteps as Attributes has it.
	days  int64
	date  time.Time
	name  string // The name of the class in the words of the S3 API.
}

// checkTransitions refuses changes of class of current versions that are not in order: each class may
// come once, a colder one must come later, and the end after them all.
func checkTransitions(r *wirexml.LifecycleRule) error {
	steps := make([]step, len(r.Transitions))
	for i, t := range r.Transitions {
		steps[i] = step{class: t.Class, days: t.Days, date: t.Date}
		if t.Date.IsZero() != r.Transitions[0].Date.IsZero() {
			return s3err.InvalidRequest.Say("Found mixed 'Date' and 'Days' based Transition actions in lifecycle rule for prefix '" + r.Filter.Prefix + "'")
		}
	}
	if err := checkSteps(actionTransition, "Days", steps); err != nil || len(steps) == 0 {
		return err
	}
	last, e := steps[len(steps)-1], r.Expiration
	switch {
	case e == nil || e.DeleteMarker:
		return nil
	case e.Date.IsZero() != last.date.IsZero():
		return s3err.InvalidRequest.Say("Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule for prefix '" + r.Filter.Prefix + "'")
	case e.Date.IsZero() && e.Days <= last.days, !e.Date.IsZero() && !e.Date.After(last.date):
		return s3err.BadArgument("Days", strconv.FormatInt(e.Days, 10), "'Days' in the Expiration action must be greater than 'Days' in the Transition action")
	}
	return nil
}

// checkNoncurrent is checkTransitions for older versions.
func checkNoncurrent(r *wirexml.LifecycleRule) error {
	steps := make([]step, len(r.NoncurrentTransitions))
	for i, t := range r.NoncurrentTransitions {
		steps[i] = step{class: t.Class, days: t.Days}
	}
	if err := checkSteps(actionNoncurrentTransition, "NoncurrentDays", steps); err != nil || len(steps) == 0 {
		return err
	}
	if e := r.NoncurrentExpiration; e != nil && e.Days <= steps[len(steps)-1].days {
		return s3err.BadArgument("NoncurrentDays", strconv.FormatInt(e.Days, 10),
			"'NoncurrentDays' in the NoncurrentVersionExpiration action must be greater than 'NoncurrentDays' in the NoncurrentVersionTransition action")
	}
	return nil
}

// checkSteps sorts steps from warm to cold and checks their classes and times.
func checkSteps(action, unit string, steps []step) error {
	for i, s := range steps {
		class, ok := profile.StorageClass(s.class)
		if !ok || profile.Coldness(class) == 0 {
			return s3err.InvalidStorageClass.Say("'StorageClass' of a "+action+" must be STANDARD_IA or GLACIER (OBS: WARM or COLD), or another name of one of them",
				s3err.Field{Name: "StorageClassRequested", Value: strconv.QuoteToASCII(s.class)})
		}
		steps[i].name, steps[i].class = profile.S3ClassName(s.class), class
	}
	slices.SortStableFunc(steps, func(a, b step) int { return profile.Coldness(a.class) - profile.Coldness(b.class) })
	for i := 1; i < len(steps); i++ {
		warm, cold := steps[i-1], steps[i]
		switch {
		case warm.name == cold.name:
			return s3err.InvalidRequest.Say(fmt.Sprintf("'StorageClass' must be different for '%s' actions in same 'Rule'", action))
		case warm.class == cold.class: // The first of them counts.
		case warm.days >= cold.days && warm.date.IsZero(), !warm.date.IsZero() && !warm.date.Before(cold.date):
			return s3err.BadArgument(unit, strconv.FormatInt(cold.days, 10), fmt.Sprintf(
				"'%s' in the %s action for StorageClass '%s' must be greater than for StorageClass '%s'", unit, action, cold.class, warm.class))
		}
	}
	return nil
}
