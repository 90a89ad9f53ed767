package profile

import (
	"net/http"

	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// Dialect is how a client talks: what it signs with, which says whose documents
// and words it expects.
type Dialect uint8

// The dialects.
const (
	DialectV4  Dialect = iota // AWS Signature V4; also a request without a signature.
	DialectV2                 // AWS Signature V2: the S3 API of the OBS books.
	DialectOBS                // OBS's own signature or x-obs-* headers: OBS's native API.
)

// ReservedHeaderName and ReservedHeaderValue are the header that OBS sends with
// every answer of its S3 API.
const (
	ReservedHeaderName  = "x-reserved"
	ReservedHeaderValue = "amazon, aws and amazon web services are trademarks or registered trademarks of Amazon Technologies, Inc"
)

// Style returns how answers are told to a client of dialect d that reached the
// endpoint of this host name, which is without bucket and port.
func (p *Profile) Style(d Dialect, endpoint string) wirexml.Style {
	s := wirexml.Style{Namespace: wirexml.Namespace, Standalone: p.XMLStandalone, Codes: p.codes(d)}
	if p.XMLNamespace == NamespaceOBS || p.XMLNamespace == NamespaceAuto && d != DialectV4 {
		s.Namespace = wirexml.OBSNamespace(endpoint)
		s.Location = locationForms[d]
	}
	return s
}

// locationForms are how clients read a bucket's location if they get OBS's namespace. Clients that sign
// with V4 read it as AWS writes it, whatever the namespace is.
var locationForms = map[Dialect]wirexml.LocationForm{
	DialectV4: wirexml.LocationAWS, DialectV2: wirexml.LocationOBS, DialectOBS: wirexml.LocationOBSNative,
}

func (p *Profile) codes(d Dialect) map[s3err.Code]s3err.Telling {
	switch {
	case p.ErrorProfile == AWS:
		return awsCodes
	case d == DialectOBS:
		return nativeCodes
	}
	return obsCodes
}

// noRoom is how OBS tells that a cluster has no room. AWS has no code for that, because it is never full.
// Under its profile the table's code and status stay: clients neither take them for a missing right nor
// try again and again.
var noRoom = s3err.Telling{Code: s3err.InsufficientStorageSpace, Status: http.StatusForbidden}

var denied = s3err.Telling{Code: s3err.AccessDenied, Status: http.StatusForbidden}

// obsCodes are the codes that the OBS book of the S3 API tells otherwise than s3err.Table. A wrong key,
// signature, clock or token is AccessDenied, as the page of every operation says. The message still
// names the cause.
var obsCodes = map[s3err.Code]s3err.Telling{
	s3err.InvalidAccessKeyID:    denied,
	s3err.SignatureDoesNotMatch: denied,
	s3err.RequestTimeTooSkewed:  denied,
	s3err.InvalidToken:          denied,
	s3err.ExpiredToken:          denied,
	s3err.InsufficientStorage:   noRoom,
	s3err.KeyTooLong:            {Code: "KeyTooLong", Status: http.StatusBadRequest},
	s3err.InvalidTag:            {Code: "InvalidTagError", Status: http.StatusBadRequest},
}

// nativeCodes are those of the book of OBS's native API.
var nativeCodes = map[s3err.Code]s3err.Telling{
	s3err.InvalidAccessKeyID:    denied,
	s3err.SignatureDoesNotMatch: denied,
	s3err.RequestTimeTooSkewed:  denied,
	s3err.InvalidToken:          denied,
	s3err.ExpiredToken:          denied,
	s3err.InsufficientStorage:   noRoom,
	s3err.InvalidTag:            {Code: "InvalidTagError", Status: http.StatusBadRequest},
	s3err.RequestTimeout:        {Code: s3err.RequestTimeout, Status: http.StatusRequestTimeout},
}

// awsCodes are those that AWS tells otherwise.
var awsCodes = map[s3err.Code]s3err.Telling{
	s3err.RequestPayerDenied:     denied,
	s3err.MalformedLoggingStatus: {Code: s3err.MalformedXML, Status: http.StatusBadRequest},
}
