package group

import (
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// snapshotFactor is by how much the log may exceed Config.TrailingBytes before a snapshot
// is taken for its size alone.
const snapshotFactor = 2

// boundLog keeps the log within its bytes until the group closes. Raft itself counts entries,
// and an entry has a few bytes or four million.
func (g *Group) boundLog() {
	t := time.NewTicker(g.cfg.Timing.SnapshotInterval)
	defer t.Stop()
	for {
		select {
		case <-g.closing:
			return
		case <-t.C:
		}
		if err := g.shrinkLog(); err != nil {
			g.cfg.Events.Log(LevelError, fmt.Sprintf("the Raft log cannot be kept within its size: %v", err))
		}
	}
}

// shrinkLog tells Raft how many entries to keep behind a snapshot so that they stay within
// TrailingBytes, and has a snapshot taken where the log is far too large. Entries that no
// snapshot holds stay, whatever their size.
func (g *Group) shrinkLog() error {
	keep := max(1, min(g.cfg.TrailingLogs, g.log.Within(g.cfg.TrailingBytes)))
	if now := g.raft.ReloadableConfig(); now.TrailingLogs != keep {
		now.TrailingLogs = keep
		if err := g.raft.ReloadConfig(now); err != nil {
			return err
		}
	}
	if g.log.Bytes() <= snapshotFactor*g.cfg.TrailingBytes {
		return nil
	}
	err := g.raft.Snapshot().Error()
	if errors.Is(err, raft.ErrNothingNewToSnapshot) || errors.Is(err, raft.ErrRaftShutdown) {
		return nil
	}
	return err
}
