// Package deploy checks the files of deploy/ with the parsers of those who will read
// them: the manifests with the types of Kubernetes, unknown fields refused; the queries
// of the alerts and the dashboard with Prometheus' own parser.
//
// It is a module of its own, since these parsers bring more modules than all of Cairn
// and nothing that is shipped needs them. It imports nothing of Cairn: which metrics
// there are it reads in docs/metrics.md, which a test of node/observe keeps true. What
// needs no parser of others (are these settings? is this metric shown?) is tested in
// node and node/observe.
//
//	make test-deploy
package deploy
