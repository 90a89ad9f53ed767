package upkeep

import (
	"context"
	"time"
)

// rollEvery is how often the roll is called.
const rollEvery = time.Hour

// callRoll counts the nodes that gossip knows to be alive. It changes nothing.
func (u *Upkeep) callRoll(ctx context.Context) error {
	topo, err := u.c.Metadata.Topology(ctx)
	if err != nil {
		return err
	}
	alive := 0
	for i := range topo.View.Nodes {
		if u.c.Alive(topo.View.Nodes[i].ID) {
			alive++
		}
	}
	u.c.Events.Called(alive)
	return nil
}
