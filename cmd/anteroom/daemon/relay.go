package daemon

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"time"

	"anteroom/cmd/anteroom/config"
	"anteroom/discovery/identity"
	"anteroom/node/relay"
	"anteroom/rendezvous/wire"
)

// A relayPart is the relay of a node: nil if it has none.
type relayPart struct {
	*relay.Relay
	stun, turn []string         // URLs by which browsers use it
	local      []netip.AddrPort // where it listens for UDP and TCP
	sockets    []io.Closer
}

// newRelay binds what plan names. overTLS are listeners of TLS connections that
// the relay shares with the page.
func newRelay(ctx context.Context, plan config.Plan, overTLS []net.Listener, log *slog.Logger) (_ *relayPart, err error) {
	if !plan.HasRelay {
		return nil, nil
	}
	part := &relayPart{}
	secret, err := relaySecret(plan.Dir)
	if err != nil {
		return nil, err
	}
	sockets := relay.Config{TCP: overTLS, Secret: secret, Limits: plan.Relay.Limits, Log: log}
	defer func() {
		if err != nil {
			part.close()
		}
	}()
	host := plan.Relay.Host
	for _, addrs := range plan.Relay.Listen {
		udp, tcp, err := relay.Listen(ctx, addrs...)
		if err != nil {
			return nil, fmt.Errorf("relay.listen: %w", err)
		}
		for _, c := range udp {
			part.sockets = append(part.sockets, c)
		}
		for _, l := range tcp {
			part.sockets = append(part.sockets, l)
			part.local = append(part.local, l.Addr().(*net.TCPAddr).AddrPort())
		}
		sockets.UDP, sockets.TCP = append(sockets.UDP, udp...), append(sockets.TCP, tcp...)
		port := strconv.Itoa(int(part.local[len(part.local)-1].Port()))
		where := net.JoinHostPort(host, port)
		part.stun = append(part.stun, "stun:"+where)
		part.turn = append(part.turn, "turn:"+where+"?transport=udp", "turn:"+where+"?transport=tcp")
	}
	if len(overTLS) > 0 {
		part.turn = append(part.turn, "turns:"+net.JoinHostPort(host, plan.PublicPort())+"?transport=tcp")
	}
	if part.Relay, err = relay.New(sockets); err != nil {
		return nil, err
	}
	return part, nil
}

// relaySecret is what credentials are made from: the same after a restart, so
// that calls find their way back to the relay.
func relaySecret(dir config.Dir) ([]byte, error) {
	key, err := identity.LoadOrCreate(dir.Identity())
	if err != nil {
		return nil, err
	}
	raw, err := key.Raw()
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	return hkdf.Key(sha256.New, raw, nil, "anteroom relay credentials", sha256.Size)
}

// close is for a relay that does not run.
func (r *relayPart) close() error {
	var errs []error
	for _, s := range r.sockets {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// Grant implements lend.Relay.
func (r *relayPart) Grant(call, seat string, until time.Time) []wire.ICEServer {
	given := r.Relay.Grant(call, seat, until)
	servers := []wire.ICEServer{{URLs: r.turn, Username: given.Username, Credential: given.Password.Reveal()}}
	if len(r.stun) > 0 {
		servers = append(servers, wire.ICEServer{URLs: r.stun})
	}
	return servers
}
