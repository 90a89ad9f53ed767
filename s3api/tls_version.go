package s3api

import (
	"crypto/tls"
	"net/http"
)

// tlsVersion returns the version of TLS that a request came over, as policies name it; empty: it
// came without.
func tlsVersion(r *http.Request) string {
	if r.TLS == nil {
		return ""
	}
	switch r.TLS.Version {
	case tls.VersionTLS12:
		return "1.2"
	case tls.VersionTLS13:
		return "1.3"
	}
	return ""
}
