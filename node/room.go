package node

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/meta/group"
	"github.com/cairnstore/cairn/meta/room"
)

const (
	// roomLook is the pause between two looks at how much room the metadata have.
	roomLook = time.Second
	// stepAsideEvery is the pause between two tries of a leader without room to hand over.
	stepAsideEvery = 5 * time.Second
	// stillFullEvery is the pause between two messages of a start that waits for room.
	stillFullEvery = 10 * time.Second
	// metadataLogMin is the least that a log must have room for: some of the largest commands.
	metadataLogMin = 4 * group.MaxCommandBytes
)

func (c *Config) roomFlags(fs *pflag.FlagSet) {
	fs.Var(&c.MetadataReserve, "metadata-reserve", "free space on the file system of the metadata below which the cluster takes nothing that grows, if most voters have no more (0: 1% of it, 64MiB to 128MiB, at most an eighth)")
	fs.Var(&c.MetadataBallast, "metadata-ballast", "space that is kept there for deletions and restarts when another program has filled it (0: twice --metadata-reserve)")
}

func (c *Config) validateRoom() error {
	switch {
	case c.MetadataReserve < 0:
		return settingError("metadata-reserve", "%s is negative", c.MetadataReserve)
	case c.MetadataBallast < 0:
		return settingError("metadata-ballast", "%s is negative", c.MetadataBallast)
	case c.MetadataLog < metadataLogMin:
		return settingError("metadata-log", "%s is less than %s", c.MetadataLog, Bytes(metadataLogMin))
	}
	return nil
}

// openRoom begins to watch the room of the file system that holds the metadata. If there is none at
// all, not even in the ballast, it waits for some, and says so.
func (n *Node) openRoom(ctx context.Context) (err error) {
	n.room, err = room.Open(room.Config{FS: n.env.FS, Dir: n.home.Dir(), Reserve: int64(n.cfg.MetadataReserve),
		Ballast: int64(n.cfg.MetadataBallast), Changed: n.obs.RoomChanged})
	if err != nil {
		return err
	}
	var said time.Time
	for !n.room.Unlock() {
		if time.Since(said) >= stillFullEvery {
			said = time.Now()
			n.log.Error("the file system is full and the ballast is used up: the node starts when there is room; delete what other programs have written",
				"dir", n.home.Dir(), "room", n.room.Status().String())
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(roomLook):
		}
	}
	return nil
}

// watchRoom keeps the ballast, tells the others how much room there is, and works out what the
// leader has to refuse. It does so for as long as the node runs.
func (n *Node) watchRoom(ctx context.Context) {
	t := time.NewTicker(roomLook)
	defer t.Stop()
	told := room.Plenty
	var asked time.Time
	for {
		s := n.room.Look()
		n.obs.Room(s)
		if s.Level != told {
			told = s.Level
			n.gossip.SetRoom(uint32(told))
		}
		v := n.votersRoom()
		n.refusal.Store(&v)
		if s.Level != room.Plenty && n.group.IsLeader() && time.Since(asked) >= stepAsideEvery {
			asked = time.Now()
			n.stepAside(ctx, v)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// reserveOf returns how much space a drive leaves free. A drive on the file system of the metadata
// leaves what these need, and never writes into what the ballast gave up for deletions.
func (n *Node) reserveOf(dir string) int64 {
	reserve := int64(n.cfg.DriveReserve)
	own, err := n.env.FS.GetDiskUsage(n.home.Dir())
	if err != nil || reserve == 0 { // 0 is the drive's default, which is more.
		return reserve
	}
	if u, err := n.env.FS.GetDiskUsage(dir); err == nil && u.TotalBytes == own.TotalBytes && u.AvailBytes == own.AvailBytes {
		reserve = max(reserve, n.room.Status().Reserve)
	}
	return reserve
}

// votersRoom is how much room the voters have, and what follows from it.
type votersRoom struct {
	voters, plenty, writable int              // Of the last two, those that are alive.
	better                   []cluster.NodeID // Other voters that are alive and have plenty.
	what                     group.Refused
	why                      error
}

func (n *Node) votersRoom() votersRoom {
	members, _ := n.group.Members()
	voters := n.voters()
	return roomOf(n.home.ID(), members, func(m group.Member) (room.Level, bool) {
		if m.Node == n.home.ID() {
			return n.room.Level(), m.Incarnation == n.group.Incarnation()
		}
		g, known := n.gossip.Member(m.Node)
		return room.Level(g.Room), known && g.State == gossip.Alive && !voters.stale(m)
	})
}

// roomOf works out what follows from the room of the voters. of returns the room of a member, and
// whether it can vote: its node is alive and takes part as this member.
func roomOf(self cluster.NodeID, members []group.Member, of func(group.Member) (room.Level, bool)) (v votersRoom) {
	short := 0
	for _, m := range members {
		if !m.Voter {
			continue
		}
		v.voters++
		level, alive := of(m)
		if !alive {
			continue
		}
		if level != room.Plenty {
			short++
		} else {
			v.plenty++
			if m.Node != self {
				v.better = append(v.better, m.Node)
			}
		}
		if level != room.Full {
			v.writable++
		}
	}
	quorum := v.voters/2 + 1
	switch {
	case short == 0:
	case v.writable < quorum:
		v.what = group.RefuseAll
		v.why = fmt.Errorf("only %d of %d voters of the metadata have room left: free space on their file systems", v.writable, v.voters)
	case v.plenty < quorum:
		v.what = group.RefuseGrowth
		v.why = fmt.Errorf("only %d of %d voters of the metadata have more free space than --metadata-reserve: "+
			"nothing that grows is taken until there is room, but deletions are", v.plenty, v.voters)
	}
	return v
}

// refuses is group.Config.Refuse.
func (n *Node) refuses() (group.Refused, error) {
	v := n.refusal.Load()
	if v == nil {
		return group.RefuseNone, nil
	}
	return v.what, v.why
}

// stepAside hands leadership to a voter with more room, where enough of them have it: a
// leader that cannot write keeps the others from it.
func (n *Node) stepAside(ctx context.Context, v votersRoom) {
	if v.plenty < v.voters/2+1 || len(v.better) == 0 {
		return
	}
	if err := n.group.HandOver(ctx, v.better[0]); err != nil {
		n.log.Warn("this node has little room and leads the metadata; it could not hand over", "cause", err)
	}
}
