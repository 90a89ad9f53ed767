package wirexml

import "github.com/cairnstore/cairn/s3api/s3err"

// Style is how answers are told to one client: which namespace documents have, how
// the declaration reads, and which codes go by another name or status than the
// table's. The zero Style has no namespace and tells errors as the table does.
type Style struct {
	Namespace  string
	Standalone bool // The declaration says standalone="yes".
	// Codes tells codes otherwise than the table; one that is not in it is told
	// as the table has it. Shared between requests: never changed.
	Codes    map[s3err.Code]s3err.Telling
	Location LocationForm // Of a Location that is told in this style.
}

// Declaration returns the XML declaration and its line's end.
func (s Style) Declaration() string {
	if s.Standalone {
		return standaloneDeclaration
	}
	return Declaration
}

// Marshal returns a whole document.
func (s Style) Marshal(d Document) []byte {
	return d.AppendXML(append(make([]byte, 0, 1024), s.Declaration()...), s.Namespace)
}

// Tell returns the code and the HTTP status that an error goes out with.
func (s Style) Tell(e *s3err.Error) s3err.Telling {
	if t, ok := s.Codes[e.Code]; ok {
		return t
	}
	return s3err.Telling{Code: e.Code, Status: e.Status()}
}

// Render returns the status and the document of an error. It never fails and tells
// nothing of the cause.
func (s Style) Render(e *s3err.Error, resource, requestID, hostID string) (status int, body []byte) {
	body = append(make([]byte, 0, 512), s.Declaration()...)
	return s.Tell(e).Status, s.AppendError(body, e, resource, requestID, hostID)
}

// AppendError appends the error's document without the declaration: for an error
// that comes after the declaration of an early 200 was sent. The message is that
// of the error's own code, whatever code is told: it names the cause. Error
// documents have no namespace.
func (s Style) AppendError(dst []byte, e *s3err.Error, resource, requestID, hostID string) []byte {
	message := e.Message
	if message == "" {
		message = s3err.Table[e.Code].Message
	}
	dst = append(dst, "<Error>"...)
	dst = appendSafe(dst, "Code", string(s.Tell(e).Code))
	dst = appendSafe(dst, "Message", message)
	for _, f := range e.Extra {
		dst = appendSafe(dst, f.Name, f.Value)
	}
	dst = appendSafe(dst, "Resource", resource)
	dst = appendSafe(dst, "RequestId", requestID)
	dst = appendSafe(dst, "HostId", hostID)
	return append(dst, "</Error>"...)
}

// appendSafe appends an element whose text every parser can read.
func appendSafe(dst []byte, name, text string) []byte {
	dst = appendOpen(dst, name)
	dst = appendEscaped(dst, text, false)
	return appendClose(dst, name)
}
