package relay

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/pion/turn/v5"
)

// Try takes a place on the relay at addr over network, udp or tcp, with
// credentials, as a browser does, and gives it back. cfg is nil, or for TLS.
func (r *Relay) Try(ctx context.Context, network, addr string, cfg *tls.Config) error {
	conn, err := dialRelay(ctx, network, addr, cfg)
	if err != nil {
		return err
	}
	seat := rand.Text()
	granted := r.Grant("try", seat, time.Now().Add(time.Minute))
	defer r.table.closeIf(func(a *allocation) bool { return a.grant.seat == r.tag("seat", seat) })
	client, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: addr,
		TURNServerAddr: addr,
		Username:       granted.Username,
		Password:       granted.Password.Reveal(),
		Conn:           conn,
		LoggerFactory:  silence{},
	})
	if err != nil {
		conn.Close()
		return fmt.Errorf("make client: %w", err)
	}
	end := func() { client.Close(); conn.Close() }
	defer end()
	defer context.AfterFunc(ctx, end)() // Allocate knows no context
	if err := client.Listen(); err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	place, err := client.Allocate()
	if err == nil {
		place.Close() // ends what keeps it; the relay's end goes with the seat
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("ask for a place: %w", err)
}

func dialRelay(ctx context.Context, network, addr string, cfg *tls.Config) (net.PacketConn, error) {
	if network == "udp" {
		return new(net.ListenConfig).ListenPacket(ctx, network, ":0")
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if cfg != nil {
		secure := tls.Client(conn, cfg)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		conn = secure
	}
	return turn.NewSTUNConn(conn), nil
}
