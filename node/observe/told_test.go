package observe

import (
	"log/slog"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
)

// untold are the events that neither log nor metrics take, with the reason.
var untold = map[string]string{
	"group.SessionOpened": "a node opens one each time it starts, and says that it started",
}

// TestEverythingIsTold proves that no event of a room is lost: the observer sets every function of
// every Events.
func TestEverythingIsTold(t *testing.T) {
	o := New(slog.New(slog.DiscardHandler))
	for room, events := range map[string]any{
		"s3api":     o.S3(nil),
		"audit":     o.Audit(),
		"accesslog": o.AccessLogs(),
		"object":    o.Object(),
		"stripe":    o.Stripe(nil, nil),
		"drive":     o.Drive("", nil),
		"group":     o.Group(func(error) {}),
		"rpc":       o.RPC(),
		"gossip":    o.Gossip(),
		"upkeep":    o.Upkeep(),
		"member":    o.Member(),
	} {
		v := reflect.ValueOf(events)
		for i := range v.NumField() {
			name := room + "." + v.Type().Field(i).Name
			if v.Field(i).Kind() != reflect.Func {
				continue
			}
			_, exempt := untold[name]
			assert.Equal(t, exempt, v.Field(i).IsNil(), "%s: log or count it in events.go, or say in untold why not", name)
		}
	}
}
