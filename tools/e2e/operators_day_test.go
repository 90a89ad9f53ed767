//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

// TestOperatorsDay goes through an operator's day on a working cluster with the commands alone: who may
// do what, and what is set for buckets.
func TestOperatorsDay(t *testing.T) {
	t.Parallel()
	d := &operatorsDay{cluster: startCluster(t, 3)}
	chapters(t, d.cluster,
		chapter{"a bucket is made and configured", d.configures},
		chapter{"what somebody may do is told with what decides", d.simulates},
		chapter{"lifecycle rules are tried before they act", d.explains},
		chapter{"accounts are summed up", d.sums},
		chapter{"everything under a prefix is read and checked", d.verifies},
		chapter{"jobs tell what they are for, and scrub is one", d.watches},
		chapter{"what is turned at night is in force everywhere", d.turns},
		chapter{"the doctor looks at machine and cluster", d.examined},
	)
}

type operatorsDay struct{ *cluster }

// say runs a command that must succeed and returns what it prints.
func (d *operatorsDay) say(args ...string) string {
	d.t.Helper()
	out, err := d.cairn(args...)
	require.NoError(d.t, err, "%v: %s", args, out)
	return string(out)
}

// file writes a text and returns the name of the file.
func (d *operatorsDay) file(name, text string) string {
	path := d.path(name)
	require.NoError(d.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// configures sets each part, reads it, and sets what it has read: the documents go round.
func (d *operatorsDay) configures(t *testing.T) {
	d.say("bucket", "make", "day")
	d.say("bucket", "make", "day-log")
	d.say("bucket", "make", "day-locked", "--lock")
	d.say("bucket", "policy", "set", "day-log", "--file", d.file("log-policy.json",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
		"Principal":{"Service":"logging.s3.amazonaws.com"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::day-log/*"}]}`))
	for _, c := range []struct {
		bucket, part string
		set          []string
		want         string
	}{
		{"day", "versioning", []string{"on"}, `"Enabled"`},
		{"day", "quota", []string{"1GiB"}, "1073741824"},
		{"day", "lifecycle", []string{"--expire-days", "30", "--prefix", "logs/"}, `"Days": 30`},
		{"day", "cors", []string{"--origin", "https://example.com"}, "https://example.com"},
		{"day", "encryption", []string{"sse-s3"}, "AES256"},
		{"day", "website", []string{"--index", "index.html"}, "index.html"},
		{"day", "log", []string{"day-log", "--prefix", "day/"}, "day-log"},
		{"day", "tag", []string{"team=finance"}, "finance"},
		{"day-locked", "lock", []string{"--mode", "governance", "--days", "1"}, "GOVERNANCE"},
	} {
		d.say(append([]string{"bucket", c.part, "set", c.bucket}, c.set...)...)
		got := d.say("bucket", c.part, "get", c.bucket, "-o", "json")
		require.Contains(t, got, c.want, c.part)
		if c.part == "versioning" || c.part == "quota" {
			continue // They are words, and no documents.
		}
		d.say("bucket", c.part, "set", c.bucket, "--file", d.file(c.part+".json", got))
		require.Equal(t, got, d.say("bucket", c.part, "get", c.bucket, "-o", "json"), c.part)
	}
	d.say("bucket", "cors", "clear", "day", "--yes")
	_, err := d.cairn("bucket", "cors", "get", "day")
	require.Error(t, err)
}

// simulates asks about a user with a policy, and about a bucket whose policy denies a part.
func (d *operatorsDay) simulates(t *testing.T) {
	d.say("user", "add", "reader")
	d.say("policy", "add", "reads", "--file", d.file("reads.json", `{"Version":"2012-10-17","Statement":[
		{"Sid":"all","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::day/*"}]}`))
	d.say("policy", "attach", "reads", "--user", "reader")
	d.say("bucket", "policy", "set", "day", "--file", d.file("day.json", `{"Version":"2012-10-17","Statement":[
		{"Sid":"shut","Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::day/secret/*"}]}`))
	for _, c := range []struct {
		who, action, key string
		allowed          bool
		kind, sid        string
	}{
		{"reader", "s3:GetObject", "k", true, "identity", "all"},
		{"reader", "s3:GetObject", "secret/k", false, "bucket policy", "shut"},
		{"reader", "s3:PutObject", "k", false, "", ""},
		{"anonymous", "s3:GetObject", "k", false, "", ""},
	} {
		var got struct {
			Allowed   bool
			DecidedBy []struct{ Kind, Sid string } `json:"decided_by"`
		}
		text := d.say("policy", "simulate", "--as", c.who, "--action", c.action, "--resource", "s3://day/"+c.key, "-o",
			"json")
		require.NoError(t, json.Unmarshal([]byte(text), &got), text)
		require.Equal(t, c.allowed, got.Allowed, text)
		if c.kind == "" {
			require.Empty(t, got.DecidedBy, text)
			continue
		}
		require.Equal(t, []string{c.kind, c.sid}, []string{got.DecidedBy[0].Kind, got.DecidedBy[0].Sid}, text)
	}
}

// explains asks what rules would do, once for nothing and once for what is due at once.
func (d *operatorsDay) explains(t *testing.T) {
	_, err := client(d.up()[0]).PutObject(t.Context(), &s3.PutObjectInput{Bucket: ptr("day"), Key: ptr("logs/a"),
		Body: strings.NewReader("a")})
	require.NoError(t, err)
	require.Contains(t, d.say("bucket", "lifecycle", "explain", "day"), "0 due")
	d.say("bucket", "lifecycle", "set", "day", "--file", d.file("past.json",
		`{"Rules":[{"ID":"past","Status":"Enabled","Filter":{"Prefix":"logs/"},
			"Expiration":{"Date":"2026-01-01T00:00:00Z"}}]}`))
	got := d.say("bucket", "lifecycle", "explain", "day", "--key", "logs/a")
	require.Contains(t, got, "expire the object")
	require.Contains(t, got, "past")
	d.say("bucket", "lifecycle", "clear", "day", "--yes")
}

// sums checks that what accounts store is what is in their buckets.
func (d *operatorsDay) sums(t *testing.T) {
	var uses []struct {
		Account string
		Buckets int
	}
	text := d.say("account", "usage", "-o", "json")
	require.NoError(t, json.Unmarshal([]byte(text), &uses), text)
	require.Equal(t, "cairn", uses[0].Account)
	require.GreaterOrEqual(t, uses[0].Buckets, 3)
	require.True(t, strings.Contains(d.say("account", "usage"), "OBJECTS"))
}

// verifies reads small and large objects.
func (d *operatorsDay) verifies(t *testing.T) {
	var bytes int
	for i, size := range []int{0, 1, 100_000, 3 << 20} {
		bytes += size
		_, err := client(d.up()[0]).PutObject(t.Context(), &s3.PutObjectInput{Bucket: ptr("day"),
			Key:  ptr(fmt.Sprintf("checked/%d", i)),
			Body: strings.NewReader(strings.Repeat("x", size))})
		require.NoError(t, err)
	}
	var got struct {
		Objects, Bytes int
		BadCount       int `json:"bad_count"`
	}
	text := d.say("verify", "s3://day/checked/", "-o", "json")
	require.NoError(t, json.Unmarshal([]byte(text), &got), text)
	require.Equal(t, []int{4, bytes, 0}, []int{got.Objects, got.Bytes, got.BadCount}, text)
}

// watches lists jobs, and pauses and resumes scrub, which every drive has done by then.
func (d *operatorsDay) watches(t *testing.T) {
	type job struct{ Name, Drive, State, Last string }
	scrubs := func() (out []job) {
		var all struct{ Jobs []job }
		text := d.say("job", "list", "-o", "json")
		require.NoError(t, json.Unmarshal([]byte(text), &all), text)
		for _, j := range all.Jobs {
			if j.Name == "scrub" {
				require.NotEmpty(t, j.Drive, text)
				out = append(out, j)
			}
		}
		return out
	}
	every := func(what string, is func(job) bool) {
		d.eventually(what, scrubTimeout, func() bool {
			all := scrubs()
			for _, j := range all {
				if !is(j) {
					return false
				}
			}
			return len(all) >= 3
		})
	}
	every("each drive was scrubbed", func(j job) bool { return j.Last != "" })
	d.say("job", "pause", "scrub")
	every("scrub is paused", func(j job) bool { return j.State == "paused" })
	require.Contains(t, d.say("job", "list"), "paused by")
	d.say("job", "resume", "scrub")
	every("scrub goes on", func(j job) bool { return j.State != "paused" })
	require.Contains(t, d.say("job", "list", "--all"), "NEXT RUN")
}

// scrubTimeout is how long every drive may take to be scrubbed. There are a few shards.
const scrubTimeout = 5 * time.Minute

// turns changes settings of background work and logs, and sees that each node has them in force.
func (d *operatorsDay) turns(t *testing.T) {
	type shown struct {
		Nodes []struct{ Value, Source, Error string }
	}
	inForce := func(name, value, source string) {
		d.eventually("the setting "+name+" is "+value, time.Minute, func() bool {
			var s shown
			require.NoError(t, json.Unmarshal([]byte(d.say("config", "show", name, "-o", "json")), &s))
			require.Len(t, s.Nodes, 3)
			for _, n := range s.Nodes {
				if n.Value != value || n.Source != source || n.Error != "" {
					return false
				}
			}
			return true
		})
	}
	for name, value := range map[string]string{"repair-rate": "32MiB", "move-rate": "0", "scrub-interval": "48h0m0s",
		"gc-grace": "2h0m0s", "lost-after": "0s", "log-level": "debug"} {
		d.say("config", "set", name, value)
		inForce(name, value, "cluster")
	}
	before := d.scrubRounds()
	d.say("job", "run", "scrub")
	d.eventually("each drive was verified, though the interval is two days", scrubTimeout, func() bool {
		for i, n := range d.scrubRounds() {
			if n <= before[i] {
				return false
			}
		}
		return true
	})
	require.Contains(t, d.say("logs", "level"), "debug")
	d.say("logs", "level", "warn")
	inForce("log-level", "warn", "logs level")
	d.say("logs", "level", "default")
	d.say("config", "reset", "log-level")
	inForce("log-level", "info", "default")
	_, err := d.cairn("config", "set", "repair-rate", "fast")
	require.ErrorContains(t, err, "a size such as")
}

// examined asks the doctor, who finds a setting that nodes have different, and nothing to say of the drives but
// that they share a disk.
func (d *operatorsDay) examined(t *testing.T) {
	type finding struct{ Where, What, State, Found, Action string }
	dirs := []string{t.TempDir(), t.TempDir()}
	out, err := d.cairn("doctor", "--all", "-o", "json", "--data", strings.Join(dirs, ","))
	require.Error(t, err, "two drives of one disk are to be changed")
	var all []finding
	require.NoError(t, json.Unmarshal(out, &all), "%s", out)
	states := map[string]string{}
	for _, f := range all {
		states[f.Where+" "+f.What] = f.State
		if f.State == "advice" || f.State == "warning" {
			require.NotEmpty(t, f.Action, "%+v", f)
		}
	}
	require.Contains(t, states, "machine kernel")
	require.Contains(t, states, dirs[0]+" sync")
	require.Equal(t, "warning", states[min(dirs[0], dirs[1])+" device"])
	require.Equal(t, "ok", states["cluster metadata"], "%s", out)
	require.Equal(t, "ok", states["cluster versions"])
	require.Equal(t, "ok", states["cluster settings"])
	for _, p := range d.nodes {
		require.Contains(t, states, p.Host()+" network")
	}
	for _, dir := range dirs {
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left)
	}
}
