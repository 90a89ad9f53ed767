package iam

import (
	"context"
	"errors"
	"fmt"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// targetLabel keeps tokens of event targets apart from other things that are sealed; it is part of
// the format.
const targetLabel = "cairn event target v1"

// EventTarget is a target of event notifications that is set for the whole cluster.
type EventTarget struct {
	ID, URL string
	Token   string // What a node shows the target to prove who it is; empty: nothing.
	// Accounts are the ids of the accounts whose buckets may name the target; none: all may.
	Accounts []string
}

// String keeps the token out of every log line and error.
func (t EventTarget) String() string { return "event target " + t.ID }

// GoString is String, for %#v.
func (t EventTarget) GoString() string { return t.String() }

// SetEventTarget sets a target for the whole cluster. It replaces the target with the same ID. The
// caller must have checked the URL.
func (a *Admin) SetEventTarget(ctx context.Context, t EventTarget) error {
	record := &metapb.EventTarget{Url: t.URL, Accounts: t.Accounts}
	if t.Token != "" {
		record.SealedToken = a.c.Keys.secret.seal(targetLabel, t.ID, []byte(t.Token))
	}
	return a.update(ctx, func(c *change) error {
		c.set(metapb.EntryKind_ENTRY_EVENT_TARGET, t.ID, record)
		return nil
	})
}

// RemoveEventTarget removes a target that SetEventTarget has set.
func (a *Admin) RemoveEventTarget(ctx context.Context, id string) error {
	return a.update(ctx, func(c *change) error {
		if c.entry(metapb.EntryKind_ENTRY_EVENT_TARGET, id) == nil {
			return errs.Newf("iam.RemoveEventTarget", errs.NotFound, "no event target %q is set for the cluster", id)
		}
		c.delete(metapb.EntryKind_ENTRY_EVENT_TARGET, id)
		return nil
	})
}

// EventTargets returns the targets that are set for the cluster, by ID. The error says what is
// wrong with those that this node cannot read; the others are returned with it.
func (k *Keys) EventTargets() (targets []EventTarget, err error) {
	for _, e := range k.directory.List(metapb.EntryKind_ENTRY_EVENT_TARGET) {
		t, failed := k.eventTarget(e)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("event target %s: %w", e.Name, failed))
			continue
		}
		targets = append(targets, t)
	}
	return targets, err
}

func (k *Keys) eventTarget(e *metapb.Entry) (EventTarget, error) {
	record := decode[metapb.EventTarget](e)
	if record == nil {
		return EventTarget{}, errors.New("its record cannot be read")
	}
	t := EventTarget{ID: e.Name, URL: record.Url, Accounts: record.Accounts}
	if len(record.SealedToken) > 0 {
		token, err := k.secret.open(targetLabel, e.Name, record.SealedToken)
		if err != nil {
			return EventTarget{}, fmt.Errorf("its token: %w", err)
		}
		t.Token = string(token)
	}
	return t, nil
}
