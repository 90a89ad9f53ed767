package main

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
)

// customerKey is a key for SSE-C; nil is none.
type customerKey struct {
	name, key, sum string
}

func newCustomerKey(name string) *customerKey {
	k := sha256.Sum256([]byte(name))
	sum := md5.Sum(k[:])
	return &customerKey{name, base64.StdEncoding.EncodeToString(k[:]), base64.StdEncoding.EncodeToString(sum[:])}
}

var keyA, keyB = newCustomerKey("a"), newCustomerKey("b")

// own adds the headers that name the key as that of the object, and returns h.
func (k *customerKey) own(h http.Header) http.Header {
	return k.add(h, "X-Amz-Server-Side-Encryption-Customer-")
}

// source adds the headers that name the key as that of the source of a copy.
func (k *customerKey) source(h http.Header) {
	k.add(h, "X-Amz-Copy-Source-Server-Side-Encryption-Customer-")
}

func (k *customerKey) add(h http.Header, prefix string) http.Header {
	if k != nil {
		h.Set(prefix+"Algorithm", "AES256")
		h.Set(prefix+"Key", k.key)
		h.Set(prefix+"Key-Md5", k.sum)
	}
	return h
}

// String names the key in reports.
func (k *customerKey) String() string {
	if k == nil {
		return "plain"
	}
	return "key " + k.name
}
