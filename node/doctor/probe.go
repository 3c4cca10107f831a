package doctor

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery/contacts"
)

// errAnswer says that something else than what was asked for answers.
var errAnswer = errors.New("unexpected answer")

// A prober connects to ports.
type prober struct {
	roots *x509.CertPool // of certificates; nil: the system's
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
}

// probe connects to a port at an address, as p says, and returns why that
// failed. A page must be that of node. The connection ends with ctx, or sooner.
func (pr prober) probe(ctx context.Context, at netip.Addr, p Probe, node peer.ID) error {
	network := "tcp"
	if p.Kind == STUNUDP {
		network = "udp"
	}
	conn, err := pr.dial(ctx, network, netip.AddrPortFrom(at, p.Port).String())
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if p.Kind.tls() {
		secure := tls.Client(conn, &tls.Config{ServerName: p.Name, RootCAs: pr.roots, MinVersion: tls.VersionTLS12})
		if err := secure.HandshakeContext(ctx); err != nil {
			return err
		}
		conn = secure
	}
	switch p.Kind {
	case TCPTLS:
		found, err := readCard(conn, hostOf(p.Name, p.Port))
		if err == nil && found != node {
			err = errAnswer
		}
		return err
	case STUNUDP:
		return bindUDP(conn, deadline)
	default:
		return bind(conn)
	}
}

// hostOf is what browsers put into Host for a page with TLS.
func hostOf(name string, port uint16) string {
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	if port == 443 {
		return name
	}
	return fmt.Sprintf("%s:%d", name, port)
}

const (
	// cardPath is where a page has the card of the node that serves it.
	cardPath = "/.well-known/anteroom"

	// maxAnswer is more than a card takes, with all that is before it.
	maxAnswer = 64 << 10
)

// A statusError says that a page answers with another status than 200.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("status %d", int(s)) }

// readCard asks the page at the other end of conn whose it is.
func readCard(conn net.Conn, host string) (peer.ID, error) {
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", cardPath, host); err != nil {
		return "", err
	}
	answer, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxAnswer)), nil)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", statusError(answer.StatusCode)
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	card, err := contacts.ParseCard(string(text))
	if err != nil {
		return "", errAnswer
	}
	return card.ID, nil
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
