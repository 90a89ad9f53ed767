package notify

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
)

// Spec is a target as settings describe it.
type Spec struct {
	ID, URL, Token string
	// Accounts are the ids of the accounts whose buckets may name the target; none: all may.
	Accounts []string
}

// String keeps the token out of every log line and error.
func (s Spec) String() string { return s.ID + "=" + s.URL }

func (s Spec) same(o Spec) bool {
	return s.ID == o.ID && s.URL == o.URL && s.Token == o.Token && slices.Equal(s.Accounts, o.Accounts)
}

// GoString is String, for %#v.
func (s Spec) GoString() string { return s.String() }

// Registry has the targets that a node knows: those of its own settings, and those that are set for
// the whole cluster. A target of the cluster hides the node's target with the same ID. A Registry
// is safe for concurrent use.
type Registry struct {
	region string
	own    map[string]*held // By ID. It does not change.

	mu      sync.RWMutex
	cluster map[string]*held // By ID.
}

// Known is a target that a registry knows.
type Known struct {
	Spec
	ARN       string
	OfCluster bool
}

// NewRegistry returns a registry with a node's own targets. A target connects only when there is
// something to send.
func NewRegistry(region string, own []Spec) (*Registry, error) {
	r := &Registry{region: region, own: map[string]*held{}, cluster: map[string]*held{}}
	for _, s := range own {
		if r.own[s.ID] != nil {
			return nil, fmt.Errorf("there are two targets %s", s.ID)
		}
		h, err := r.open(s)
		if err != nil {
			return nil, err
		}
		r.own[s.ID] = h
	}
	return r, nil
}

func (r *Registry) open(s Spec) (*held, error) {
	if !targetName.MatchString(s.ID) {
		return nil, fmt.Errorf("%q is not an ID of up to 64 letters, digits, - and _", s.ID)
	}
	kind, t, err := open(s.URL, s.Token)
	if err != nil {
		return nil, fmt.Errorf("target %s: %w", s.ID, err)
	}
	return &held{spec: s, arn: ARN(r.region, s.ID, kind), target: t}, nil
}

// Check returns what is wrong with a target, in words for an operator; nil if nothing is.
func (r *Registry) Check(s Spec) error {
	_, err := r.open(s)
	return err
}

// SetCluster replaces the targets of the cluster. A target that stays the same keeps its
// connection. Targets that this node cannot use are left out, and the error says why.
func (r *Registry) SetCluster(targets []Spec) (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.cluster
	r.cluster = make(map[string]*held, len(targets))
	for _, s := range targets {
		if h := old[s.ID]; h != nil && h.spec.same(s) {
			r.cluster[s.ID] = h
			delete(old, s.ID)
			continue
		}
		h, failed := r.open(s)
		if failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		r.cluster[s.ID] = h
	}
	for _, h := range old {
		h.retire()
	}
	return err
}

// List returns all targets in the order of their IDs.
func (r *Registry) List() []Known {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := maps.Clone(r.own)
	maps.Copy(all, r.cluster)
	out := make([]Known, 0, len(all))
	for id, h := range all {
		out = append(out, Known{Spec: h.spec, ARN: h.arn, OfCluster: r.cluster[id] != nil})
	}
	slices.SortFunc(out, func(a, b Known) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Target returns the target with this ARN; nil if there is none.
func (r *Registry) Target(arn string) Target {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if h := r.find(arn); h != nil {
		return h
	}
	return nil
}

// find returns the target with this ARN; nil if there is none. The caller holds mu.
func (r *Registry) find(arn string) *held {
	parts := strings.Split(arn, ":") // The ID is the last part but one: see ARN.
	if len(parts) < 2 {
		return nil
	}
	id := parts[len(parts)-2]
	h := r.cluster[id]
	if h == nil {
		h = r.own[id]
	}
	if h == nil || h.arn != arn {
		return nil
	}
	return h
}

// Known reports whether there is a target with this ARN.
func (r *Registry) Known(arn string) bool { return r.Target(arn) != nil }

// Allows reports whether there is a target with this ARN that buckets of the account may name.
func (r *Registry) Allows(arn, account string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	h := r.find(arn)
	return h != nil && (len(h.spec.Accounts) == 0 || slices.Contains(h.spec.Accounts, account))
}

// Test sends a test event to the target that s describes, on a connection of its own.
func (r *Registry) Test(ctx context.Context, s Spec) error {
	h, err := r.open(s)
	if err != nil {
		return err
	}
	defer h.target.Close()
	m, err := NewMessage(&metapb.Event{Kind: metapb.EventKind_EVENT_TEST, TimeMs: time.Now().UnixMilli()})
	if err != nil {
		return err
	}
	m.ID = rand.Text() // Another one each time, so that no stream takes it for the test before.
	_, err = h.target.Send(ctx, []Message{m})
	return err
}

// Close closes all targets.
func (r *Registry) Close() {
	_ = r.SetCluster(nil)
	for _, h := range r.own {
		h.retire()
	}
}

// held is a target that can be taken away while it is used.
type held struct {
	spec    Spec
	arn     string
	mu      sync.Mutex // Held while the target is used.
	target  Target
	retired atomic.Bool
}

var _ Target = (*held)(nil)

var errRetired = errors.New("the target was changed")

// Send implements Target.
func (h *held) Send(ctx context.Context, messages []Message) (int, error) {
	h.mu.Lock()
	defer h.closeRetired()
	defer h.mu.Unlock()
	if h.retired.Load() {
		return 0, errRetired
	}
	return h.target.Send(ctx, messages)
}

// Close implements Target.
func (h *held) Close() { h.retire() }

// retire closes the target, now or when the Send that uses it ends.
func (h *held) retire() {
	h.retired.Store(true)
	h.closeRetired()
}

// closeRetired closes the target if it is retired and nobody uses it. If somebody does, that Send
// calls closeRetired when it ends.
func (h *held) closeRetired() {
	if h.retired.Load() && h.mu.TryLock() {
		h.target.Close()
		h.mu.Unlock()
	}
}
