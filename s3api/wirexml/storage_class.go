package wirexml

import (
	"cmp"

	"github.com/cairnstore/cairn/meta/metapb"
)

// Storage classes as they are kept: in the words of the S3 API.
const (
	ClassStandard   = "STANDARD"
	ClassStandardIA = "STANDARD_IA" // OBS: WARM.
	ClassGlacier    = "GLACIER"     // OBS: COLD.
)

// ClassOf returns the class that a client means by name, in the words of the S3 API,
// which has more of them than Cairn has classes: those that are read at once and those
// that are restored first stay apart. Empty: there is no such class.
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

// ShownClass returns the name that a class is told by: the one that a writer gave it,
// while it has that class, else its own. Both are as Attributes has them.
func ShownClass(class, name string) string {
	if class = cmp.Or(class, ClassStandard); name != "" && ClassOf(name) == class {
		return name
	}
	return class
}

// ClassOfObject is ShownClass of what has these attributes.
func ClassOfObject(a *metapb.Attributes) string {
	return ShownClass(a.GetStorageClass(), a.GetClassName())
}
