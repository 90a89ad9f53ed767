// Package sigauth decides who sent a request: AWS Signature Version 4 and 2, and
// OBS's own signature, in every form that clients use. It verifies; it authorises
// nothing.
//
// Version 4: the Authorization header; the presigned query; and for the body a hex
// digest, UNSIGNED-PAYLOAD, and aws-chunked with signed chunks, with signed chunks
// and a signed trailer, or unsigned with a trailer. For services other than S3 the
// hash of the body is signed although no header tells it.
//
// Version 2 and OBS (HMAC-SHA-1 under the secret; OBS has x-obs- where V2 has x-amz-):
// the Authorization header and the presigned query. They sign the method,
// Content-MD5, Content-Type, the date, the headers of their prefix, bucket and path,
// and the parameters that select an operation; neither the host, nor the rest of the
// query, nor the body. Headers of the other's prefix would go unsigned, so they are
// refused. Where clients differ in what they sign, every reading that covers the same
// is accepted: see signedPaths and checkSignatureV2.
//
// Temporary credentials are an access key and a session token, which is signed like
// any header or parameter of its prefix; Keys judges it.
//
// What is signed is what was sent: the path and the query are canonicalised once,
// from their raw form, never normalised. In Version 4 the host and every x-amz-* and
// x-obs-* header of the request must be among the signed headers.
//
// A body is verified while it streams. Request.Body hands out bytes of a signed
// chunk only after its signature is verified. For the other forms it holds back
// the last bytes until everything is verified: a reader that got Size bytes without
// an error got what the client signed. Memory: one chunk of at most MaxChunkBytes
// for signed chunks, and nothing but a small buffer otherwise; a chunk's buffer
// grows only as its bytes arrive.
//
// A Verifier is safe for concurrent use; a Request belongs to one goroutine.
package sigauth
