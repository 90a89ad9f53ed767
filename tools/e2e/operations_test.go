//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/tools/testbed"
)

// TestOperations does to a working cluster of six nodes in three zones what docs/operations.md tells
// operators to do: it restarts and upgrades nodes, lets voters be replaced, drains and removes.
// Meanwhile no request of the clients may fail.
func TestOperations(t *testing.T) {
	t.Parallel()
	o := &operations{level: map[*process]int{}, zones: map[*process]string{}}
	c := startClusterWith(t, opsNodes, options{
		flags: []string{"--min-part", "1MiB", "--voter-replace-after", "4s"},
		prepare: func(p *process) {
			o.level[p] = oldLevel
			o.setFlags(p)
		}})
	o.busy = c.work(4)
	chapters(t, c,
		chapter{"voters are spread over zones", o.votersSpread},
		chapter{"a node that stops serves on until balancers know", o.servesOn},
		chapter{"requests under way finish", o.finishes},
		chapter{"restart one at a time", o.restart},
		chapter{"a leader that stops hands over", o.leaderStops},
		chapter{"upgrade one at a time", o.upgrade},
		chapter{"an older version is refused", o.olderRefused},
		chapter{"a voter that is gone is replaced", o.voterReplaced},
		chapter{"refusals to drain and to remove", o.refusals},
		chapter{"the leader is drained and removed", o.leaderDrained},
	)
	o.rest(killedVoter)
	if !t.Failed() {
		o.check()
	}
}

const (
	opsNodes = 6
	opsZones = 3

	// The feature levels that nodes say they know. They stand for two releases.
	oldLevel, newLevel = 1, 2

	killedVoter = "voter killed"
)

type operations struct {
	*busy
	level map[*process]int
	zones map[*process]string // The zones of nodes that are not in the one that their number would put them in.
}

func (o *operations) zoneOf(p *process) string {
	if z := o.zones[p]; z != "" {
		return z
	}
	return fmt.Sprintf("zone%d", p.Index%opsZones+1)
}

// setFlags sets the flags that a node is started with.
func (o *operations) setFlags(p *process, more ...string) {
	p.Flags = append([]string{"--zone", o.zoneOf(p), "--pretend-feature-level", fmt.Sprint(o.level[p])}, more...)
}

// fullVoters returns nil if five nodes vote, at least one of them in each zone.
func (o *operations) fullVoters(s *testbed.Status) error {
	zones := map[string]int{}
	votes := 0
	for _, p := range o.bed.Nodes() {
		if n := s.Node(p); n != nil && n.Voter {
			zones[o.zoneOf(p)]++
			votes++
		}
	}
	if votes != 5 || len(zones) != opsZones {
		return fmt.Errorf("%d voters in zones %v", votes, zones)
	}
	return nil
}

func (o *operations) votersSpread(*testing.T) { o.until("five voters in three zones", o.fullVoters) }

// servesOn tells a node to stop that has a long --shutdown-delay. /readyz must say no, and requests
// must be answered as before.
func (o *operations) servesOn(t *testing.T) {
	p := o.nodes[0]
	o.until("health", healthy)
	o.stop(p)
	o.setFlags(p, "--shutdown-delay", "1h") // The test kills it before.
	o.start(p)
	o.waitReady(p)
	require.NoError(t, syscall.Kill(p.Pid(), syscall.SIGTERM))
	o.eventually("/readyz says no", stepTimeout, func() bool { return !p.Ready(t.Context()) })
	resp, err := http.Get(p.Endpoint() + "/readyz")
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Contains(t, string(text), "stopping")

	of := &object{key: "while-stopping", data: randomBytes(1 << 20)}
	once := onceClient(p)
	require.NoError(t, put(t.Context(), once, busyBucket, of))
	require.NoError(t, of.get(t.Context(), once, busyBucket))
	_, err = once.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: ptr(busyBucket), Key: &of.key})
	require.NoError(t, err)
	o.kill(p)
	o.setFlags(p)
	o.start(p)
	o.waitReady(p)
}

// onceClient is an SDK client of one node without retries.
func onceClient(p *process) *s3.Client {
	creds := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: rootUser, SecretAccessKey: rootPassword}, nil
	})
	return s3.New(s3.Options{Region: "us-east-1", Credentials: creds, UsePathStyle: true, Retryer: aws.NopRetryer{},
		BaseEndpoint: aws.String(p.Endpoint()), HTTPClient: &http.Client{Transport: &http.Transport{}}})
}

// gated is a body whose second half is held back until a gate opens.
type gated struct {
	*bytes.Reader
	half    int64
	reached chan struct{} // Closed when the first half was read.
	gate    chan struct{}
}

func (g *gated) Read(p []byte) (int, error) {
	if left := int64(g.Len()) - g.half; left > 0 {
		return g.Reader.Read(p[:min(int64(len(p)), left)])
	}
	select {
	case <-g.reached:
	default:
		close(g.reached)
	}
	<-g.gate
	return g.Reader.Read(p)
}

// finishes stops a node in the middle of a request. The listener must close at once, and the request
// must be served to its end.
func (o *operations) finishes(t *testing.T) {
	p := o.nodes[1]
	o.until("health", healthy)
	of := &object{key: "finished", data: randomBytes(2 << 20)}
	body := &gated{bytes.NewReader(of.data), int64(len(of.data) / 2), make(chan struct{}), make(chan struct{})}
	signed, err := s3.NewPresignClient(client(p)).PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: ptr(busyBucket), Key: &of.key})
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, signed.URL, struct{ io.Reader }{body})
	require.NoError(t, err)
	r.ContentLength = int64(len(of.data))
	// The body must not begin before the node works on the request: if nobody has accepted the
	// connection yet, it is reset when the listener closes.
	r.Header.Set("Expect", "100-continue")
	transport := &http.Transport{ExpectContinueTimeout: stepTimeout}
	defer transport.CloseIdleConnections()
	answered := make(chan error, 1)
	go func() {
		resp, err := (&http.Client{Transport: transport}).Do(r)
		if err == nil {
			if resp.StatusCode != http.StatusOK {
				err = errors.New(resp.Status)
			}
			err = errors.Join(err, resp.Body.Close())
		}
		answered <- err
	}()
	<-body.reached
	require.NoError(t, syscall.Kill(p.Pid(), syscall.SIGTERM))
	o.eventually("no more connections are taken", stepTimeout, func() bool {
		conn, err := net.DialTimeout("tcp", p.Host(), time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	close(body.gate)
	require.NoError(t, <-answered, "a request under way when its node was told to stop")
	o.stop(p)
	o.start(p)
	o.waitReady(p)
	require.NoError(t, of.get(t.Context(), client(p), busyBucket))
}

func (o *operations) restart(*testing.T) {
	o.recorder.Begin("restart one at a time")
	o.eachInTurn(nil)
}

// leaderStops stops leaders until one has handed its lead over. A leader may not come to that if the
// machine is so busy that no node answers in time.
func (o *operations) leaderStops(t *testing.T) {
	const tries = 5
	for range tries {
		o.until("health", healthy)
		leader := o.leader()
		o.stop(leader)
		said, err := leader.Log()
		require.NoError(t, err)
		o.start(leader)
		o.waitReady(leader)
		if strings.Contains(said, "leadership of the metadata handed over") {
			return
		}
		t.Logf("%s did not hand over:\n%s", leader, leader.LogTail())
	}
	t.Fatalf("none of %d leaders has handed over before it ended", tries)
}

// upgrade restarts the nodes with a version that knows a newer feature level. The cluster's level must
// rise once the last node knows it, and not before.
func (o *operations) upgrade(t *testing.T) {
	o.recorder.Begin("upgrade one at a time")
	o.eachInTurn(func(p *process) {
		for _, up := range o.up() {
			level := 0.0 // A node tells its level a moment after it is ready.
			o.eventually("the level at "+up.String(), stepTimeout, func() bool { level = o.levelAt(t, up); return level > 0 })
			require.EqualValues(t, oldLevel, level, "%s, before %s is upgraded", up, p)
		}
		o.level[p] = newLevel
		o.setFlags(p)
	})
	for _, p := range o.nodes {
		o.eventually("the new level at "+p.String(), stepTimeout, func() bool { return o.levelAt(t, p) == newLevel })
	}
}

func (o *operations) levelAt(t *testing.T, p *process) float64 {
	m, err := p.Metrics(t.Context())
	if err != nil {
		t.Logf("metrics of %s: %v", p, err)
		return -1
	}
	return m["cairn_feature_level"]
}

// olderRefused starts a member, and a new node, with the old version. Both must be refused.
func (o *operations) olderRefused(t *testing.T) {
	o.recorder.Begin("older version refused")
	member := o.nodes[opsNodes-1]
	o.until("health", healthy)
	o.stop(member)
	fresh, err := o.bed.Add(1)
	require.NoError(t, err)
	for _, p := range []*process{member, fresh[0]} {
		o.level[p] = oldLevel
		o.setFlags(p)
		o.refused(p, "knows feature level 1 at most, but the cluster is at level 2: run the version of the other nodes")
		o.level[p] = newLevel
		o.setFlags(p)
	}
	o.start(member)
	o.waitReady(member)
}

// refused runs a node that must end with status 1 and a sentence.
func (c *cluster) refused(p *process, sentence string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), stepTimeout)
	defer cancel()
	status, said, err := c.bed.Refused(ctx, p)
	require.NoError(c.t, err)
	lines := strings.Split(strings.TrimSpace(said), "\n")
	require.Contains(c.t, lines[len(lines)-1], sentence)
	require.Equal(c.t, 1, status)
}

// voterReplaced kills a voter. The sixth node must vote in its place.
func (o *operations) voterReplaced(t *testing.T) {
	o.until("health", healthy)
	o.recorder.Begin(killedVoter)
	s, err := o.status()
	require.NoError(t, err)
	i := slices.IndexFunc(o.nodes, func(p *process) bool { n := s.Node(p); return n.Voter && !n.Leader })
	victim := o.nodes[i]
	o.kill(victim)
	o.until("another votes in place of "+victim.String(), func(s *testbed.Status) error {
		if s.Node(victim).Voter {
			return errors.New("it votes still")
		}
		return o.fullVoters(s)
	})
	o.start(victim)
	o.waitReady(victim)
	o.until("health", healthy)
}

// refusals asks for what would leave data less protected, or would lose it. It must be refused.
func (o *operations) refusals(t *testing.T) {
	o.recorder.Begin("refusals")
	id := func(p *process) string {
		s, err := o.status()
		require.NoError(t, err)
		return s.Node(p).ID
	}
	refused := func(sentence string, args ...string) {
		t.Helper()
		_, err := o.cairn(args...)
		require.ErrorContains(t, err, sentence)
	}
	victim := id(o.nodes[2])
	refused("refused: 5 failure domains would be left, fewer than", "node", "drain", victim, "--yes")
	refused("refused: it is active: drain it first", "node", "remove", victim, "--yes")
	// Without a terminal and without --yes the command tells its plan and does nothing.
	refused("nowhere to go and will stay", "node", "drain", victim, "--force")
	o.recorder.Begin(killedVoter)
	o.kill(o.nodes[3])
	o.until("node 4 does not answer", func(s *testbed.Status) error {
		if !s.Finds("volume") {
			return errors.New(s.HealthReason)
		}
		return nil
	})
	refused("could bear no other loss until they are rebuilt", "node", "remove", victim, "--force")
	o.kill(o.nodes[4])
	o.until("two nodes do not answer", func(s *testbed.Status) error {
		if s.Health != "critical" || !s.Finds("volume") {
			return errors.New(s.Health + ": " + s.HealthReason)
		}
		return nil
	})
	refused("of data would be lost for good", "node", "remove", victim, "--force")
	o.start(o.nodes[3])
	o.start(o.nodes[4])
	o.waitReady(o.nodes[3:5]...)
	o.until("health", healthy)
	s, err := o.status()
	require.NoError(t, err)
	require.Equal(t, "active", s.Node(o.nodes[2]).Life)
}

// leaderDrained adds a node, and drains and removes the one that leads. The lead and the vote must move
// first, and then all slots. Once the node is removed it must not be let in again.
func (o *operations) leaderDrained(t *testing.T) {
	fresh := o.bed.Nodes()[opsNodes]
	o.recorder.Begin("the leader drained")
	leader := o.leader()
	o.zones[fresh] = o.zoneOf(leader) // With a node less, the leader's zone could not hold its share.
	o.setFlags(fresh)
	o.start(fresh)
	o.waitReady(fresh)
	leader = o.leader()
	s, err := o.status()
	require.NoError(t, err)
	id := s.Node(leader).ID
	_, err = o.cairn("node", "drain", id, "--yes")
	require.NoError(t, err)
	o.until("the drained leader neither leads nor votes", func(s *testbed.Status) error {
		if n := s.Node(leader); n.Leader || n.Voter {
			return fmt.Errorf("leads: %v, votes: %v", n.Leader, n.Voter)
		}
		return o.fullVoters(s)
	})
	require.True(t, leader.Running())
	o.until("nothing is left on it", func(s *testbed.Status) error {
		if k := s.Node(leader).Slots(); k > 0 {
			return fmt.Errorf("%d slots", k)
		}
		return nil
	})
	o.stop(leader)
	_, err = o.cairn("node", "remove", id, "--yes")
	require.NoError(t, err)
	o.refused(leader, "was removed")
	o.until("health of the others", healthy)
}
