package wirexml

import "github.com/cairnstore/cairn/s3api/s3err"

// Render is Style.Render of the zero Style, so that errors are told as in the table.
func Render(e *s3err.Error, resource, requestID, hostID string) (status int, body []byte) {
	return Style{}.Render(e, resource, requestID, hostID)
}
