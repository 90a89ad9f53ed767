package wirexml

import "github.com/cairnstore/cairn/s3api/s3err"

// Style is how answers to one client are written: the namespace of documents, the form of the
// declaration, and the codes that have another name or status than in s3err.Table. The zero Style
// has no namespace, and tells errors as the table does.
type Style struct {
	Namespace  string
	Standalone bool // The declaration says standalone="yes".
	// Codes are the codes that are told otherwise than in the table. Requests share the map, so it
	// must not be changed.
	Codes    map[s3err.Code]s3err.Telling
	Location LocationForm // The form of Location documents.
}

// Declaration returns the XML declaration, with the end of its line.
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

// Tell returns the code and the HTTP status by which an error is told.
func (s Style) Tell(e *s3err.Error) s3err.Telling {
	if t, ok := s.Codes[e.Code]; ok {
		return t
	}
	return s3err.Telling{Code: e.Code, Status: e.Status()}
}

// Render returns the status and the document of an error. It never fails, and tells nothing of the
// error's cause.
func (s Style) Render(e *s3err.Error, resource, requestID, hostID string) (status int, body []byte) {
	body = append(make([]byte, 0, 512), s.Declaration()...)
	return s.Tell(e).Status, s.AppendError(body, e, resource, requestID, hostID)
}

// AppendError appends the document of an error without the declaration, for errors after an early
// 200 whose declaration was sent. The message is that of the error's own code, whatever code is
// told, because it names the cause. Error documents have no namespace.
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

// appendSafe appends an element with text that every parser can read.
func appendSafe(dst []byte, name, text string) []byte {
	dst = appendOpen(dst, name)
	dst = appendEscaped(dst, text, false)
	return appendClose(dst, name)
}
