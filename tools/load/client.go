package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
)

// Config is a load.
type Config struct {
	Endpoint       string
	HTTP           *http.Client
	Access, Secret string
	Bucket         string // Must exist; nobody else uses it.
	Seed           uint64
	Clients        int
	MaxObject      int64         // Size of the largest object, at least PartBytes.
	PartBytes      int64         // Smallest part that the cluster takes.
	KeptBytes      int64         // A client that keeps more than this deletes more than it writes.
	Pause          time.Duration // The mean pause of a client between two operations.
	OpTimeout      time.Duration // How long one operation may take, with its retries.
	Recorder       *Recorder
}

// Load is clients at work.
type Load struct {
	cfg     Config
	clients []*client
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// client is one of them.
type client struct {
	cfg    *Config
	id     int
	s3     *s3.Client
	rng    *rand.Rand
	model  *model
	values uint64 // How many sources of bytes were used so far.
	keys   int    // How many names were used so far.
}

// SDK returns an S3 client with the SDK's standard retries.
func (c *Config) SDK() *s3.Client {
	creds := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: c.Access, SecretAccessKey: c.Secret}, nil
	})
	return s3.New(s3.Options{Region: "us-east-1", Credentials: creds, UsePathStyle: true,
		BaseEndpoint: aws.String(c.Endpoint), HTTPClient: c.HTTP, Retryer: retry.NewStandard()})
}

// Start begins the work. The recorder must have a phase.
func Start(cfg Config) *Load {
	ctx, stop := context.WithCancel(context.Background())
	l := &Load{cfg: cfg, stop: stop}
	for i := range cfg.Clients {
		c := &client{cfg: &l.cfg, id: i, s3: l.cfg.SDK(), model: newModel(),
			rng: rand.New(rand.NewPCG(cfg.Seed, uint64(i)))}
		l.clients = append(l.clients, c)
		l.done.Go(func() { c.run(ctx) })
	}
	return l
}

// Stop lets every client end what it does, and waits.
func (l *Load) Stop() {
	l.stop()
	l.done.Wait()
}

// Objects returns how many keys are known to hold an object, and their bytes.
func (l *Load) Objects() (n int, bytes int64) {
	for _, c := range l.clients {
		n += len(c.model.present())
		bytes += c.model.bytes
	}
	return n, bytes
}

func (c *client) run(ctx context.Context) {
	for ctx.Err() == nil {
		c.step()
		if c.cfg.Pause > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(time.Duration(c.rng.Int64N(2 * int64(c.cfg.Pause)))):
			}
		}
	}
}

// step does one operation. The end of the load does not end it, because its outcome counts.
func (c *client) step() {
	ctx, cancel := context.WithTimeout(context.Background(), c.cfg.OpTimeout)
	defer cancel()
	present := c.model.present()
	if len(present) == 0 || c.model.bytes < c.cfg.KeptBytes/8 {
		c.put(ctx)
		return
	}
	one := present[c.rng.IntN(len(present))]
	dice := c.rng.IntN(100)
	if c.model.bytes > c.cfg.KeptBytes && dice < 40 {
		c.delete(ctx, one)
		return
	}
	switch {
	case dice < 25:
		c.put(ctx)
	case dice < 50:
		c.get(ctx, one)
	case dice < 60:
		c.getRange(ctx, one)
	case dice < 65:
		c.head(ctx, one)
	case dice < 72:
		c.list(ctx)
	case dice < 80:
		c.copyObject(ctx, one)
	case dice < 92:
		c.assemble(ctx)
	default:
		c.delete(ctx, one)
	}
}

// do runs an operation and records it.
func (c *client) do(kind string, in, out int64, f func() (attempts int, err error)) (attempts int, err error) {
	began := time.Now()
	attempts, err = f()
	c.cfg.Recorder.note(outcome{kind: kind, took: time.Since(began), attempts: attempts, in: in, out: out, err: err})
	return attempts, err
}

// attemptsOf returns how often the SDK sent a request that was answered.
func attemptsOf(m middleware.Metadata) int {
	if r, ok := retry.GetAttemptResults(m); ok {
		return len(r.Results)
	}
	return 1
}

// prefix returns the prefix of the client's keys.
func (c *client) prefix() string { return fmt.Sprintf("client-%02d/", c.id) }

// key returns a key to write to, which often was written before.
func (c *client) key(reuse bool) string {
	if present := c.model.present(); reuse && len(present) > 0 && c.rng.IntN(3) == 0 {
		if k := present[c.rng.IntN(len(present))]; !c.model.of(k).closed {
			return k
		}
	}
	c.keys++
	return fmt.Sprintf("%s%d/ü +%04d", c.prefix(), c.rng.IntN(8), c.keys)
}

// fresh returns bytes that nobody else writes.
func (c *client) fresh(size int64) Value {
	c.values++
	return Fresh(c.cfg.Seed<<40|uint64(c.id)<<32|c.values, size)
}

// size returns a size by chance. Small sizes are as frequent as large ones, and those at which
// something changes are more frequent.
func (c *client) size() int64 {
	borders := []int64{0, 1, 8 << 10, 8<<10 + 1, 64 << 10, 256<<10 + 1, 1 << 20}
	if c.rng.IntN(5) == 0 {
		return min(borders[c.rng.IntN(len(borders))], c.cfg.MaxObject)
	}
	bits := 1
	for int64(1)<<bits < c.cfg.MaxObject {
		bits++
	}
	return min(c.rng.Int64N(1<<(1+c.rng.IntN(bits))), c.cfg.MaxObject)
}
