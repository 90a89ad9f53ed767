package query

import (
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// eventQueues answers the queues of all targets, each with the time of its oldest event.
func (v *View) eventQueues() (*metapb.EventQueuesAnswer, error) {
	a := &metapb.EventQueuesAnswer{}
	lower := keys.AppendKind(nil, keys.KindEventQueue)
	upper := keys.PrefixEnd(keys.AppendKind(nil, keys.KindEventQueue))
	err := record.Scan(v.Records, lower, upper, func(_, value []byte) error {
		q := new(metapb.EventQueue)
		a.Queues = append(a.Queues, q)
		return record.Unmarshal(value, q)
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

// events answers a page of the events that wait for a target, the oldest first.
func (v *View) events(q *metapb.ListEvents) (*metapb.EventsAnswer, error) {
	a := &metapb.EventsAnswer{}
	limit := int(min(q.Max, PageMax))
	if limit == 0 {
		limit = PageMax
	}
	lower := keys.AppendEvents(nil, q.Target)
	upper := keys.PrefixEnd(keys.AppendEvents(nil, q.Target))
	if q.AfterIndex != 0 {
		lower = append(keys.AppendEvent(nil, q.Target, q.AfterIndex, q.AfterNumber), 0)
	}
	err := record.Scan(v.Records, lower, upper, func(key, value []byte) error {
		if len(a.Events) == limit {
			a.Truncated = true
			return record.ErrStop
		}
		k, err := record.DecodeKey(key)
		if err != nil {
			return err
		}
		e := new(metapb.Event)
		if err := record.Unmarshal(value, e); err != nil {
			return err
		}
		e.Index, e.Number = k.Index, k.Part
		a.Events = append(a.Events, e)
		return nil
	})
	return a, err
}
