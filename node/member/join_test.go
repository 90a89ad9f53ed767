package member

import (
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/home"
)

// TestFitToJoin: what keeps a node out, and what does not. In each case the settings a and
// kms-root-key are x on all three members of the cluster.
func TestFitToJoin(t *testing.T) {
	theirs := map[string]string{"a": "x", "kms-root-key": "x", sealKeySetting: "x"}
	later := func(c *citizen) { c.w.change(c.w.gossip[0].Node, func(m *gossip.Member) { m.Era = 2 }) }
	for name, test := range map[string]struct {
		returns bool // The node is a member already.
		like    like
		then    func(*citizen)
		want    string // What keeps it out; empty: nothing does.
	}{
		"fits":              {},
		"returns":           {returns: true},
		"its clock is near": {like: ahead(maxSkew - time.Second)},
		"its clock is behind": {like: ahead(-time.Hour),
			want: "this node's clock is 1h0m0s behind the clocks of the cluster (3 nodes asked"},
		"its clock is ahead":           {like: ahead(time.Hour), want: "this node's clock is 1h0m0s ahead of the clocks"},
		"returns with a wrong clock":   {returns: true, like: ahead(time.Hour)},
		"has another setting":          {like: settings(map[string]string{"a": "y"}), want: "another value of --a than"},
		"returns with another setting": {returns: true, like: settings(map[string]string{"a": "y"})},
		"returns with another root key": {returns: true, like: settings(map[string]string{"kms-root-key": "y"}),
			want: "another value of --kms-root-key"},
		"has another cluster key": {like: settings(map[string]string{"a": "y", sealKeySetting: "y"}),
			want: "another value of --cluster-key-file than"},
		"has two other settings": {like: settings(map[string]string{"a": "y", "kms-root-key": "y"}),
			want: "another value of --a and of --kms-root-key than"},
		"has a setting that they do not know": {like: settings(map[string]string{"b": "y"})},
		"its metadata are of an earlier era": {returns: true, then: func(c *citizen) { c.server.state = true; later(c) },
			want: "(era 2), and this node's are of before that (era 0): move data/meta away"},
		"has no metadata, and takes a new era": {returns: true, then: later},
		"nobody can be asked": {then: func(c *citizen) { clear(c.w.listening) },
			want: "no node of the cluster tells its settings yet"},
		"returns, and nobody can be asked": {returns: true, then: func(c *citizen) { clear(c.w.listening) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				for range 3 {
					w.member(settings(theirs))
				}
				join := w.node
				if test.returns {
					join = w.member
				}
				likes := []like{settings(theirs)}
				if test.like != nil {
					likes = append(likes, test.like)
				}
				c := join(likes...)
				if test.then != nil {
					test.then(c)
				}
				err := c.fitToJoin(t.Context())
				if test.want == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, test.want)
				}
				newest := uint64(0)
				for _, m := range w.gossip {
					newest = max(newest, m.Era)
				}
				require.Equal(t, newest == 2 && test.want == "", c.home.Era() == 2, "it takes over the era")
			})
		})
	}
}

// TestSettingIsChanged: a value that one member already has lets a new node in.
func TestSettingIsChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.member(settings(map[string]string{"a": "old"}))
		w.member(settings(map[string]string{"a": "new"}))
		require.NoError(t, w.node(settings(map[string]string{"a": "new"})).fitToJoin(t.Context()))
		require.Error(t, w.node(settings(map[string]string{"a": "newer"})).fitToJoin(t.Context()))
	})
}

// distrusting is a network in which certificates keep everybody away.
type distrusting struct{}

func (distrusting) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}
}

// TestCertificateKeepsOut: a node that no member accepts tries again, because somebody may be
// replacing a certificate, and then ends.
func TestCertificateKeepsOut(t *testing.T) {
	w := newWorld(t)
	w.member()
	c := w.node()
	c.http.Transport = distrusting{}
	require.True(t, errs.Is(c.checkTrust(t.Context()), errs.Unavailable))
	c.http.Transport = w
	require.NoError(t, c.checkTrust(t.Context()))
	c.http.Transport = distrusting{}
	require.True(t, errs.Is(c.checkTrust(t.Context()), errs.Unavailable), "it was believed in between")
	err := c.checkTrust(t.Context())
	require.True(t, errs.Is(err, errs.Denied))
	require.ErrorContains(t, err, "no node of the cluster takes a connection with this node's certificate")
	clear(w.listening)
	c.http.Transport = w
	require.NoError(t, c.checkTrust(t.Context()), "nobody answers: that is no certificate's fault")
}

// TestClone: of two processes with one home the second is refused while the first can be reached.
// If the second has registered nevertheless, the first ends.
func TestClone(t *testing.T) {
	h, err := home.Open(vfs.NewMem(), "data")
	require.NoError(t, err)
	w := newWorld(t)
	first := w.nodeAt(h, "a:1", of("c1"))
	w.cluster = "c1"
	w.registered = []*metapb.Node{first.describe()}
	clone := func(addr string) *citizen { return w.nodeAt(h, addr) }
	check := func(c *citizen) error {
		topo, err := c.client.Topology(t.Context())
		require.NoError(t, err)
		return c.checkClone(t.Context(), topo)
	}
	require.NoError(t, check(first), "it is that process itself")
	second := clone("b:1")
	require.ErrorContains(t, check(second), "runs at a:1 already: the data directory data is a copy of that node's")
	require.NoError(t, check(clone("a:1")), "the same process was started anew: it listens there now")

	_, handler := w.member().Handler()
	w.listening["a:1"] = handler
	require.NoError(t, check(second), "another node has that address now")
	delete(w.listening, "a:1")
	require.NoError(t, check(second), "nobody is there: the node has moved")

	first.CheckOnlyRun()
	require.Empty(t, first.failed)
	w.registered = []*metapb.Node{second.describe()}
	second.CheckOnlyRun()
	require.Empty(t, second.failed)
	first.CheckOnlyRun()
	require.Equal(t, []string{"another process has joined as node " + h.ID().String() +
		", from b:1: is its data directory a copy of this one's (data)?"}, first.failed)
}

// TestRemovedEnds: a member that nobody told of its removal finds out, and ends with what a start
// would say.
func TestRemovedEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.member()
		c := w.member()
		c.checkMember(t.Context())
		require.Empty(t, c.failed)
		w.registered, w.removed = w.registered[:1], []uint64{uint64(c.home.ID())}
		w.refusal = errs.Newf("test", errs.Unavailable, "nobody leads")
		c.checkMember(t.Context())
		require.Empty(t, c.failed, "it is not told yet")
		w.refusal, w.answer = nil, &metapb.Result{Refusal: metapb.Refusal_REFUSAL_REMOVED, Detail: "removed for good"}
		c.checkMember(t.Context())
		require.Equal(t, []string{"join the cluster: node.register: denied: the cluster refuses this node: " +
			"removed for good (REFUSAL_REMOVED)"}, c.failed)
	})
}
