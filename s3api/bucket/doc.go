// Package bucket holds buckets with their documents: what a bucket's policy, ACL, public
// access block, ownership, CORS rules, website, logging, default encryption and storage
// class say, and the words in which ACLs say it.
//
// In: a bucket's record and configuration, as the metadata has them. Out: a Bucket,
// whose documents are read once and which nobody changes.
//
// A Cache returns a bucket as it is after every change that this node was told of before. A bucket
// whose policy or public access block cannot be read is Broken: only its owner's root may do
// anything then.
//
// It is not: the decision who may do what (package iam), the syntax of the documents
// (package wirexml), or the operations on buckets, which packages s3api and object have.
// Everything is safe for concurrent use.
package bucket
