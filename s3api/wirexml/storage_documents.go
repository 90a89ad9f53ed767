package wirexml

import (
	"strconv"
	"strings"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// StorageClass is OBS's document of a bucket's default storage class.
type StorageClass struct {
	Class  string // The name that the client is to see.
	Native bool   // In the form of OBS's native API, and not in that of its S3 API.
}

// AppendXML implements Document.
func (d *StorageClass) AppendXML(dst []byte, ns string) []byte {
	if d.Native {
		dst = appendRoot(dst, "StorageClass", ns)
		dst = appendEscaped(dst, d.Class, true)
		return append(dst, "</StorageClass>"...)
	}
	dst = appendRoot(dst, "StoragePolicy", ns)
	dst = appendText(dst, "DefaultStorageClass", d.Class)
	return append(dst, "</StoragePolicy>"...)
}

// ParseStorageClass parses a default storage class in either form, and returns the name of the
// class as it was written. The caller must check whether there is such a class.
func ParseStorageClass(body []byte) (class string, err error) {
	const native, policy = "StorageClass", "StoragePolicy"
	s, got := newScanner(body), leaves{}
	err = s.rooted(func(root string) error {
		if root == native {
			text, err := s.text()
			class = strings.TrimSpace(text)
			return err
		}
		err := s.children(func(name string) error { return s.leaf(got, name, "DefaultStorageClass") })
		class = got.word("DefaultStorageClass")
		return err
	}, native, policy)
	if err != nil {
		return "", err
	}
	return class, nil
}

// Bounds of RestoreRequest.Days.
const (
	MinRestoreDays = 1
	MaxRestoreDays = 30
)

const (
	TierExpedited = "Expedited"
	TierStandard  = "Standard"
	TierBulk      = "Bulk"
)

// RestoreRequest is the document by which a client asks for the restore of a cold object.
type RestoreRequest struct {
	Days uint32 // How long the restored copy stays: MinRestoreDays to MaxRestoreDays.
	Tier string // TierStandard if the client has named none.
}

// ParseRestoreRequest parses a RestoreRequest. The tier may be in AWS's element
// (GlacierJobParameters) or in that of OBS's native API (RestoreJob). Days out of range are
// InvalidArgument; days that are no number, and unknown tiers, are MalformedXML.
func ParseRestoreRequest(body []byte) (*RestoreRequest, error) {
	s, got, job := newScanner(body), leaves{}, leaves(nil)
	err := s.document("RestoreRequest", func(name string) (err error) {
		switch {
		case (name == "GlacierJobParameters" || name == "RestoreJob") && job == nil:
			job, err = s.leaves("Tier")
			return err
		case name == "Type", name == "SelectParameters", name == "OutputLocation", name == "Tier":
			return s3err.NotImplemented.Say("Restores that select from the object are not supported: leave out " + name + ".")
		}
		return s.leaf(got, name, "Days", "Description")
	})
	if err != nil {
		return nil, err
	}
	days, err := strconv.ParseInt(got.word("Days"), 10, 64)
	if err != nil {
		return nil, s3err.MalformedXML.Say("A RestoreRequest needs Days, an integer.")
	}
	if days < MinRestoreDays || days > MaxRestoreDays {
		return nil, s3err.BadArgument("Days", strconv.FormatInt(days, 10),
			"restoration days should be at least 1 and at most 30")
	}
	r := &RestoreRequest{Days: uint32(days), Tier: TierStandard}
	if job != nil {
		r.Tier = job.word("Tier")
	}
	switch r.Tier {
	case TierExpedited, TierStandard, TierBulk:
		return r, nil
	}
	return nil, s3err.MalformedXML.Say("Tier must be Expedited, Standard or Bulk.")
}
