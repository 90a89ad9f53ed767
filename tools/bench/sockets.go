package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/cairnstore/cairn/cluster/identity"
)

// pair returns both ends of a connection over loopback.
func pair() (client, server net.Conn, err error) {
	l, err := net.Listen("tcp", loopback+":0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		return nil, nil, err
	}
	if server, err = l.Accept(); err != nil {
		_ = client.Close()
		return nil, nil, err
	}
	return client, server, nil
}

// tlsPair returns both ends of a connection with TLS 1.3, after the handshake.
func tlsPair(dir string) (client, server *tls.Conn, err error) {
	ca, cert, key, err := identity.LocalCA(filepath.Join(dir, "tls"), nil)
	if err != nil {
		return nil, nil, err
	}
	own, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, nil, err
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, nil, fmt.Errorf("%s holds no certificate", ca)
	}
	a, b, err := pair()
	if err != nil {
		return nil, nil, err
	}
	client = tls.Client(a, &tls.Config{RootCAs: roots, ServerName: loopback, MinVersion: tls.VersionTLS13,
		DynamicRecordSizingDisabled: true})
	server = tls.Server(b, &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS13,
		DynamicRecordSizingDisabled: true})
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }() // Ends with the client's handshake, or with the connection.
	err = client.Handshake()
	if err != nil {
		_ = a.Close()
		_ = b.Close()
	}
	if serverErr := <-done; err == nil {
		err = serverErr
	}
	return client, server, err
}

// streaming measures blocks that go from one end to the other. A step ends when all of a block has
// come.
func streaming(client, server net.Conn) gauge {
	came := make(chan error)
	go func() { // Ends when close has closed the connection.
		defer close(came)
		p := make([]byte, blockBytes)
		for {
			_, err := io.ReadFull(server, p)
			came <- err
			if err != nil {
				return
			}
		}
	}()
	p := make([]byte, blockBytes)
	return gauge{
		step: func() (int64, error) {
			if _, err := client.Write(p); err != nil {
				return 0, err
			}
			return blockBytes, <-came
		},
		close: func() error {
			err := client.Close()
			<-came
			_ = server.Close() // Only to free it: the other end is closed.
			return err
		},
	}
}

func overSocket(string) (gauge, error) {
	client, server, err := pair()
	if err != nil {
		return gauge{}, err
	}
	return streaming(client, server), nil
}

func overTLS(dir string) (gauge, error) {
	client, server, err := tlsPair(dir)
	if err != nil {
		return gauge{}, err
	}
	return streaming(client, server), nil
}

// exchangeBytes is about the size of a small request or answer between nodes.
const exchangeBytes = 1 << 10

// exchanging measures a question and an answer.
func exchanging(dir string) (gauge, error) {
	client, server, err := tlsPair(dir)
	if err != nil {
		return gauge{}, err
	}
	ended := make(chan struct{})
	go func() { // Ends when close has closed the connection.
		defer close(ended)
		p := make([]byte, exchangeBytes)
		for {
			if _, err := io.ReadFull(server, p); err != nil {
				return
			}
			if _, err := server.Write(p); err != nil {
				return
			}
		}
	}()
	p := make([]byte, exchangeBytes)
	return gauge{
		step: func() (int64, error) {
			if _, err := client.Write(p); err != nil {
				return 0, err
			}
			_, err := io.ReadFull(client, p)
			return 1, err
		},
		close: func() error {
			err := client.Close()
			<-ended
			_ = server.Close() // Only to free it: the other end is closed.
			return err
		},
	}, nil
}
