package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// errAnswer says that something else than what was asked for answers.
var errAnswer = errors.New("unexpected answer")

// probe connects to a port at an address, as p says, and returns why that
// failed. The connection ends with ctx, or sooner.
func (w *Witness) probe(ctx context.Context, at netip.Addr, p Probe) error {
	network := "tcp"
	if p.Kind == STUNUDP {
		network = "udp"
	}
	conn, err := w.dial(ctx, network, netip.AddrPortFrom(at, p.Port).String())
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if p.Kind.tls() {
		secure := tls.Client(conn, &tls.Config{ServerName: p.Name, RootCAs: w.roots, MinVersion: tls.VersionTLS12})
		if err := secure.HandshakeContext(ctx); err != nil {
			return err
		}
		conn = secure
	}
	switch p.Kind {
	case TCPTLS:
		return nil
	case STUNUDP:
		return bindUDP(conn, deadline)
	default:
		return bind(conn)
	}
}

func resultOf(err error) Result {
	var certificate *tls.CertificateVerificationError
	var failed net.Error
	switch {
	case err == nil:
		return OK
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.As(err, &certificate):
		return BadCertificate
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return Unreachable
	case errors.As(err, &failed) && failed.Timeout(), late(err), errors.Is(err, net.ErrClosed):
		return Timeout
	}
	return WrongAnswer
}

// STUN, RFC 8489: as much of it as asks a server whether it is there.
const (
	bindingRequest = 0x0001
	bindingSuccess = 0x0101
	magicCookie    = 0x2112A442
	stunHead       = 20
)

func newBinding() []byte {
	b := binary.BigEndian.AppendUint16(nil, bindingRequest)
	b = binary.BigEndian.AppendUint16(b, 0) // no attributes
	b = binary.BigEndian.AppendUint32(b, magicCookie)
	id := make([]byte, 12)
	rand.Read(id) // never fails
	return append(b, id...)
}

// answers reports whether reply begins as the success that request asks for.
func answers(request, reply []byte) bool {
	return len(reply) >= stunHead && binary.BigEndian.Uint16(reply) == bindingSuccess && bytes.Equal(request[4:stunHead], reply[4:stunHead])
}

func bind(conn net.Conn) error {
	request := newBinding()
	if _, err := conn.Write(request); err != nil {
		return err
	}
	reply := make([]byte, stunHead)
	if _, err := io.ReadFull(conn, reply); err != nil {
		return err
	}
	if !answers(request, reply) {
		return errAnswer
	}
	return nil
}

// resend is when a request over UDP is sent again.
const resend = 500 * time.Millisecond

func bindUDP(conn net.Conn, deadline time.Time) error {
	request := newBinding()
	reply := make([]byte, 1500)
	for time.Now().Before(deadline) {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		conn.SetReadDeadline(earlier(time.Now().Add(resend), deadline))
		switch n, err := conn.Read(reply); {
		case errors.Is(err, os.ErrDeadlineExceeded):
		case err != nil:
			return err
		case !answers(request, reply[:n]):
			return errAnswer
		default:
			return nil
		}
	}
	return os.ErrDeadlineExceeded
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
