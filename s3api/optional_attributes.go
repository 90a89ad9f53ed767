package s3api

import (
	"strings"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// headerOptionalAttributes asks a list for more of each object.
const headerOptionalAttributes = "X-Amz-Optional-Object-Attributes"

const attributeRestoreStatus = "RestoreStatus" // The one that there is.

func checkOptionalAttributes(value string) error {
	for name := range strings.SplitSeq(value, ",") {
		if name = strings.TrimSpace(name); name != attributeRestoreStatus && name != "" {
			return s3err.BadArgument(strings.ToLower(headerOptionalAttributes), "",
				"Invalid attribute name specified: "+printable(name))
		}
	}
	return nil
}

// asksRestores reports whether a list should tell how restores stand.
func (rq *request) asksRestores() bool {
	return strings.Contains(rq.r.Header.Get(headerOptionalAttributes), attributeRestoreStatus)
}

// toShow returns the restore of a version if a list shows it: where it is asked for,
// and goes on or has not expired.
func toShow(asked bool, r *metapb.Restore, now time.Time) *metapb.Restore {
	if !asked || !r.GetOngoing() && object.WarmUntil(&metapb.Version{Restore: r}, now) == 0 {
		return nil
	}
	return r
}
