// Package e2e tests Cairn as its users meet it: six server processes on one
// machine, real clients, processes killed without warning, bytes flipped in shard
// files, and a search for keys in everything that a cluster leaves behind. Run it
// with `make e2e`; it needs bin/cairn and the clients that .ci/run installs: the
// aws CLI, boto3, s3cmd and rclone.
//
// A test with a cluster of its own runs beside others (t.Parallel): most of its time
// it waits. Those that put the whole machine under load run alone.
package e2e
