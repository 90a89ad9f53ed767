// Package bucket has buckets with their documents: what a bucket's policy, ACL, public access
// block, ownership, CORS rules, website, logging, default encryption and storage class say, and the
// words of ACLs.
//
// A Bucket is made from a bucket's record and configuration in the metadata. Its documents are
// parsed once, and nobody changes it. A bucket whose policy or public access block cannot be read
// is Broken: only the root of its owner may do anything then.
//
// A Cache returns a bucket that has every change of which this node was told before the call.
//
// Who may do what is decided in package iam. The syntax of documents is in package wirexml. The
// operations on buckets are in packages s3api and object. Everything is safe for concurrent use.
package bucket
