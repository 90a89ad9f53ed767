package wirexml

import (
	"cmp"

	"github.com/cairnstore/cairn/meta/metapb"
)

// Storage classes by the names that are stored, which are those of the S3 API.
const (
	ClassStandard   = "STANDARD"
	ClassStandardIA = "STANDARD_IA" // OBS: WARM.
	ClassGlacier    = "GLACIER"     // OBS: COLD.
)

// ClassOf returns the class for the name that a client gives; empty if there is no such class. The
// S3 API has more names than Cairn has classes. Classes that are read at once and classes that must
// be restored first stay different.
func ClassOf(name string) string {
	switch name {
	case ClassStandard, "REDUCED_REDUNDANCY":
		return ClassStandard
	case ClassStandardIA, "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR":
		return ClassStandardIA
	case ClassGlacier, "DEEP_ARCHIVE":
		return ClassGlacier
	}
	return ""
}

// ShownClass returns the name that is shown for a class: the name that the writer gave, if it still
// stands for this class, and otherwise the class's own. Both are as in metapb.Attributes.
func ShownClass(class, name string) string {
	if class = cmp.Or(class, ClassStandard); name != "" && ClassOf(name) == class {
		return name
	}
	return class
}

// ClassOfObject is ShownClass for an object with these attributes.
func ClassOfObject(a *metapb.Attributes) string {
	return ShownClass(a.GetStorageClass(), a.GetClassName())
}
