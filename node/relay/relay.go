package relay

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/pion/turn/v5"
	"golang.org/x/sync/errgroup"

	"anteroom/node/admit"
)

// lifetime is how long an allocation lasts without a refresh, unless its
// client asks for less or, at most an hour, for more.
const lifetime = 10 * time.Minute

// idleTime is how long nothing has gone through an allocation that makes room
// for another of its seat. Browsers send something every few seconds through
// one that they use, and try one that they may use within seconds.
const idleTime = 10 * time.Second

// A Config is what a Relay is made of. It closes the sockets when it ends.
type Config struct {
	UDP []net.PacketConn // those of one address share its clients: see Listen
	TCP []net.Listener   // of connections that speak TURN, in TLS or not

	Realm  string // "anteroom" if empty
	Secret []byte // what credentials are made from; random if empty
	Limits Limits // zero fields mean those of DefaultLimits
	Log    *slog.Logger

	patience time.Duration // of streams, for tests; patience if zero
	idle     time.Duration // for tests; idleTime if zero

	clock func() time.Time // for tests; time.Now if nil
}

// Limits bound what clients can make a Relay do.
type Limits struct {
	Allocations int // at once; at most 1,024, of at most 254 calls
	PerSeat     int // allocations of one seat; one more ends one that is not used
	PerCall     int // allocations of one call

	// Of each allocation, counted where packets come in. One second's worth
	// may come at once.
	Bits    int // a second
	Packets int // a second

	TotalBits int // a second, of all together; 0: no limit

	// Replies is how many answers a second the clients of one /24, or /56, get
	// over UDP that have not proved that they hold credentials. A stream gets
	// as many of its own: nobody else can spend them.
	Replies int

	Streams          int // TCP connections at once; one more ends the oldest without an allocation
	StreamsPerPrefix int // of them, from one /24 or /56
}

// DefaultLimits are those of a small practice. For each of up to three others a
// browser makes an allocation on each of three transports, over IPv4 and over
// IPv6: 18. When its network changes, and when ICE begins anew, it makes them
// again while it still has the old ones. Four seats fit in a call.
var DefaultLimits = Limits{
	Allocations:      maxAllocations,
	PerSeat:          48,
	PerCall:          200,
	Bits:             4_000_000,
	Packets:          1500,
	Replies:          20,
	Streams:          768, // two allocations of three come over TCP or TLS
	StreamsPerPrefix: 64,
}

func (l Limits) withDefaults() Limits {
	for field, byDefault := range map[*int]int{
		&l.Allocations:      DefaultLimits.Allocations,
		&l.PerSeat:          DefaultLimits.PerSeat,
		&l.PerCall:          DefaultLimits.PerCall,
		&l.Bits:             DefaultLimits.Bits,
		&l.Packets:          DefaultLimits.Packets,
		&l.Replies:          DefaultLimits.Replies,
		&l.Streams:          DefaultLimits.Streams,
		&l.StreamsPerPrefix: DefaultLimits.StreamsPerPrefix,
	} {
		if *field == 0 {
			*field = byDefault
		}
	}
	return l
}

// A Relay carries packets between the clients that it has given credentials.
type Relay struct {
	realm  string
	secret []byte
	limits Limits
	log    *slog.Logger

	patience, idle time.Duration
	clock          func() time.Time

	endpoints []*endpoint
	table     table
	streams   *admit.Quota
	replies   *admit.Rate
	total     *limit // nil: none
	count     counters
}

// New returns a Relay on the given sockets. They are read from once it runs.
func New(cfg Config) (*Relay, error) {
	r := &Relay{
		realm:  cfg.Realm,
		secret: cfg.Secret,
		limits: cfg.Limits.withDefaults(),
		log:    cfg.Log,

		patience: cmp.Or(cfg.patience, patience),
		idle:     cmp.Or(cfg.idle, idleTime),
		clock:    cfg.clock,
	}
	if r.clock == nil {
		r.clock = time.Now
	}
	switch {
	case len(cfg.UDP)+len(cfg.TCP) == 0:
		return nil, errors.New("relay has no socket to listen on")
	case r.limits.Allocations < 1 || r.limits.Allocations > maxAllocations:
		return nil, fmt.Errorf("relay can have 1 to %d allocations, not %d", maxAllocations, r.limits.Allocations)
	}
	if r.realm == "" {
		r.realm = "anteroom"
	}
	if len(r.secret) == 0 {
		r.secret = make([]byte, 32)
		rand.Read(r.secret)
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.limits.TotalBits > 0 {
		r.total = newLimit(r.limits.TotalBits / 8)
	}
	r.replies = admit.NewRate(r.limits.Replies, r.limits.Replies)
	r.streams = admit.NewQuota(r.limits.Streams, r.limits.StreamsPerPrefix)
	r.table.init(r.limits)

	of := make(map[string]*endpoint)
	for _, conn := range cfg.UDP {
		name := conn.LocalAddr().String()
		if of[name] == nil {
			of[name] = newEndpoint(r, conn.LocalAddr())
			r.endpoints = append(r.endpoints, of[name])
		}
		of[name].sockets = append(of[name].sockets, batched(conn))
		of[name].conns = append(of[name].conns, conn)
	}
	for _, l := range cfg.TCP {
		f := newEndpoint(r, l.Addr())
		f.listener = l
		r.endpoints = append(r.endpoints, f)
	}
	return r, nil
}

// Run serves clients until ctx ends, and then returns nil, or until a socket
// fails. Allocations end with it.
func (r *Relay) Run(ctx context.Context) error {
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { // ends with ctx, or when a socket fails
		<-running.Done()
		for _, f := range r.endpoints {
			f.close()
		}
		return nil
	})

	library := turn.ServerConfig{
		Realm:               r.realm,
		LoggerFactory:       silence{},
		AuthHandler:         r.authenticate,
		QuotaHandler:        r.mayAllocate,
		EventHandler:        r.events(),
		AllocationLifetime:  lifetime,
		StrictAddressFamily: true, // IPv4 unless asked: so clients over IPv6 and IPv4 meet
		InboundMTU:          maxPacket + 1,
	}
	for _, f := range r.endpoints {
		library.PacketConnConfigs = append(library.PacketConnConfigs, turn.PacketConnConfig{
			PacketConn:            f,
			RelayAddressGenerator: generator{f},
			PermissionHandler:     f.mayReach,
		})
	}
	if _, err := turn.NewServer(library); err != nil { // it ends with the endpoints
		g.Go(func() error { return fmt.Errorf("start relay: %w", err) })
	}
	for _, f := range r.endpoints {
		for _, s := range f.sockets {
			g.Go(func() error { return f.readPackets(s) })
		}
		if f.listener != nil {
			g.Go(f.accept)
		}
	}
	r.log.Info("relay started", "n", len(r.endpoints))

	err := g.Wait()
	r.table.closeAll()
	r.log.Info("relay stopped", "n", r.count.packets.Load())
	if ctx.Err() != nil {
		return nil
	}
	return err
}
