package identity

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const otherText = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func testIdentity(t testing.TB, keyText string, node cluster.NodeID) *Identity {
	t.Helper()
	id, err := New(testKey(t, keyText), node)
	require.NoError(t, err)
	return id
}

// alertWait is how long a side that refused leaves the connection open, so that the
// other one reads why, whichever of the two is faster.
const alertWait = 5 * time.Second

// shake connects a client and a server over a pipe, sends a byte each way, and
// returns what each of them got. Only when both errors are nil is a connection good:
// in TLS 1.3 a client learns of a refusal when it reads.
func shake(server, client *tls.Config) (serverState, clientState tls.ConnectionState, serverErr, clientErr error) {
	a, b := pipe()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	done := make(chan error, 1)
	s, c := tls.Server(a, server), tls.Client(b, client)
	go func() {
		err := exchange(ctx, s)
		if err != nil {
			time.AfterFunc(alertWait, func() { _ = a.Close() })
		}
		done <- err
	}()
	if clientErr = exchange(ctx, c); clientErr != nil {
		time.AfterFunc(alertWait, func() { _ = b.Close() })
	}
	serverErr = <-done
	serverState, clientState = s.ConnectionState(), c.ConnectionState()
	_, _ = a.Close(), b.Close()
	return serverState, clientState, serverErr, clientErr
}

func exchange(ctx context.Context, c *tls.Conn) error {
	if err := c.HandshakeContext(ctx); err != nil {
		return err
	}
	if _, err := c.Write([]byte{1}); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err
}

func TestMembersTrustEachOther(t *testing.T) {
	a, b := testIdentity(t, keyText, 1), testIdentity(t, keyText, 0xfffffffffffffff2)
	atServer, atClient, serverErr, clientErr := shake(a.ServerTLS(), b.ClientTLS())
	require.NoError(t, serverErr)
	require.NoError(t, clientErr)
	require.Equal(t, uint16(tls.VersionTLS13), atServer.Version)
	got, err := PeerNode(&atServer)
	require.NoError(t, err)
	require.Equal(t, cluster.NodeID(0xfffffffffffffff2), got)
	got, err = PeerNode(&atClient)
	require.NoError(t, err)
	require.Equal(t, cluster.NodeID(1), got)
}

func TestOtherKeyIsRefusedByBothSides(t *testing.T) {
	ours, theirs := testIdentity(t, keyText, 1), testIdentity(t, otherText, 2)
	trusting := theirs.ClientTLS().Clone()
	trusting.VerifyConnection = nil // A client that believes anybody.
	_, _, serverErr, clientErr := shake(ours.ServerTLS(), trusting)
	require.ErrorContains(t, serverErr, "another cluster key")
	require.Error(t, clientErr)
	require.True(t, Distrusted(serverErr))
	require.True(t, Distrusted(clientErr), "%v", clientErr)

	careless := theirs.ServerTLS().Clone()
	careless.VerifyConnection = nil
	_, _, serverErr, clientErr = shake(careless, ours.ClientTLS())
	require.ErrorContains(t, clientErr, "another cluster key")
	require.Error(t, serverErr)
	require.True(t, Distrusted(serverErr), "%v", serverErr)
	require.True(t, Distrusted(clientErr))
	require.False(t, Distrusted(io.EOF))
	require.False(t, Distrusted(nil))
}

func TestClientWithoutCertificateIsRefused(t *testing.T) {
	ours := testIdentity(t, keyText, 1)
	for name, client := range map[string]*tls.Config{
		"none": {InsecureSkipVerify: true},
		"empty": {InsecureSkipVerify: true, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &tls.Certificate{}, nil
		}},
	} {
		_, _, serverErr, clientErr := shake(ours.ServerTLS(), client)
		require.Error(t, serverErr, name)
		require.Error(t, clientErr, name)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	ours := testIdentity(t, keyText, 1)
	old := testIdentity(t, keyText, 2).ClientTLS().Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	_, _, serverErr, clientErr := shake(ours.ServerTLS(), old)
	require.Error(t, serverErr)
	require.Error(t, clientErr)
}

func TestSessionsResumeAndAreStillChecked(t *testing.T) {
	a, b := testIdentity(t, keyText, 1), testIdentity(t, keyText, 2)
	_, first, _, clientErr := shake(a.ServerTLS(), b.ClientTLS())
	require.NoError(t, clientErr)
	require.False(t, first.DidResume)
	atServer, second, serverErr, clientErr := shake(a.ServerTLS(), b.ClientTLS())
	require.NoError(t, serverErr)
	require.NoError(t, clientErr)
	require.True(t, second.DidResume)
	got, err := PeerNode(&atServer)
	require.NoError(t, err)
	require.Equal(t, cluster.NodeID(2), got)
}

func TestPeerNodeWithoutName(t *testing.T) {
	for _, cs := range []*tls.ConnectionState{nil, {}, {PeerCertificates: []*x509.Certificate{{}}}} {
		_, err := PeerNode(cs)
		require.True(t, errs.Is(err, errs.Denied))
	}
}

// All nodes must derive the same: these values are part of the format.
func TestDerivedValuesArePinned(t *testing.T) {
	a, b := testIdentity(t, keyText, 1), testIdentity(t, keyText, 2)
	other := testIdentity(t, otherText, 1)
	require.Equal(t, a.GossipKey(), b.GossipKey())
	require.NotEqual(t, a.GossipKey(), other.GossipKey())
	require.Len(t, a.GossipKey(), 32)
	require.Equal(t, a.Digest(), b.Digest())
	require.Equal(t, "f0aeafb3a016c971", a.Digest())

	x, err := newAuthority(testKey(t, keyText))
	require.NoError(t, err)
	y, err := newAuthority(testKey(t, keyText))
	require.NoError(t, err)
	require.True(t, bytes.Equal(x.cert.Raw, y.cert.Raw), "the CA certificate is the same on all nodes")
}

// A node that runs for a year never shows a certificate near its end.
func TestCertificatesAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := testIdentity(t, keyText, 1), testIdentity(t, keyText, 2)
		serials := make(map[string]bool)
		fresh := b.ClientTLS().Clone()
		fresh.ClientSessionCache = nil // A resumed session shows the certificate it began with.
		for range 365 / 5 {
			_, _, serverErr, clientErr := shake(a.ServerTLS(), b.ClientTLS())
			require.NoError(t, serverErr)
			require.NoError(t, clientErr)
			_, atClient, serverErr, clientErr := shake(a.ServerTLS(), fresh)
			require.NoError(t, serverErr)
			require.NoError(t, clientErr)
			cert := atClient.PeerCertificates[0]
			require.Greater(t, time.Until(cert.NotAfter), 29*24*time.Hour)
			serials[cert.SerialNumber.String()] = true
			time.Sleep(5 * 24 * time.Hour)
		}
		require.GreaterOrEqual(t, len(serials), 6)
		require.LessOrEqual(t, len(serials), 8)
	})
}

// A session ends with the certificate that it stands for.
func TestExpiredPeerIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := testIdentity(t, keyText, 1), testIdentity(t, keyText, 2)
		stale, err := b.ClientTLS().GetClientCertificate(nil)
		require.NoError(t, err)
		client := b.ClientTLS().Clone()
		client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return stale, nil }
		_, _, serverErr, _ := shake(a.ServerTLS(), client)
		require.NoError(t, serverErr)
		time.Sleep(CertLife + time.Hour)
		_, _, serverErr, _ = shake(a.ServerTLS(), client)
		require.ErrorContains(t, serverErr, "expired")
	})
}

func BenchmarkHandshake(b *testing.B) {
	x, y := testIdentity(b, keyText, 1), testIdentity(b, keyText, 2)
	for b.Loop() {
		client := y.ClientTLS().Clone()
		client.ClientSessionCache = nil
		if _, _, _, err := shake(x.ServerTLS(), client); err != nil {
			b.Fatal(err)
		}
	}
}
