package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/upkeep"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/shard/drive"
)

// blow is a kind of harm. do harms machines, checks that the cluster goes on meanwhile, and takes the
// harm back.
type blow struct {
	name string
	do   func(*nemesis, context.Context) error
}

func blows() []blow {
	return []blow{
		{"power cut", (*nemesis).powerCut},
		{"power cut of all", (*nemesis).powerCutOfAll},
		{"power cut of the leader", (*nemesis).powerCutOfLeader},
		{"power cut at a sync", (*nemesis).powerCutAtSync},
		{"power cuts while starting", (*nemesis).powerCutWhileStarting},
		{"lost index", (*nemesis).lostIndex},
		{"lost metadata", (*nemesis).lostMetadata},
		{"metadata put back", (*nemesis).oldMetadata},
		{"rotten end of the log", (*nemesis).rottenLog},
		{"partition", (*nemesis).partition},
		{"partition of the leader", (*nemesis).partitionOfLeader},
		{"flapping links", (*nemesis).flappingLinks},
		{"slow network", (*nemesis).slowNetwork},
		{"hanging drive", (*nemesis).hangingDrive},
		{"hanging log", (*nemesis).hangingLog},
		{"failing syncs of a drive", (*nemesis).failingDrive},
		{"corruption", (*nemesis).corruption},
	}
}

// nemesis harms a cluster, one blow after another, within what the cluster promises to survive.
type nemesis struct {
	*Cluster
	most  int    // How many machines may be harmed at once.
	probe []byte // What the object under probeKey holds, which must be readable whatever happens.
	kinds []blow
	trace func(format string, args ...any)
}

const probeKey = "probe"

func newNemesis(ctx context.Context, c *Cluster, trace func(string, ...any)) (*nemesis, error) {
	n := &nemesis{Cluster: c, most: c.mostHarmed(), kinds: blows(), probe: make([]byte, 3*extentBytes), trace: trace}
	for i := range n.probe {
		n.probe[i] = byte(c.rng.Uint32())
	}
	return n, n.write(ctx, c.Machines, probeKey, n.probe)
}

// run deals count blows. It waits for full redundancy before each next one, because more than m shards
// of an extent must never be missing at once.
func (n *nemesis) run(ctx context.Context, count int) error {
	for range count {
		n.pause(2 * time.Second)
		b := n.kinds[n.rng.IntN(len(n.kinds))]
		n.trace("blow: %s", b.name)
		if err := b.do(n, ctx); err != nil {
			return fmt.Errorf("during %s: %w", b.name, err)
		}
		if err := n.healed(ctx); err != nil {
			return fmt.Errorf("after %s: %w", b.name, err)
		}
	}
	return nil
}

func (n *nemesis) pause(most time.Duration) { time.Sleep(time.Duration(n.rng.Int64N(int64(most)))) }

// victims returns between one and most machines, chosen at random.
func (n *nemesis) victims(most int) (out []*Machine) {
	for _, i := range n.rng.Perm(len(n.Machines))[:1+n.rng.IntN(most)] {
		out = append(out, n.Machines[i])
	}
	n.trace("victims: %s", names(out))
	return out
}

func names(machines []*Machine) (out []string) {
	for _, m := range machines {
		out = append(out, m.Name)
	}
	return out
}

// others returns the machines that are not harmed.
func (n *nemesis) others(victims []*Machine) []*Machine {
	return slices.DeleteFunc(slices.Clone(n.Machines), func(m *Machine) bool { return slices.Contains(victims, m) })
}

// leader returns the machine that leads the metadata. If none does for ten seconds, it returns the
// first one.
func (n *nemesis) leader() *Machine {
	for range 100 {
		for _, m := range n.Machines {
			if nd := m.Node(); nd != nil && nd.Group().IsLeader() {
				return m
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return n.Machines[0]
}

// restart starts machines after a power cut.
func (n *nemesis) restart(ctx context.Context, machines []*Machine) error {
	for _, m := range machines {
		if err := n.Start(ctx, m); err != nil {
			return fmt.Errorf("restart after a power cut: %w", err)
		}
	}
	return nil
}

// served checks that reads and writes go on, in bounded time, at machines that are not harmed, although
// the victims are.
func (n *nemesis) served(ctx context.Context, victims []*Machine) error {
	ctx, cancel := context.WithTimeout(ctx, serveTimeout)
	defer cancel()
	well := n.others(victims)
	if err := n.read(ctx, well, probeKey, n.probe); err != nil {
		return err
	}
	return n.write(ctx, well, "scratch", n.probe)
}

// serveTimeout is how long a client waits at most for service while no more than m machines are harmed.
// The metadata must elect a leader in that time, and a leader whose disk hangs gives up only after ten
// seconds.
const serveTimeout = 90 * time.Second

// each calls do with one machine after another until it succeeds or ctx ends.
func (n *nemesis) each(ctx context.Context, machines []*Machine, do func(context.Context, *object.Service) error) error {
	err := errors.New("no machine is up")
	for i := 0; ; i++ {
		m := machines[i%len(machines)]
		if nd := m.Node(); nd != nil {
			tctx, cancel := context.WithTimeout(ctx, opTimeout)
			if err = do(tctx, nd.Objects()); err == nil {
				cancel()
				return nil
			}
			cancel()
			n.trace("at %s: %v", m.Name, err)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (n *nemesis) write(ctx context.Context, at []*Machine, key string, v []byte) error {
	err := n.each(ctx, at, func(ctx context.Context, o *object.Service) error {
		_, err := o.Put(ctx, &object.PutInput{Caller: caller, Bucket: bucket, Key: key,
			Description: object.Description{Attributes: &metapb.Attributes{}},
			Body:        object.Body{Reader: bytes.NewReader(v), Size: int64(len(v))}})
		return err
	})
	if err != nil {
		return fmt.Errorf("nobody takes writes: %w", err)
	}
	return nil
}

func (n *nemesis) read(ctx context.Context, at []*Machine, key string, want []byte) error {
	err := n.each(ctx, at, func(ctx context.Context, o *object.Service) error {
		got, err := fetch(ctx, o, key, nil)
		if err == nil && !bytes.Equal(got, want) {
			panic(fmt.Sprintf("the probe reads as %s", describe(got)))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("nobody serves reads: %w", err)
	}
	return nil
}

// cutDown cuts the power of some machines, checks that service goes on, and starts them again.
func (n *nemesis) cutDown(ctx context.Context, victims []*Machine) error {
	n.Crash(victims...)
	if err := n.served(ctx, victims); err != nil {
		return err
	}
	n.pause(6 * time.Second)
	return n.restart(ctx, victims)
}

func (n *nemesis) powerCut(ctx context.Context) error { return n.cutDown(ctx, n.victims(n.most)) }

func (n *nemesis) powerCutOfLeader(ctx context.Context) error {
	return n.cutDown(ctx, []*Machine{n.leader()})
}

func (n *nemesis) powerCutOfAll(ctx context.Context) error {
	n.Crash(n.Machines...)
	n.pause(time.Second)
	return n.restart(ctx, n.Machines)
}

func (n *nemesis) powerCutAtSync(ctx context.Context) error {
	victims := n.victims(n.most)
	if n.rng.IntN(2) == 0 {
		victims = []*Machine{n.leader()}
	}
	for _, m := range victims {
		m.disk.cutAtSync(1 + n.rng.IntN(60))
	}
	for _, m := range victims {
		select {
		case <-m.disk.cut:
		case <-time.After(10 * time.Second): // It has not synced so often.
		}
	}
	return n.cutDown(ctx, victims)
}

// lostMetadata makes a voter forget all, and starts it anew.
func (n *nemesis) lostMetadata(ctx context.Context) error {
	return n.loseMetadata(ctx, func(*Machine) error { return nil })
}

// oldMetadata puts the metadata of a voter back to what they were some time ago.
func (n *nemesis) oldMetadata(ctx context.Context) error {
	return n.loseMetadata(ctx, func(m *Machine) error {
		old := m.disk.CrashClone(vfs.CrashCloneCfg{})
		// This takes long enough for the promise on the drive to have grown since the copy.
		for range 4 {
			if err := n.write(ctx, n.Machines, "scratch", n.probe); err != nil {
				return err
			}
			time.Sleep(6 * time.Second)
		}
		n.Crash(m)
		if err := m.disk.RemoveAll(metaDir); err != nil {
			return err
		}
		_, err := vfs.Clone(old, m.disk.MemFS, metaDir, metaDir, vfs.CloneSync)
		return err
	})
}

func (n *nemesis) loseMetadata(ctx context.Context, put func(*Machine) error) error {
	m := n.voter()
	was := m.Node().Group().Server()
	if err := put(m); err != nil {
		return err
	}
	if m.Node() != nil {
		n.Crash(m)
		if err := m.disk.RemoveAll(metaDir); err != nil {
			return err
		}
	}
	if err := n.served(ctx, []*Machine{m}); err != nil {
		return err
	}
	if err := n.restart(ctx, []*Machine{m}); err != nil {
		return err
	}
	if now := m.Node().Group().Server(); now == was {
		return fmt.Errorf("%s takes part as %s, as if it had forgotten nothing", m.Name, now)
	}
	return n.seated(m)
}

// voter returns a machine that votes. Of six machines one does not, and has nothing to forget.
func (n *nemesis) voter() *Machine {
	for {
		if m := n.victims(1)[0]; m.Node().Group().Votes() {
			return m
		}
	}
}

// rottenLog makes the last bytes of a voter's log rot while it is down. The log then seems to end
// before what the voter has promised.
func (n *nemesis) rottenLog(ctx context.Context) error {
	m := n.voter()
	was := m.Node().Group().Server()
	n.Crash(m)
	if err := m.disk.rotLogEnd(n.rng); err != nil {
		return err
	}
	if err := n.served(ctx, []*Machine{m}); err != nil {
		return err
	}
	err := n.restart(ctx, []*Machine{m})
	if errs.Is(err, errs.Corrupt) {
		// The log ends before the newest snapshot, so the node does not start with it. The operator
		// does what the error says.
		if err := m.disk.RemoveAll(metaDir); err != nil {
			return err
		}
		err = n.restart(ctx, []*Machine{m})
	}
	if err != nil {
		return err
	}
	if m.Node().Group().Server() == was {
		return nil // What the log has lost is of its last moment: nobody was told that it is durable.
	}
	return n.seated(m)
}

// seated waits until a machine is a member of the metadata's group again, because no more than a
// minority may have forgotten at once. A larger cluster may give its seat to another machine.
func (n *nemesis) seated(m *Machine) error {
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(time.Second) {
		l := n.leader().Node()
		if l == nil || m.Node() == nil {
			continue
		}
		members, _ := l.Group().Members()
		voters, member := 0, false
		for _, o := range members {
			if o.Voter {
				voters++
			}
			member = member || o.Node == m.Node().ID() && o.Incarnation == m.Node().Group().Incarnation()
		}
		if voters == upkeep.VoterCount(len(n.Machines)) && (member || len(n.Machines) > 5) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is no member of the metadata's group after five minutes: %+v", m.Name, members)
		}
	}
}

// powerCutWhileStarting cuts the power several times before a node is ready, or while it takes in a
// snapshot.
func (n *nemesis) powerCutWhileStarting(ctx context.Context) error {
	victims := n.victims(n.most)
	n.Crash(victims...)
	for range 1 + n.rng.IntN(4) {
		n.pause(4 * time.Second)
		for _, m := range victims {
			m.disk.cutAtSync(1 + n.rng.IntN(40))
			if err := n.Start(ctx, m); err != nil && m.disk.isWhole() {
				return fmt.Errorf("restart after a power cut: %w", err)
			}
		}
		n.pause(3 * time.Second)
		n.Crash(victims...)
	}
	return n.restart(ctx, victims)
}

// lostIndex removes the index of a drive while its machine is down.
func (n *nemesis) lostIndex(ctx context.Context) error {
	victims := n.victims(n.most)
	n.Crash(victims...)
	for _, m := range victims {
		if err := m.disk.MemFS.RemoveAll(indexDir); err != nil {
			return err
		}
	}
	return n.restart(ctx, victims)
}

// isolate cuts the links from victims to the others (from), and those to victims from the others (to).
// A link that is not to be cut is restored.
func (n *nemesis) isolate(victims []*Machine, from, to bool) {
	for _, v := range victims {
		for _, m := range n.others(victims) {
			n.Net.Cut(v.Name, m.Name, from)
			n.Net.Cut(m.Name, v.Name, to)
		}
	}
}

func (n *nemesis) cutOff(ctx context.Context, victims []*Machine) error {
	way := n.rng.IntN(4)
	n.isolate(victims, way != 0, way != 1)
	err := n.served(ctx, victims)
	n.pause(8 * time.Second)
	n.Net.Heal()
	return err
}

func (n *nemesis) partition(ctx context.Context) error { return n.cutOff(ctx, n.victims(n.most)) }

func (n *nemesis) partitionOfLeader(ctx context.Context) error {
	return n.cutOff(ctx, []*Machine{n.leader()})
}

// flappingLinks cuts and restores the links of some machines, faster than a node may notice.
func (n *nemesis) flappingLinks(ctx context.Context) error {
	victims := n.victims(n.most)
	for range 5 + n.rng.IntN(20) {
		n.isolate(victims, n.rng.IntN(2) == 0, n.rng.IntN(2) == 0)
		n.pause(600 * time.Millisecond)
	}
	n.Net.Heal()
	return n.served(ctx, nil)
}

func (n *nemesis) slowNetwork(ctx context.Context) error {
	n.Net.Slow(time.Duration(5+n.rng.IntN(60))*time.Millisecond, 0.1*n.rng.Float64())
	n.pause(15 * time.Second)
	n.Net.Slow(usualDelay, usualLoss)
	return n.served(ctx, nil)
}

// hangingDrive makes syncs of shards hang. Writers must use other drives meanwhile. If it has taken
// longer than a drive may hang before it is fenced, the machines are restarted, as their operator would
// do.
func (n *nemesis) hangingDrive(ctx context.Context) error {
	victims := n.victims(n.most)
	began := time.Now()
	for _, m := range victims {
		m.disk.stall(theShards)
	}
	err := n.served(ctx, victims)
	n.pause(12 * time.Second)
	for _, m := range victims {
		m.disk.resume()
	}
	if time.Since(began) < drive.DefaultHangTimeout {
		return err
	}
	n.Crash(victims...)
	return errors.Join(err, n.restart(ctx, victims))
}

// hangingLog makes syncs of the metadata's log hang, but not for so long that a node takes the disk for
// hung. Raft would panic then, as it should, and end the simulation.
func (n *nemesis) hangingLog(ctx context.Context) error {
	victims := n.victims(n.most)
	if n.rng.IntN(2) == 0 {
		victims = []*Machine{n.leader()}
	}
	for _, m := range victims {
		m.disk.stall(theLog)
	}
	n.pause(8 * time.Second)
	for _, m := range victims {
		m.disk.resume()
	}
	return n.served(ctx, nil)
}

// failingDrive makes syncs of segments fail. The drive must be fenced, so that nothing which it may
// have lost is acknowledged. Reads and writes must go on, and the node must not end.
func (n *nemesis) failingDrive(ctx context.Context) error {
	victims := n.victims(n.most)
	for _, m := range victims {
		m.disk.failSyncs(segments)
	}
	err := n.served(ctx, victims)
	n.pause(4 * time.Second)
	if err == nil {
		err = n.served(ctx, nil) // At the machines with the bad drives, too.
	}
	for _, m := range victims {
		if nd := m.Node(); nd != nil && nd.Err() != nil && err == nil {
			err = fmt.Errorf("%s ended itself though only its drive failed: %w", m.Name, nd.Err())
		}
	}
	n.Crash(victims...)
	return errors.Join(err, n.restart(ctx, victims))
}

// corruption changes bytes in the segments of some machines. It harms one fewer than may be lost (but
// at least one), because a write may have missed another machine. Scrub or a reader must find the
// damage.
func (n *nemesis) corruption(ctx context.Context) error {
	victims := n.victims(max(1, n.most-1))
	for _, m := range victims {
		n.trace("%d places in segments of %s", m.disk.corrupt(n.rng, 1+n.rng.IntN(30)), m.Name)
	}
	if n.rng.IntN(3) == 0 {
		n.Crash(victims...)
		return n.restart(ctx, victims)
	}
	return n.served(ctx, nil)
}
