// Package sigauth decides who sent a request. It verifies AWS Signature Version 4 and 2, and OBS's
// own signature, in every form that clients use. It does not decide what the sender may do.
//
// # Version 4
//
// It is in the Authorization header or in a presigned query. The body is signed by a hex digest;
// not at all (UNSIGNED-PAYLOAD); or as aws-chunked, with signed chunks, with signed chunks and a
// signed trailer, or unsigned with a trailer. For services other than S3 the hash of the body is
// signed although no header tells it.
//
// # Version 2 and OBS
//
// Both are an HMAC-SHA-1 under the secret, in the Authorization header or in a presigned query; OBS
// has x-obs- where Version 2 has x-amz-. They sign the method, Content-MD5, Content-Type, the date,
// the headers of their prefix, bucket and path, and the parameters that select an operation. They
// do not sign the host, the rest of the query, or the body. Headers with the prefix of the other
// scheme would not be signed, so a request with one is refused. Clients differ in what they sign:
// every reading that covers the same is accepted (see signedPaths and checkSignatureV2).
//
// # Temporary credentials
//
// They are an access key and a session token. The token is signed like any header or parameter of
// its prefix, and Keys judges it.
//
// # What is signed is what was sent
//
// Path and query are canonicalised once from the form in which they were sent, and never
// normalised. In Version 4 the signed headers must include the host and every x-amz-* and x-obs-*
// header of the request.
//
// # Bodies
//
// A body is verified while it streams. Request.Body returns bytes of a signed chunk only after the
// chunk's signature is verified. For all forms but UNSIGNED-PAYLOAD it holds back the last bytes
// until everything is verified, so a reader that got Size bytes without an error got what the
// client signed. A body of signed chunks takes the memory of one chunk, which is at most
// MaxChunkBytes and grows only as bytes arrive. Other bodies take a small buffer.
//
// A Verifier is safe for concurrent use; a Request belongs to one goroutine.
package sigauth
