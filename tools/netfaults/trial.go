package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/cairnstore/cairn/node/linear"
	"github.com/cairnstore/cairn/tools/testbed"
)

const (
	bucket      = "registers"
	users       = 5
	stepTimeout = 3 * time.Minute
	shortHold   = 6 * time.Second
)

// trial is a cluster behind a network that fails, and what its clients have seen.
type trial struct {
	options
	net     *network
	bed     *testbed.Cluster
	history *linear.History
	ledger  *ledger
	rng     *rand.Rand
	steps   atomic.Int64 // How many operations all users have begun.
}

func newTrial(ctx context.Context, o options, net *network) (*trial, error) {
	if o.short {
		o.hold = min(o.hold, shortHold)
	}
	bed, err := testbed.New(testbed.Options{Bin: o.bin, Dir: o.dir, Expect: o.nodes, Network: net,
		Flags: []string{"--upkeep-interval", "1s"}})
	if err != nil {
		return nil, err
	}
	t := &trial{options: o, net: net, bed: bed, history: linear.NewHistory(), ledger: newLedger(),
		rng: rand.New(rand.NewPCG(o.seed, 0))}
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	nodes, err := bed.Start(ctx, o.nodes)
	if err != nil {
		bed.KillAll()
		return nil, err
	}
	return t, t.makeBucket(ctx, sdk(nodes[0]))
}

func (t *trial) makeBucket(ctx context.Context, c *s3.Client) error {
	if _, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		return fmt.Errorf("create a bucket: %w", err)
	}
	_, err := c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: aws.String(bucket),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	return err
}

// sdk returns an S3 client of one node. It sends each request once, so that the outcome of a request is
// either known or known to be unknown.
func sdk(n *testbed.Node) *s3.Client {
	creds := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: testbed.RootUser, SecretAccessKey: testbed.RootPassword}, nil
	})
	return s3.New(s3.Options{Region: "us-east-1", Credentials: creds, UsePathStyle: true,
		BaseEndpoint: aws.String(n.Endpoint()), HTTPClient: n.Client(), RetryMaxAttempts: 1})
}

// run deals the faults one after the other while users do operations, and then judges.
func (t *trial) run(ctx context.Context) error {
	busy, rest := context.WithCancel(ctx)
	var all sync.WaitGroup
	for i := range users {
		u := newUser(t, i)
		all.Go(func() { u.run(busy) })
	}
	err := t.strikes(ctx)
	rest()
	all.Wait()
	if healErr := t.net.heal(); err == nil {
		err = healErr
	}
	if err != nil {
		return err
	}
	return t.judge(ctx)
}

func (t *trial) strikes(ctx context.Context) error {
	for _, f := range faults() {
		switch {
		case t.short && !f.brief:
			continue
		case f.delays && !t.net.delays():
			fmt.Printf("%-42s left out: this kernel has neither netem nor %s\n", f.name, tunDevice)
			continue
		}
		if err := t.strike(ctx, f); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

// strike deals one fault, heals it, and waits until the cluster is whole.
func (t *trial) strike(ctx context.Context, f fault) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	leader, err := t.bed.Leader(ctx)
	if err != nil {
		return err
	}
	before := t.ledger.counts()
	if err := f.begin(ctx, &strike{net: t.net, leader: leader.Index, rng: t.rng, hold: t.hold}); err != nil {
		return err
	}
	if err := pause(ctx, t.hold); err != nil {
		return err
	}
	during := t.ledger.counts().minus(before)
	if err := t.net.heal(); err != nil {
		return err
	}
	healed := time.Now()
	if err := t.bed.WaitRedundant(ctx); err != nil {
		return err
	}
	fmt.Printf("%-42s %4d answered, %3d failed; whole again %4.1f s after it was healed\n",
		f.name, during.answered, during.failed, time.Since(healed).Seconds())
	return nil
}

// judge has porcupine look at the history, and compares every version that the bucket lists with what
// was acknowledged.
func (t *trial) judge(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	if err := t.history.Check(); err != nil {
		return err
	}
	c := t.ledger.counts()
	if c.answered == 0 {
		return fmt.Errorf("no operation was answered, so nothing was shown")
	}
	listed, err := t.checkVersions(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("linearizable: %d operations answered, %d of unknown outcome or refused; %d versions acknowledged, each there once with its bytes (%d listed)\n",
		c.answered, c.failed, c.versions, listed)
	for _, kind := range slices.Sorted(maps.Keys(c.errors)) {
		fmt.Printf("  %4d × %s\n", c.errors[kind], kind)
	}
	return nil
}

// checkVersions reads every version that is listed, at the nodes in turn, and compares it with the
// ledger.
func (t *trial) checkVersions(ctx context.Context) (listed int, err error) {
	nodes := t.bed.Nodes()
	found := map[string]bool{}   // The ids of versions.
	holds := map[string]string{} // The id of the version that has a value.
	var wrong []string
	pages := s3.NewListObjectVersionsPaginator(sdk(nodes[0]), &s3.ListObjectVersionsInput{Bucket: aws.String(bucket)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return listed, fmt.Errorf("list versions: %w", err)
		}
		for _, d := range page.DeleteMarkers {
			found[*d.VersionId] = true
		}
		for _, v := range page.Versions {
			listed++
			found[*v.VersionId] = true
			value, err := t.versionValue(ctx, nodes[listed%len(nodes)], *v.Key, *v.VersionId)
			if err != nil {
				return listed, err
			}
			if other, twice := holds[value]; twice {
				wrong = append(wrong, fmt.Sprintf("%s was written once and is there twice, as %s and %s", value, other, *v.VersionId))
			}
			holds[value] = *v.VersionId
			wrong = append(wrong, t.ledger.contradicts(*v.VersionId, value)...)
		}
	}
	wrong = append(wrong, t.ledger.lost(found, holds)...)
	if len(wrong) > 0 {
		return listed, fmt.Errorf("%s", strings.Join(wrong, "\n"))
	}
	return listed, nil
}

func (t *trial) versionValue(ctx context.Context, n *testbed.Node, key, version string) (value string, err error) {
	err = testbed.Until(ctx, "version "+version+" of "+key+" read", func() error {
		var why error
		value, why = read(ctx, sdk(n), key, version)
		return why
	})
	return value, err
}
