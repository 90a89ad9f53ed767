package profile

// Storage classes as they are kept: in the words of the S3 API.
const (
	ClassStandard   = "STANDARD"
	ClassStandardIA = "STANDARD_IA" // OBS: WARM.
	ClassGlacier    = "GLACIER"     // OBS: COLD.
)

// StorageClass returns the class that a client means by name: in the words of the
// S3 API or of OBS's native one, in capitals as both have them. ok is false if
// there is no such class.
func StorageClass(name string) (class string, ok bool) {
	switch name {
	case ClassStandard, ClassStandardIA, ClassGlacier:
		return name, true
	case "WARM":
		return ClassStandardIA, true
	case "COLD":
		return ClassGlacier, true
	}
	return "", false
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
