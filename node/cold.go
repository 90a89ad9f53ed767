package node

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/cairnstore/cairn/shard"
)

// autoScheme lets the number of failure domains decide the scheme of cold data.
const autoScheme = "auto"

// coldFlags registers the settings of cold data.
func (c *Config) coldFlags(fs *pflag.FlagSet) {
	fs.StringVar(&c.ColdScheme, "cold-scheme", autoScheme,
		"coding of GLACIER objects as DATA+PARITY, such as 8+4, where there are as many failure domains and it is as safe as the standard scheme (auto: 6+2 from 8 domains, 8+4 from 12, 10+4 from 14)")
	fs.DurationVar(&c.RestoreExpedited, "restore-delay-expedited", time.Minute, "how long a restore of tier Expedited waits before it begins")
	fs.DurationVar(&c.RestoreStandard, "restore-delay-standard", 3*time.Hour, "how long a restore of tier Standard waits before it begins")
	fs.DurationVar(&c.RestoreBulk, "restore-delay-bulk", 5*time.Hour, "how long a restore of tier Bulk waits before it begins")
}

func (c *Config) validateCold() error {
	if _, err := parseScheme(c.ColdScheme); err != nil {
		return settingError("cold-scheme", "%v", err)
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{{"restore-delay-expedited", c.RestoreExpedited}, {"restore-delay-standard", c.RestoreStandard}, {"restore-delay-bulk", c.RestoreBulk}} {
		if d.d <= 0 {
			return settingError(d.name, "%s is not a positive duration", d.d)
		}
	}
	return nil
}

// parseScheme reads DATA+PARITY. auto is the zero Scheme.
func parseScheme(s string) (shard.Scheme, error) {
	if s == autoScheme {
		return shard.Scheme{}, nil
	}
	var scheme shard.Scheme
	if _, err := fmt.Sscanf(s, "%d+%d", &scheme.K, &scheme.M); err != nil || scheme.String() != s || !scheme.Valid() || scheme.M == 0 {
		return shard.Scheme{}, fmt.Errorf("%q is neither %s nor DATA+PARITY with 1 to %d data and at least 1 parity shards, at most %d together",
			s, autoScheme, shard.MaxDataShards, shard.MaxShards)
	}
	return scheme, nil
}

// coldScheme returns the setting --cold-scheme of a valid Config.
func (c *Config) coldScheme() shard.Scheme {
	s, _ := parseScheme(c.ColdScheme) // Validate has read it.
	return s
}
