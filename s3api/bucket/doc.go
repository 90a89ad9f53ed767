// Package bucket holds buckets with their documents: what a bucket's policy, ACL, public
// access block, ownership, CORS rules, website, logging, default encryption and storage
// class say, and the words in which ACLs say it.
//
// In: a bucket's record and configuration, as the metadata has them. Out: a Bucket,
// whose documents are read once and which nobody changes.
//
// A Cache answers a bucket as it is after every change that this node was told of before
// the question. What cannot be read closes: a bucket with a policy or a public access
// block that is not understood is Broken.
//
// It is not: the decision who may do what (package iam), the syntax of the documents
// (package wirexml), or the operations on buckets, which packages s3api and object have.
// Everything is safe for concurrent use.
package bucket
