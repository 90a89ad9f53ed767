package identity

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cairnstore/cairn/cluster/errs"
)

// maxKeys is how many keys a file may hold that nodes are believed with: a rotation
// goes from one to another.
const maxKeys = 2

// sealPrefix begins the line of a file's sealing key.
const sealPrefix = "seal "

// Keys are the keys of a node. Most have one, which is all three; see ParseKeys.
type Keys struct {
	Sign   Key   // Signs this node's certificates and encrypts its gossip.
	Accept []Key // Peers are believed with any of them; Sign is the first.
	Seal   Key   // What is sealed in the metadata is sealed under keys derived from it.
}

// OneKey returns the keys of a cluster that does not rotate them.
func OneKey(k Key) Keys { return Keys{Sign: k, Accept: []Key{k}, Seal: k} }

// ParseKeys reads the text of a cluster key file: a key, as ParseKey takes it. To
// rotate, it holds two keys in two lines, of which the first signs and both are
// accepted, and a line "seal " with the key that the cluster began with: what the
// metadata hold sealed stays sealed under that one. Empty lines and those that begin
// with # are passed over.
func ParseKeys(text string) (Keys, error) {
	const op = "identity.ParseKeys"
	var keys Keys
	sealed := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		rest, seals := strings.CutPrefix(line, sealPrefix)
		key, err := ParseKey(rest)
		switch {
		case err != nil:
			return Keys{}, err
		case seals && sealed:
			return Keys{}, errs.New(op, errs.Invalid, errors.New("the file has two lines that begin with \"seal\"; what is sealed in the metadata is sealed under one key"))
		case seals:
			keys.Seal, sealed = key, true
		default:
			keys.Accept = append(keys.Accept, key)
		}
	}
	switch n := len(keys.Accept); {
	case n == 0:
		_, err := ParseKey("")
		return Keys{}, err
	case n > maxKeys:
		return Keys{}, errs.New(op, errs.Invalid, fmt.Errorf("the file holds %d keys; at most %d are accepted at once", n, maxKeys))
	case n > 1 && !sealed:
		return Keys{}, errs.New(op, errs.Invalid, errors.New("the file holds two keys but no line \"seal KEY\" with the one that the cluster began with: "+
			"what is sealed in the metadata could not be opened"))
	}
	keys.Sign = keys.Accept[0]
	if !sealed {
		keys.Seal = keys.Sign
	}
	return keys, nil
}

// LoadKeyFile reads keys from a file. A file that others may access is refused; see
// checkAccess.
func LoadKeyFile(path string) (Keys, error) {
	const op = "identity.LoadKeyFile"
	text, err := ReadSecretFile(path)
	if err != nil {
		return Keys{}, errs.Newf(op, errs.Invalid, "cluster key file: %w", err)
	}
	keys, err := ParseKeys(text)
	if err != nil {
		return Keys{}, errs.Newf(op, errs.Invalid, "cluster key file %s: %w", path, err)
	}
	return keys, nil
}
