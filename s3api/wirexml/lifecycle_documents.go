package wirexml

import (
	"strconv"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// MaxLifecycleRules bounds how many rules a bucket may have.
const MaxLifecycleRules = 1000

// Lifecycle is the document that says what happens to a bucket's objects with time.
type Lifecycle struct{ Rules []LifecycleRule }

// LifecycleRule is one rule. If a number of days is 0, or a time is zero, the document does not
// have it, unless the field says otherwise.
type LifecycleRule struct {
	ID      string
	Enabled bool
	Filter  LifecycleFilter

	Expiration            *Expiration
	Transitions           []Transition
	NoncurrentExpiration  *NoncurrentExpiration
	NoncurrentTransitions []NoncurrentTransition
	AbortUploadDays       int64 // After the upload was created.
}

// LifecycleFilter says for which objects a rule is: those that meet every term.
type LifecycleFilter struct {
	Prefix      string
	Tags        []*metapb.Pair
	GreaterThan *int64 // Size in bytes.
	LessThan    int64  // 0: the document does not have it.
	And         bool   // The terms are in an And element, which they must be if there are several.
	Legacy      bool   // The prefix is in the rule itself and not in a Filter, as at OBS.
}

// Expiration says when current versions expire. One of its fields is set.
type Expiration struct {
	Days         int64
	Date         time.Time // Midnight UTC.
	DeleteMarker bool      // Delete markers with nothing behind them are removed.
}

// Transition says when current versions get another storage class: after Days, which may be 0, or
// at Date.
type Transition struct {
	Days  int64
	Date  time.Time
	Class string // As written.
}

// NoncurrentExpiration says when noncurrent versions are deleted.
type NoncurrentExpiration struct {
	Days int64
	Keep int64 // NewerNoncurrentVersions: this many of the newest stay; 0: the document does not have it.
}

// NoncurrentTransition says when noncurrent versions get another storage class.
type NoncurrentTransition struct {
	Days, Keep int64
	Class      string // As written.
}

// AppendXML implements Document.
func (d *Lifecycle) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "LifecycleConfiguration", ns)
	for i := range d.Rules {
		dst = d.Rules[i].append(dst)
	}
	return append(dst, "</LifecycleConfiguration>"...)
}

func (r *LifecycleRule) append(dst []byte) []byte {
	dst = append(dst, "<Rule>"...)
	dst = appendOptional(dst, "ID", r.ID)
	dst = r.Filter.append(dst)
	if r.Enabled {
		dst = appendText(dst, "Status", "Enabled")
	} else {
		dst = appendText(dst, "Status", "Disabled")
	}
	if e := r.Expiration; e != nil {
		dst = append(dst, "<Expiration>"...)
		if e.DeleteMarker {
			dst = appendBool(dst, "ExpiredObjectDeleteMarker", true)
		} else {
			dst = appendWhen(dst, e.Days, e.Date)
		}
		dst = append(dst, "</Expiration>"...)
	}
	for _, t := range r.Transitions {
		dst = appendWhen(append(dst, "<Transition>"...), t.Days, t.Date)
		dst = append(appendText(dst, "StorageClass", t.Class), "</Transition>"...)
	}
	if e := r.NoncurrentExpiration; e != nil {
		dst = appendNoncurrent(append(dst, "<NoncurrentVersionExpiration>"...), e.Days, e.Keep)
		dst = append(dst, "</NoncurrentVersionExpiration>"...)
	}
	for _, t := range r.NoncurrentTransitions {
		dst = appendNoncurrent(append(dst, "<NoncurrentVersionTransition>"...), t.Days, t.Keep)
		dst = append(appendText(dst, "StorageClass", t.Class), "</NoncurrentVersionTransition>"...)
	}
	if r.AbortUploadDays > 0 {
		dst = appendInt(append(dst, "<AbortIncompleteMultipartUpload>"...), "DaysAfterInitiation", r.AbortUploadDays)
		dst = append(dst, "</AbortIncompleteMultipartUpload>"...)
	}
	return append(dst, "</Rule>"...)
}

func appendWhen(dst []byte, days int64, date time.Time) []byte {
	if date.IsZero() {
		return appendInt(dst, "Days", days)
	}
	return appendTime(dst, "Date", date.UnixMilli())
}

func appendNoncurrent(dst []byte, days, keep int64) []byte {
	dst = appendInt(dst, "NoncurrentDays", days)
	if keep > 0 {
		dst = appendInt(dst, "NewerNoncurrentVersions", keep)
	}
	return dst
}

func (f *LifecycleFilter) append(dst []byte) []byte {
	if f.Legacy {
		return appendText(dst, "Prefix", f.Prefix)
	}
	terms := len(f.Tags)
	for _, set := range []bool{f.Prefix != "", f.GreaterThan != nil, f.LessThan > 0} {
		if set {
			terms++
		}
	}
	and := f.And || terms > 1
	dst = append(dst, "<Filter>"...)
	if and {
		dst = append(dst, "<And>"...)
	}
	if f.Prefix != "" || terms == 0 {
		dst = appendText(dst, "Prefix", f.Prefix)
	}
	dst = appendTags(dst, f.Tags)
	if f.GreaterThan != nil {
		dst = appendInt(dst, "ObjectSizeGreaterThan", *f.GreaterThan)
	}
	if f.LessThan > 0 {
		dst = appendInt(dst, "ObjectSizeLessThan", f.LessThan)
	}
	if and {
		dst = append(dst, "</And>"...)
	}
	return append(dst, "</Filter>"...)
}

// date reads the text of an element as a date. Its time must be midnight UTC, because rules may
// name no other. If the element is missing, the date is zero.
func (l leaves) date(name string) (time.Time, error) {
	text := l.word(name)
	if _, ok := l[name]; !ok {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateOnly} {
		t, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		if t = t.UTC(); !t.Equal(t.Truncate(hoursPerDay * time.Hour)) {
			return t, s3err.BadArgument(name, "", "'"+name+"' must be at midnight GMT")
		}
		return t, nil
	}
	return time.Time{}, s3err.MalformedXML.Say("The value of " + name + " must be a date such as 2026-11-22T00:00:00Z.")
}

const hoursPerDay = 24

func tooMany(what string, most int) error {
	return s3err.MalformedXML.Say("There may be at most " + strconv.Itoa(most) + " " + what + ".")
}
