package doctor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery"
)

// Protocol asks a peer to look at this node from outside. PROTOCOL.md,
// "Looking from outside".
const Protocol = "/anteroom/check/1"

const (
	checkVersion = 1
	maxProbes    = 4
	maxName      = 253
	maxRequest   = 2 + maxProbes*(1+2+1+maxName)

	answerHead = 1 + 8 + 16

	// askTime bounds one question: dialling, the probes, and the way back.
	askTime = 6 * time.Second
)

// A Kind is what a probe connects to.
type Kind byte

// The kinds of probes.
const (
	TCPTLS  Kind = 1 // the asker's page, with a certificate for Name
	STUNUDP Kind = 2
	STUNTCP Kind = 3
	STUNTLS Kind = 4 // STUN in TLS, for Name
)

func (k Kind) tls() bool { return k == TCPTLS || k == STUNTLS }

// A Probe is one connection to the node that asks.
type Probe struct {
	Kind Kind
	Port uint16
	Name string // for TLS: what its ClientHello and Host say; nothing is connected to it
}

func (p Probe) valid() bool {
	if p.Kind < TCPTLS || p.Kind > STUNTLS || p.Port == 0 {
		return false
	}
	if !p.Kind.tls() {
		return p.Name == ""
	}
	return p.Name != "" && len(p.Name) <= maxName && strings.Trim(p.Name, "abcdefghijklmnopqrstuvwxyz0123456789-_.:") == ""
}

// An Outcome is whether a peer looked.
type Outcome byte

// The outcomes. Only with Looked there are results.
const (
	Looked   Outcome = 0
	Relayed  Outcome = 1 // a relay is in between: the peer does not know where the asker is
	Private  Outcome = 2 // the asker's address is not on the internet
	TooOften Outcome = 3
)

// A Result is what became of a Probe.
type Result byte

// The results.
const (
	OK             Result = 0
	Refused        Result = 1
	Timeout        Result = 2
	Unreachable    Result = 3
	BadCertificate Result = 4
	WrongAnswer    Result = 5 // something else answers there
)

// An Answer is what a peer says of the node that asked it.
type Answer struct {
	Outcome Outcome
	Time    time.Time  // the peer's, when it answered
	Address netip.Addr // from where the peer sees the asker; none if Relayed
	Results []Result   // in the order of the probes

	QUIC bool // it was asked over QUIC: of this side, not the peer's word
}

var errMalformed = errors.New("malformed message")

func encodeRequest(probes []Probe) []byte {
	b := []byte{checkVersion, byte(len(probes))}
	for _, p := range probes {
		b = append(b, byte(p.Kind))
		b = binary.BigEndian.AppendUint16(b, p.Port)
		b = append(b, byte(len(p.Name)))
		b = append(b, p.Name...)
	}
	return b
}

// decodeRequest is strict: one meaning has one encoding.
func decodeRequest(b []byte) ([]Probe, error) {
	if len(b) < 2 || b[0] != checkVersion || b[1] > maxProbes {
		return nil, errMalformed
	}
	n, b := int(b[1]), b[2:]
	probes := make([]Probe, n)
	for i := range probes {
		if len(b) < 4 || len(b) < 4+int(b[3]) {
			return nil, errMalformed
		}
		end := 4 + int(b[3])
		probes[i] = Probe{Kind(b[0]), binary.BigEndian.Uint16(b[1:]), string(b[4:end])}
		if b = b[end:]; !probes[i].valid() {
			return nil, errMalformed
		}
	}
	if len(b) > 0 {
		return nil, errMalformed
	}
	return probes, nil
}

func encodeAnswer(a Answer) []byte {
	b := binary.BigEndian.AppendUint64([]byte{byte(a.Outcome)}, uint64(a.Time.UnixMilli()))
	var address [16]byte
	if a.Address.IsValid() {
		address = a.Address.As16()
	}
	b = append(b, address[:]...)
	for _, r := range a.Results {
		b = append(b, byte(r))
	}
	return b
}

// decodeAnswer reads the answer to n probes.
func decodeAnswer(b []byte, n int) (Answer, error) {
	if len(b) < answerHead {
		return Answer{}, errMalformed
	}
	a := Answer{Outcome: Outcome(b[0]), Time: time.UnixMilli(int64(binary.BigEndian.Uint64(b[1:])))}
	if ip := netip.AddrFrom16([16]byte(b[9:])); !ip.IsUnspecified() {
		a.Address = ip.Unmap()
	}
	for _, r := range b[answerHead:] {
		a.Results = append(a.Results, Result(r))
		if Result(r) > WrongAnswer {
			return Answer{}, errMalformed
		}
	}
	if a.Outcome != Looked {
		n = 0
	}
	if a.Outcome > TooOften || len(a.Results) != n {
		return Answer{}, errMalformed
	}
	return a, nil
}

// ask asks one peer.
func ask(ctx context.Context, d *discovery.Discovery, to peer.AddrInfo, probes []Probe) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	s, err := d.Open(ctx, to, Protocol)
	if err != nil {
		return Answer{}, err
	}
	defer s.Close()
	defer context.AfterFunc(ctx, func() { s.Reset() })()
	if _, err := s.Write(encodeRequest(probes)); err != nil {
		return Answer{}, fmt.Errorf("ask peer: %w", err)
	}
	if err := s.CloseWrite(); err != nil {
		return Answer{}, fmt.Errorf("ask peer: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(s, answerHead+maxProbes+1))
	if err != nil {
		return Answer{}, fmt.Errorf("read peer's answer: %w", err)
	}
	a, err := decodeAnswer(b, len(probes))
	if err != nil {
		s.Reset()
		return Answer{}, fmt.Errorf("read peer's answer: %w", err)
	}
	_, err = s.Conn().RemoteMultiaddr().ValueForProtocol(ma.P_QUIC_V1)
	a.QUIC = err == nil
	return a, nil
}
