package wirexml

// Declaration is the beginning of every document that is not standalone.
const Declaration = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

const standaloneDeclaration = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"

// Namespace is the namespace of S3's documents at AWS.
const Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// OBSNamespace returns the namespace of S3's documents at OBS. endpoint is the host name of the
// endpoint, without bucket and port.
func OBSNamespace(endpoint string) string { return "http://" + endpoint + "/doc/2015-06-30/" }

// Document is the body of an answer.
type Document interface {
	// AppendXML appends the root element in the namespace ns, without the declaration.
	AppendXML(dst []byte, ns string) []byte
}

// Marshal returns a whole document in the namespace ns, with everything else as in the zero Style.
func Marshal(d Document, ns string) []byte { return Style{Namespace: ns}.Marshal(d) }

// appendRoot appends the start tag of the root element.
func appendRoot(dst []byte, name, ns string) []byte {
	dst = append(dst, '<')
	dst = append(dst, name...)
	if ns != "" {
		dst = append(dst, ` xmlns="`...)
		dst = appendEscaped(dst, ns, false)
		dst = append(dst, '"')
	}
	return append(dst, '>')
}
