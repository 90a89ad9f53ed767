// Package e2e tests Cairn as its users meet it: with server processes on one machine, real clients,
// processes that are killed without warning, bytes that are flipped in shard files, and a search for
// keys in everything that a cluster leaves behind. Run it with `make e2e`. It needs bin/cairn and the
// clients that .ci/run installs: the aws CLI, boto3, s3cmd and rclone.
//
// A test with a cluster of its own runs beside others (t.Parallel), because it waits most of the time.
// Tests that put the whole machine under load run alone.
package e2e
