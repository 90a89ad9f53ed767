package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/node/admin/adminpb/adminpbconnect"
)

func TestJudgements(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	certificate := func(from, to time.Duration) Finding {
		return judgeCertificate("a", &x509.Certificate{NotBefore: now.Add(from), NotAfter: now.Add(to)}, now)
	}
	const day = 24 * time.Hour
	onMount := func(fs string, options ...string) []Finding { return judgeMount("/d", mount{"/", fs, options}) }
	for _, c := range []struct {
		name string
		got  Finding
		want State
		says string
	}{
		{"kernel", judgeKernel("6.1.0-18-amd64"), OK, "6.1.0"},
		{"old kernel", judgeKernel("4.19.0"), Advice, "sync"},
		{"no kernel", judgeKernel("plan9"), Unknown, "no version"},
		{"files", judgeFiles(1024, 1<<20), OK, "1048576"},
		{"few files", judgeFiles(1024, 4096), Advice, "LimitNOFILE"},
		{"memory", judgeMemory(8<<30, 0)[0], OK, "8.0 GiB"},
		{"little memory", judgeMemory(512<<20, 0)[0], Advice, "1 GiB"},
		{"swap", judgeMemory(8<<30, 1<<20)[1], Advice, "swappiness"},
		{"clock is kept", judgeSynchronized(true), OK, ""},
		{"clock is not", judgeSynchronized(false), Warning, "chrony"},
		{"same second", judgeOffset("a", 900*time.Millisecond, 0), OK, "0s"},
		{"a second off", judgeOffset("a", 2*time.Second, 100*time.Millisecond), Advice, "900ms"},
		{"behind", judgeOffset("a", -3*time.Second, 0), Advice, "2s"},
		{"hours off", judgeOffset("a", 2*time.Hour, 0), Warning, "time service"},
		{"a slow answer says little", judgeOffset("a", 4*time.Second, 3*time.Second), OK, "within 4s"},
		{"xfs", onMount("xfs", "rw", "noatime")[0], OK, "xfs"},
		{"tmpfs", onMount("tmpfs", "rw", "noatime")[0], Warning, "memory"},
		{"nfs4", onMount("nfs4", "rw")[0], Warning, "local disks"},
		{"fuse", onMount("fuse.s3fs", "rw")[0], Warning, "local disks"},
		{"overlay", onMount("overlay", "rw")[0], Warning, "volume"},
		{"btrfs", onMount("btrfs", "rw")[0], Advice, "tested"},
		{"read-only", onMount("xfs", "ro")[1], Warning, "read-only"},
		{"no barriers", onMount("ext4", "rw", "nobarrier")[1], Warning, "power"},
		{"writeback", onMount("ext4", "rw", "relatime", "data=writeback")[1], Advice, "ordered"},
		{"synchronous", onMount("ext4", "rw", "relatime", "sync")[1], Advice, "slow"},
		{"atime", onMount("ext4", "rw")[1], Advice, "noatime"},
		{"room", judgeSpace("/d", space{100, 50, 0, 0}), OK, "50 B of 100 B"},
		{"full", judgeSpace("/d", space{100, 4, 0, 0}), Warning, "make room"},
		{"no inodes", judgeSpace("/d", space{100, 50, 1000, 2}), Warning, "2 of 1000 inodes"},
		{"quick", judgeSyncs("/d", []time.Duration{time.Second, time.Millisecond, 2 * time.Millisecond}), OK, "at most 1s"},
		{"slow", judgeSyncs("/d", []time.Duration{60 * time.Millisecond}), Advice, "SSD"},
		{"very slow", judgeSyncs("/d", []time.Duration{time.Second}), Warning, "failing"},
		{"valid", certificate(-day, 300*day), OK, "2026-10-28"},
		{"short-lived and fresh", certificate(-day, 6*day), OK, ""},
		{"due", certificate(-300*day, 20*day), Advice, "renew"},
		{"over", certificate(-300*day, -day), Warning, "ended"},
		{"of tomorrow", certificate(day, 300*day), Warning, "clocks"},
		{"near", judgeTrip("a", time.Millisecond), OK, "1ms"},
		{"far", judgeTrip("a", time.Second), Advice, "commits"},
		{"alike", judgeSame("versions", map[string][]string{"1": {"b", "a"}}, "update"), OK, "1 everywhere"},
		{"unlike", judgeSame("versions", map[string][]string{"2": {"c"}, "1": {"b", "a"}}, "update"),
			Advice, "1 on a, b; 2 on c"},
	} {
		require.Equal(t, c.want, c.got.State, "%s: %+v", c.name, c.got)
		require.Contains(t, c.got.Found+" "+c.got.Action, c.says, c.name)
		require.Equal(t, c.got.Sick(), c.got.Action != "", "%s: who is to change something is told what", c.name)
	}
	shared := judgeShared(map[uint64][]string{1: {"/a"}, 2: {"/c", "/b"}})
	require.Len(t, shared, 1)
	require.Equal(t, "/b", shared[0].Where)
	require.Contains(t, shared[0].Found, "/c")
}

func TestMounts(t *testing.T) {
	all := parseMounts(strings.Join([]string{
		`22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard`,
		`30 22 8:1 / /srv/d\0401 rw,noatime shared:2 master:1 - xfs /dev/sda1 rw,attr2`,
		`31 22 8:2 / /srv rw - ext4 /dev/sdb rw`,
		`32 22 8:3 / /srv rw - xfs /dev/sdc ro`,
		`broken line`, `1 2 3 - x`, ``}, "\n"))
	require.Len(t, all, 4)
	for path, want := range map[string]string{"/": "ext4", "/srv/d 1": "xfs", "/srv/d 1/meta": "xfs",
		"/srv/d 10": "xfs", "/srvx": "ext4"} {
		m, ok := mountOf(all, path)
		require.True(t, ok)
		require.Equal(t, want, m.fs, path)
	}
	m, _ := mountOf(all, "/srv/other")
	require.Equal(t, []string{"rw", "ro"}, m.options, "the last mount of a place hides those before")
	_, ok := mountOf(nil, "/")
	require.False(t, ok)
}

// world is a cluster of two nodes that differ; one cannot be reached.
type world struct {
	adminpbconnect.UnimplementedAdminServiceHandler
	nodes  []*adminpb.NodeStatus
	refuse bool
}

func (w *world) ShowHealth(context.Context, *adminpb.ShowHealthRequest) (*adminpb.Health, error) {
	if w.refuse {
		return nil, connect.NewError(connect.CodePermissionDenied, errors.New("no"))
	}
	return &adminpb.Health{Checks: []*adminpb.HealthCheck{{Name: "drives", State: "healthy", Found: "all"},
		{Name: "data", State: "critical", Found: "lost", Action: "bring back node 2"}}}, nil
}

func (w *world) Status(context.Context, *adminpb.StatusRequest) (*adminpb.StatusResponse, error) {
	return &adminpb.StatusResponse{Nodes: w.nodes}, nil
}

func (w *world) ListSettings(context.Context, *adminpb.ListSettingsRequest) (*adminpb.Settings, error) {
	return &adminpb.Settings{Settings: []*adminpb.Setting{{Name: "compat"}, {Name: "gc-grace"}}}, nil
}

func (w *world) ShowSetting(_ context.Context, r *adminpb.ShowSettingRequest) (*adminpb.SettingEverywhere, error) {
	second := "1"
	if r.Name == "gc-grace" {
		second = "2"
	}
	return &adminpb.SettingEverywhere{Nodes: []*adminpb.NodeSetting{{S3Addr: "n1", Value: "1"},
		{S3Addr: "n2", Value: second},
		{S3Addr: "n3", Error: "it is down"}}}, nil
}

func TestExamine(t *testing.T) {
	w := &world{}
	_, h := adminpbconnect.NewAdminServiceHandler(w)
	srv := httptest.NewTLSServer(h)
	defer srv.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, gone.Close())
	addr := srv.Listener.Addr().String()
	w.nodes = []*adminpb.NodeStatus{{S3Addr: addr, Version: "1", Answered: true},
		{S3Addr: gone.Addr().String(), Version: "2", Answered: true},
		{S3Addr: addr, Answered: false}}
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	examine := func(roots *x509.CertPool) map[string]Finding {
		c := Cluster{Endpoint: srv.URL, HTTP: srv.Client(), Roots: roots,
			Admin: adminpbconnect.NewAdminServiceClient(srv.Client(), srv.URL)}
		out := map[string]Finding{}
		for _, f := range c.Examine(t.Context()) {
			out[f.Where+" "+f.What] = f
		}
		return out
	}
	found := examine(roots)
	for what, want := range map[string]State{addr + " certificate": OK, addr + " clock": OK, addr + " network": OK,
		gone.Addr().String() + " network": Warning,
		"cluster drives":                  OK, "cluster data": Warning, "cluster versions": Advice,
		"cluster setting gc-grace": Advice} {
		require.Equal(t, want, found[what].State, "%s: %+v", what, found[what])
	}
	require.NotContains(t, found, "cluster setting compat")
	require.Equal(t, Warning, examine(x509.NewCertPool())[addr+" certificate"].State, "nobody vouches for it")
	w.refuse = true
	require.Contains(t, examine(roots)["cluster health"].Action, "admin:ShowHealth")
	require.Equal(t, Unknown, examine(roots)["cluster health"].State)
}

func TestExamineNobody(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	c := Cluster{Endpoint: gone.URL, HTTP: http.DefaultClient,
		Admin: adminpbconnect.NewAdminServiceClient(http.DefaultClient, gone.URL)}
	for _, f := range c.Examine(t.Context()) {
		require.NotEqual(t, OK, f.State, "%+v", f)
	}
}
