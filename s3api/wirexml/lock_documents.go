package wirexml

import (
	"net/http"
	"strconv"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// Names of the modes of a retention.
const (
	modeGovernance = "GOVERNANCE"
	modeCompliance = "COMPLIANCE"
)

// Upper bounds of a default retention.
const (
	MaxRetentionDays  = 36500
	MaxRetentionYears = 100
)

// RetentionMode returns the mode with this name.
func RetentionMode(name string) (metapb.RetentionMode, bool) {
	switch name {
	case modeGovernance:
		return metapb.RetentionMode_RETENTION_GOVERNANCE, true
	case modeCompliance:
		return metapb.RetentionMode_RETENTION_COMPLIANCE, true
	}
	return 0, false
}

// RetentionModeName returns the name of a mode; empty if it is none.
func RetentionModeName(m metapb.RetentionMode) string {
	switch m {
	case metapb.RetentionMode_RETENTION_GOVERNANCE:
		return modeGovernance
	case metapb.RetentionMode_RETENTION_COMPLIANCE:
		return modeCompliance
	}
	return ""
}

// ParseTime reads a time in a form that clients use in headers and documents: ISO 8601, or a date
// of HTTP.
func ParseTime(text string) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil && t.Year() > 0 {
		return t.UTC(), true
	}
	t, err := http.ParseTime(text)
	return t.UTC(), err == nil
}

// ObjectLock is the document of a bucket's object lock.
type ObjectLock struct{ Default *metapb.DefaultRetention }

// AppendXML implements Document.
func (d *ObjectLock) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "ObjectLockConfiguration", ns)
	dst = appendText(dst, "ObjectLockEnabled", "Enabled")
	if r := d.Default; r != nil {
		dst = append(dst, "<Rule><DefaultRetention>"...)
		dst = appendText(dst, "Mode", RetentionModeName(r.GetMode()))
		if r.GetDays() > 0 {
			dst = appendUint(dst, "Days", uint64(r.GetDays()))
		} else {
			dst = appendUint(dst, "Years", uint64(r.GetYears()))
		}
		dst = append(dst, "</DefaultRetention></Rule>"...)
	}
	return append(dst, "</ObjectLockConfiguration>"...)
}

// ParseObjectLock parses an ObjectLockConfiguration. It returns the default retention; nil if there
// is none.
func ParseObjectLock(body []byte) (*metapb.DefaultRetention, error) {
	s, got := newScanner(body), leaves{}
	var retention *metapb.DefaultRetention
	err := s.document("ObjectLockConfiguration", func(name string) error {
		if name != "Rule" || retention != nil {
			return s.leaf(got, name, "ObjectLockEnabled")
		}
		return s.children(func(name string) (err error) {
			if name != "DefaultRetention" || retention != nil {
				return s.unknown(name)
			}
			retention, err = parseDefaultRetention(s)
			return err
		})
	})
	if err == nil && got.word("ObjectLockEnabled") != "Enabled" {
		err = s3err.MalformedXML.Say("ObjectLockEnabled must be Enabled.")
	}
	if err != nil {
		return nil, err
	}
	return retention, nil
}

func parseDefaultRetention(s *scanner) (*metapb.DefaultRetention, error) {
	got, err := s.leaves("Mode", "Days", "Years")
	if err != nil {
		return nil, err
	}
	mode, ok := RetentionMode(got.word("Mode"))
	_, days := got["Days"]
	_, years := got["Years"]
	if !ok || days == years {
		return nil, s3err.MalformedXML.Say("A DefaultRetention needs a Mode, GOVERNANCE or COMPLIANCE, and either Days or Years.")
	}
	name, most := "Days", int64(MaxRetentionDays)
	if years {
		name, most = "Years", MaxRetentionYears
	}
	n, err := got.number(name, 1)
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, s3err.BadArgument(name, got.word(name),
			"Default retention period too large: "+name+" may be at most "+strconv.FormatInt(most, 10)+".")
	}
	if years {
		return &metapb.DefaultRetention{Mode: mode, Years: uint32(n)}, nil
	}
	return &metapb.DefaultRetention{Mode: mode, Days: uint32(n)}, nil
}

// Retention is the document of a version's retention.
type Retention struct {
	Mode    metapb.RetentionMode
	UntilMS int64
}

// AppendXML implements Document.
func (d *Retention) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "Retention", ns)
	dst = appendText(dst, "Mode", RetentionModeName(d.Mode))
	dst = appendTime(dst, "RetainUntilDate", d.UntilMS)
	return append(dst, "</Retention>"...)
}

// ParseRetention parses a Retention. An empty one, which has no mode, ends the retention that the
// version has.
func ParseRetention(body []byte) (*metapb.Retention, error) {
	s, got := newScanner(body), leaves{}
	err := s.document("Retention", func(name string) error { return s.leaf(got, name, "Mode", "RetainUntilDate") })
	if err != nil {
		return nil, err
	}
	if len(got) == 0 {
		return &metapb.Retention{}, nil
	}
	mode, known := RetentionMode(got.word("Mode"))
	until, dated := ParseTime(got.word("RetainUntilDate"))
	if !known || !dated {
		return nil, s3err.MalformedXML.Say("A Retention needs a Mode, GOVERNANCE or COMPLIANCE, and a RetainUntilDate in ISO 8601.")
	}
	return &metapb.Retention{Mode: mode, UntilMs: until.UnixMilli()}, nil
}

// LegalHold is the document of a version's legal hold.
type LegalHold struct{ On bool }

// AppendXML implements Document.
func (d *LegalHold) AppendXML(dst []byte, ns string) []byte {
	status := "OFF"
	if d.On {
		status = "ON"
	}
	dst = appendRoot(dst, "LegalHold", ns)
	dst = appendText(dst, "Status", status)
	return append(dst, "</LegalHold>"...)
}

// ParseLegalHold parses a LegalHold.
func ParseLegalHold(body []byte) (metapb.LegalHold, error) {
	s, got := newScanner(body), leaves{}
	if err := s.document("LegalHold", func(name string) error { return s.leaf(got, name, "Status") }); err != nil {
		return 0, err
	}
	switch got.word("Status") {
	case "ON":
		return metapb.LegalHold_LEGAL_HOLD_ON, nil
	case "OFF":
		return metapb.LegalHold_LEGAL_HOLD_OFF, nil
	}
	return 0, s3err.MalformedXML.Say("The Status of a LegalHold must be ON or OFF.")
}
