package member

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cairnstore/cairn/cluster/errs"
)

// digestBytes is how much of a digest is told: enough that two never agree by chance.
const digestBytes = 16

// sealKeySetting is where the key comes from that seals what the metadata hold. Where it
// differs, so do all digests.
const sealKeySetting = "cluster-key-file"

// vitalSettings must be equal even for a member. A node with another value could not open
// what is sealed in the metadata, and nobody else could open what it seals.
var vitalSettings = []string{sealKeySetting, "kms-root-key"}

// Digests returns the digests of settings that must be equal on every node, by name. A
// digest is keyed: without the key, which nodes derive from the cluster key, it tells
// nothing of the value.
func Digests(key [32]byte, settings map[string][]string) map[string]string {
	digest := func(name string, values ...string) string {
		mac := hmac.New(sha256.New, key[:])
		_, _ = fmt.Fprintf(mac, "%q %q", name, values) // Quoted: no two lists read alike. It never fails.
		return hex.EncodeToString(mac.Sum(nil)[:digestBytes])
	}
	out := map[string]string{sealKeySetting: digest(sealKeySetting)}
	for name, values := range settings {
		out[name] = digest(name, values...)
	}
	return out
}

// differing returns the settings of which another node has another value. A setting that the
// other does not tell of, because its release does not know it, does not differ.
func (n *Self) differing(other map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(n.cfg.Settings)) {
		if theirs, told := other[name]; told && theirs != n.cfg.Settings[name] {
			out = append(out, name)
		}
	}
	if slices.Contains(out, sealKeySetting) {
		return []string{sealKeySetting} // All digests are made with it.
	}
	return out
}

// checkAgreed refuses to join with a setting that no node which was asked has with the same
// value. A value that some have is let in: an operator changes it, node by node. A member
// may therefore come back with a value that nobody has yet, and health tells of it. Vital
// settings are the exception.
func (n *Self) checkAgreed(ctx context.Context, member bool) error {
	asked, alive := 0, 0
	same := map[string]bool{}
	different := map[string]bool{}
	for _, m := range n.peers.living() {
		if asked == askedPeers {
			break
		}
		alive++
		a, _, err := n.askAbout(ctx, m.RPCAddr)
		if err != nil {
			continue
		}
		asked++
		differs := n.differing(a.Settings)
		for name := range a.Settings {
			same[name] = same[name] || !slices.Contains(differs, name)
		}
		for _, name := range differs {
			different[name] = true
		}
	}
	if asked == 0 && alive > 0 && !member {
		return errs.Newf("node.join", errs.Unavailable, "no node of the cluster tells its settings yet")
	}
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(different)) {
		if !same[name] && (!member || slices.Contains(vitalSettings, name)) {
			wrong = append(wrong, "--"+name)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return errs.Newf("node.join", errs.Denied, "this node has another value of %s than the nodes of the cluster "+
		"(%d asked): it must be the same on every node; set it and start the node again",
		strings.Join(wrong, " and of "), asked)
}
