package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cairnstore/cairn/cluster/identity"
	"github.com/cairnstore/cairn/tools/testbed"
)

// peer is another S3 server that can be started beside Cairn.
type peer struct {
	name, env string // env names the environment variable with the path of its binary.
	remark    string
	set       func(p *peerSetup) error
}

var peers = []peer{
	{"minio", "MINIO", "six processes, 4+2, a sync before it answers, TLS between its nodes too", setMinIO},
	{"seaweedfs", "WEED", "nine processes, 2 copies and no parity, no sync before it answers, TLS at the gateway only",
		setSeaweed},
}

func peerNames() string {
	var names []string
	for _, p := range peers {
		names = append(names, p.env+" ("+p.name+")")
	}
	return strings.Join(names, ", ")
}

// peerSetup is what a peer is started with.
type peerSetup struct {
	daemons
	spec
	bin       string
	ports     []int  // Free ports, as many as any peer needs.
	cert, key string // The certificate of a server on loopback, and its key.
}

const peerPorts = 32

// start runs a peer on loopback, with directories of its own.
func (p peer) start(ctx context.Context, o options, bin string) (spec, func(), error) {
	nothing := func() {}
	bin, err := filepath.Abs(bin)
	if err != nil {
		return spec{}, nothing, err
	}
	dir, err := own(o.dir, p.name)
	if err != nil {
		return spec{}, nothing, err
	}
	s := &peerSetup{bin: bin, daemons: daemons{dir: dir}}
	s.spec = spec{name: p.name, remark: p.remark, access: "bench" + rand.Text()[:8], secret: rand.Text()}
	if s.ports, err = testbed.FreePorts(peerPorts); err != nil {
		return spec{}, nothing, err
	}
	if s.ca, s.cert, s.key, err = identity.LocalCA(filepath.Join(dir, "tls"), nil); err != nil {
		return spec{}, nothing, err
	}
	if err := p.set(s); err != nil {
		return spec{}, s.kill, err
	}
	s.procs.pids = s.pids()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := await(ctx, s.spec); err != nil {
		return spec{}, s.kill, fmt.Errorf("%w; its logs:%s", err, s.words())
	}
	return s.spec, s.kill, nil
}

// make makes a directory below the peer's.
func (s *peerSetup) make(name string) (string, error) {
	dir := filepath.Join(s.dir, name)
	return dir, os.MkdirAll(dir, 0o755)
}

// setMinIO starts six servers that are one erasure set with two parities.
func setMinIO(s *peerSetup) error {
	if _, err := s.make("certs/CAs"); err != nil {
		return err
	}
	certs := filepath.Join(s.dir, "certs")
	files := map[string]string{s.ca: "CAs/ca.crt", s.cert: "public.crt", s.key: "private.key"}
	for from, to := range files {
		text, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(certs, to), text, 0o600); err != nil {
			return err
		}
	}
	s.env = []string{"MINIO_ROOT_USER=" + s.access, "MINIO_ROOT_PASSWORD=" + s.secret, "MINIO_STORAGE_CLASS_STANDARD=EC:2",
		"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CI_CD=1"} // CI: drives may lie on the system's disk.
	args := []string{"server", "--quiet", "--certs-dir", certs}
	var pools []string
	for i := range nodes {
		dir, err := s.make("drive" + strconv.Itoa(i))
		if err != nil {
			return err
		}
		pools = append(pools, "https://"+at(s.ports[i])+dir)
	}
	for i := range nodes {
		if err := s.word("https://" + at(s.ports[i])); err != nil {
			return err
		}
		one := slices.Concat(args, []string{"--address", at(s.ports[i])}, pools)
		// In a container it takes loopback for a name that does not resolve yet, unless it is told that
		// this address is its own.
		self := []string{"_MINIO_SERVER_LOCAL=" + at(s.ports[i])}
		if err := s.run("server"+strconv.Itoa(i), s.bin, self, one...); err != nil {
			return err
		}
	}
	return nil
}

// weed is one of SeaweedFS's servers. Each has a port for HTTP and one for its own protocol.
type weed struct{ http, grpc int }

// weed takes two of the free ports.
func (s *peerSetup) weed() weed {
	w := weed{s.ports[0], s.ports[1]}
	s.ports = s.ports[2:]
	return w
}

// address returns the name by which other servers know it.
func (w weed) address() string { return at(w.http) + "." + strconv.Itoa(w.grpc) }

// runWeed starts one of SeaweedFS's servers.
func (s *peerSetup) runWeed(w weed, kind, name string, args ...string) error {
	common := []string{kind, "-ip", loopback, "-ip.bind", loopback,
		"-port", strconv.Itoa(w.http), "-port.grpc", strconv.Itoa(w.grpc)}
	return s.run(name, s.bin, nil, append(common, args...)...)
}

// setSeaweed starts a master, six volume servers in six racks, a filer and a gateway.
func setSeaweed(s *peerSetup) error {
	master, filer := s.weed(), s.weed()
	dir, err := s.make("master")
	if err != nil {
		return err
	}
	err = s.runWeed(master, "master", "master", "-mdir", dir, "-peers", "none", "-defaultReplication", "010",
		"-telemetry=false")
	if err != nil {
		return err
	}
	for i := range nodes {
		name := "volume" + strconv.Itoa(i)
		if dir, err = s.make(name); err != nil {
			return err
		}
		err = s.runWeed(s.weed(), "volume", name, "-dir", dir, "-master", master.address(),
			"-rack", "rack"+strconv.Itoa(i), "-max", "100")
		if err != nil {
			return err
		}
	}
	if dir, err = s.make("filer"); err != nil {
		return err
	}
	err = s.runWeed(filer, "filer", "filer", "-master", master.address(), "-defaultStoreDir", dir,
		"-localSocket", filepath.Join(dir, "socket"))
	if err != nil {
		return err
	}
	return s.gateway(filer)
}

// gateway starts SeaweedFS's S3 server, to which all requests go.
func (s *peerSetup) gateway(filer weed) error {
	type credential struct {
		AccessKey string `json:"accessKey"`
		SecretKey string `json:"secretKey"`
	}
	type person struct {
		Name        string       `json:"name"`
		Credentials []credential `json:"credentials"`
		Actions     []string     `json:"actions"`
	}
	admin := person{"bench", []credential{{s.access, s.secret}}, []string{"Admin"}}
	text, err := json.Marshal(map[string][]person{"identities": {admin}})
	if err != nil {
		return err
	}
	config := filepath.Join(s.dir, "s3.json")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return err
	}
	own := s.weed()
	if err := s.word("https://" + at(own.http)); err != nil {
		return err
	}
	return s.runWeed(own, "s3", "s3", "-filer", filer.address(), "-config", config,
		"-cert.file", s.cert, "-key.file", s.key, "-port.iceberg", "0", "-port.lance", "0",
		"-localSocket", filepath.Join(s.dir, "s3.socket"))
}
