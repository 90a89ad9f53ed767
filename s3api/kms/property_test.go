package kms

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/sse"
)

// TestKeysAgainstModel drives two nodes with one directory. Whatever was wrapped opens on either
// node exactly as long as its key is enabled.
func TestKeysAgainstModel(t *testing.T) {
	type envelope struct {
		id, context string
		e           *metapb.Envelope
		d           *sse.DataKey
	}
	rapid.Check(t, func(t *rapid.T) {
		ctx, dir := context.Background(), newFakeDirectory()
		cfg := Config{Region: region, Root: testRoot(1), MinDeletionDays: -1}
		if rapid.Bool().Draw(t, "external") {
			cfg.External = newFakeExternal()
		}
		nodes := []*Service{New(dir, cfg), New(dir, cfg)}
		defer nodes[0].Close()
		defer nodes[1].Close()
		states := map[string]string{} // Of keys; gone when purged.
		var ids []string
		var made []envelope
		anyID := func(t *rapid.T) string {
			if len(ids) == 0 {
				t.Skip("no keys yet")
			}
			return rapid.SampledFrom(ids).Draw(t, "id")
		}
		node := func(t *rapid.T) *Service { return rapid.SampledFrom(nodes).Draw(t, "node") }
		// change expects success if the key is in one of these states, and failure otherwise.
		change := func(to string, do func(s *Service, id string) error, from ...string) func(*rapid.T) {
			return func(t *rapid.T) {
				id := anyID(t)
				err, allowed := do(node(t), id), false
				for _, s := range from {
					allowed = allowed || states[id] == s
				}
				if (err == nil) != allowed {
					t.Fatalf("from %q to %q: %v", states[id], to, err)
				}
				if allowed && to != "" {
					states[id] = to
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"create": func(t *rapid.T) {
				k, err := node(t).Create(ctx, NewKey{Account: "a"})
				if err != nil {
					t.Fatal(err)
				}
				ids, states[k.ID] = append(ids, k.ID), "enabled"
			},
			"wrap": func(t *rapid.T) {
				x := envelope{id: anyID(t), context: rapid.SampledFrom([]string{"", "{}"}).Draw(t, "context"), d: sse.NewDataKey()}
				e, err := (&sse.KMSKey{Service: node(t), KeyID: x.id, Context: []byte(x.context)}).Wrap(ctx, x.d)
				if (err == nil) != (states[x.id] == "enabled") {
					t.Fatalf("wrap under a key that is %q: %v", states[x.id], err)
				}
				if x.e = e; err == nil {
					made = append(made, x)
				}
			},
			"rotate":  change("", func(s *Service, id string) error { _, err := s.Rotate(ctx, id); return err }, "enabled"),
			"disable": change("disabled", func(s *Service, id string) error { _, err := s.Disable(ctx, id); return err }, "enabled", "disabled"),
			"enable":  change("enabled", func(s *Service, id string) error { _, err := s.Enable(ctx, id); return err }, "enabled", "disabled"),
			"schedule": change("pending-deletion", func(s *Service, id string) error { _, err := s.ScheduleDeletion(ctx, id, 1); return err },
				"enabled", "disabled"),
			"cancel": change("disabled", func(s *Service, id string) error { _, err := s.CancelDeletion(ctx, id); return err }, "pending-deletion"),
			"purge": func(t *rapid.T) {
				gone, err := node(t).Purge(ctx, time.Now().AddDate(0, 0, 2))
				if err != nil {
					t.Fatal(err)
				}
				for _, id := range gone {
					if states[id] != "pending-deletion" {
						t.Fatalf("a key that was %q is deleted", states[id])
					}
					states[id] = ""
				}
			},
			"": func(t *rapid.T) {
				for _, x := range made {
					want := map[string]errs.Kind{"disabled": errs.Denied, "pending-deletion": errs.Denied, "": errs.NotFound}
					for i, s := range nodes {
						d, err := (&sse.KMSKey{Service: s, KeyID: x.id, Context: []byte(x.context)}).Unwrap(ctx, x.e)
						switch kind, refused := want[states[x.id]]; {
						case refused && errs.KindOf(err) != kind:
							t.Fatalf("node %d: a key that is %q opens or says %v", i, states[x.id], err)
						case !refused && (err != nil || string(d.Bytes()) != string(x.d.Bytes())):
							t.Fatalf("node %d: an enabled key does not open: %v", i, err)
						}
					}
				}
			},
		})
	})
}
