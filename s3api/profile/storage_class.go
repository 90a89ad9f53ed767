package profile

import "github.com/cairnstore/cairn/s3api/wirexml"

// Storage classes as they are kept: in the words of the S3 API.
const (
	ClassStandard   = wirexml.ClassStandard
	ClassStandardIA = wirexml.ClassStandardIA // OBS: WARM.
	ClassGlacier    = wirexml.ClassGlacier    // OBS: COLD.
)

// StorageClass returns the class that a client means by name: in the words of the
// S3 API or of OBS's native one, in capitals as both have them. ok is false if
// there is no such class.
func StorageClass(name string) (class string, ok bool) {
	class = wirexml.ClassOf(S3ClassName(name))
	return class, class != ""
}

// S3ClassName returns the name of a class in the words of the S3 API; one that is not
// OBS's stays as it is.
func S3ClassName(name string) string {
	switch name {
	case "WARM":
		return ClassStandardIA
	case "COLD":
		return ClassGlacier
	}
	return name
}

// ClassName returns the name of a class in the words of a dialect.
func (d Dialect) ClassName(class string) string {
	if d == DialectOBS {
		switch class {
		case ClassStandardIA:
			return "WARM"
		case ClassGlacier:
			return "COLD"
		}
	}
	return class
}

// Coldness orders the classes, as they are kept (STANDARD may be empty): lifecycle
// rules move objects from a lower number to a higher one only.
func Coldness(class string) int {
	switch class {
	case ClassStandardIA:
		return 1
	case ClassGlacier:
		return 2
	}
	return 0
}
