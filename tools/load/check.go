package load

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// retryPause is how long a check waits before it asks again.
const retryPause = 500 * time.Millisecond

// Checked is what a check has looked at.
type Checked struct {
	Keys    int      `json:"keys"`
	Absent  int      `json:"absent"`  // Known to hold nothing.
	Unknown int      `json:"unknown"` // Whose last write was not told; they hold one of what they may.
	Bytes   int64    `json:"bytes"`
	Wrong   []string `json:"wrong"`
}

// Check reads every key that was ever written, each byte of it, and lists them all.
// Call it after Stop. An error says that the cluster could not be asked; what it
// answered wrong is in the result.
func (l *Load) Check(ctx context.Context) (*Checked, error) {
	out := &Checked{}
	for _, c := range l.clients {
		for _, key := range slices.Sorted(maps.Keys(c.model.keys)) {
			if err := c.checkKey(ctx, key, out); err != nil {
				return out, err
			}
		}
		got, err := c.listed(ctx)
		if err != nil {
			return out, fmt.Errorf("list: %w", err)
		}
		out.note(c.model.judgeList(got))
	}
	return out, nil
}

// note keeps a mismatch and returns any other error.
func (k *Checked) note(err error) error {
	var m *Mismatch
	if errors.As(err, &m) {
		k.Wrong = append(k.Wrong, m.What)
		return nil
	}
	return err
}

// checkKey reads a key until it is answered, for each state that it may have.
func (c *client) checkKey(ctx context.Context, key string, out *Checked) error {
	e := c.model.keys[key]
	out.Keys++
	s, known := e.known()
	switch {
	case !known:
		out.Unknown++
	case !s.present:
		out.Absent++
	}
	var wrong error
	for _, s := range e.states {
		err := c.persist(ctx, func() error { return c.holds(ctx, key, s) })
		if err == nil {
			out.Bytes += s.value.Size()
			return nil
		}
		if wrong = err; !isMismatch(err) {
			return fmt.Errorf("read %s: %w", key, err)
		}
	}
	return out.note(wrong)
}

func isMismatch(err error) bool {
	var m *Mismatch
	return errors.As(err, &m)
}

// persist repeats what fails for another reason than a mismatch until ctx ends.
func (c *client) persist(ctx context.Context, f func() error) error {
	for {
		err := f()
		if err == nil || isMismatch(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryPause):
		}
	}
}

// holds returns a *Mismatch where a key does not hold s.
func (c *client) holds(ctx context.Context, key string, s state) error {
	if s.present {
		_, err := c.read(ctx, key, "", s.value)
		return err
	}
	_, err := c.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &c.cfg.Bucket, Key: &key})
	switch {
	case isNotFound(err):
		return nil
	case err == nil:
		return &Mismatch{key + ": there, its deletion was acknowledged"}
	}
	return err
}
