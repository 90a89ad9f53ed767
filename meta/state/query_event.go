package state

import (
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

// eventQueues answers the queues of all targets, and how old what waits in each is.
func (v *view) eventQueues() (*metapb.EventQueuesAnswer, error) {
	a := &metapb.EventQueuesAnswer{}
	lower := keys.AppendKind(nil, keys.KindEventQueue)
	err := scan(v.snap, lower, keys.PrefixEnd(keys.AppendKind(nil, keys.KindEventQueue)), func(_, value []byte) error {
		q := new(metapb.EventQueue)
		a.Queues = append(a.Queues, q)
		return unmarshal(value, q)
	})
	if err != nil {
		return nil, err
	}
	for _, q := range a.Queues {
		first, err := v.events(&metapb.ListEvents{Target: q.Target, Max: 1})
		if err != nil {
			return nil, err
		}
		if len(first.Events) > 0 {
			q.OldestMs = first.Events[0].TimeMs
		}
	}
	return a, nil
}

// events answers a page of the events that wait for a target.
func (v *view) events(q *metapb.ListEvents) (*metapb.EventsAnswer, error) {
	a := &metapb.EventsAnswer{}
	limit := int(min(q.Max, pageMax))
	if limit == 0 {
		limit = pageMax
	}
	lower := keys.AppendEvents(nil, q.Target)
	upper := keys.PrefixEnd(keys.AppendEvents(nil, q.Target))
	if q.AfterIndex != 0 {
		lower = append(keys.AppendEvent(nil, q.Target, q.AfterIndex, q.AfterNumber), 0)
	}
	err := scan(v.snap, lower, upper, func(key, value []byte) error {
		if len(a.Events) == limit {
			a.Truncated = true
			return errStop
		}
		k, err := decodeKey(key)
		if err != nil {
			return err
		}
		e := new(metapb.Event)
		if err := unmarshal(value, e); err != nil {
			return err
		}
		e.Index, e.Number = k.Index, k.Part
		a.Events = append(a.Events, e)
		return nil
	})
	return a, err
}
