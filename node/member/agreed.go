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

// digestBytes is how much of a digest is told. It is enough that two never agree by chance.
const digestBytes = 16

// sealKeySetting is the setting with the key that seals secrets in the metadata. The key of all
// digests is derived from it, so if it differs, all digests differ.
const sealKeySetting = "cluster-key-file"

// vitalSettings must be equal even for a node that is a member. A node with another value could not
// open what is sealed in the metadata, and nobody else could open what it seals.
var vitalSettings = []string{sealKeySetting, "kms-root-key"}

// Digests returns the digests of the settings that must be equal on every node, by name. They are
// keyed by a key that nodes derive from the cluster key. Without it a digest tells nothing about
// the value.
func Digests(key [32]byte, settings map[string][]string) map[string]string {
	digest := func(name string, values ...string) string {
		mac := hmac.New(sha256.New, key[:])
		_, _ = fmt.Fprintf(mac, "%q %q", name, values) // Quoted: different lists give different texts.
		return hex.EncodeToString(mac.Sum(nil)[:digestBytes])
	}
	out := map[string]string{sealKeySetting: digest(sealKeySetting)}
	for name, values := range settings {
		out[name] = digest(name, values...)
	}
	return out
}

// differing returns the settings for which another node has another value. A setting that the other
// node does not tell, because its release does not know it, does not count.
func (n *Self) differing(other map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(n.cfg.Settings)) {
		if theirs, told := other[name]; told && theirs != n.cfg.Settings[name] {
			out = append(out, name)
		}
	}
	if slices.Contains(out, sealKeySetting) {
		return []string{sealKeySetting} // All digests depend on it, so they say nothing more.
	}
	return out
}

// checkAgreed refuses to join with a value of a setting that none of the nodes asked has. A value
// that some of them have is let in, because an operator who changes a setting does so node by node.
// For the same reason a member may come back with a value that nobody has yet; health then tells of
// it. Vital settings are the exception. Errors: Denied; Unavailable, if no node answers and this
// one is not a member.
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
