package wirexml

import "github.com/cairnstore/cairn/s3api/s3err"

// Render is Style.Render in the plain style: as the table has it.
func Render(e *s3err.Error, resource, requestID, hostID string) (status int, body []byte) {
	return Style{}.Render(e, resource, requestID, hostID)
}
