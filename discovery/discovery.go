package discovery

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"anteroom/discovery/address"
	"anteroom/discovery/admission"
	"anteroom/discovery/circuits"
	"anteroom/discovery/contacts"
	"anteroom/discovery/host"
	"anteroom/discovery/limit"
	"anteroom/discovery/reach"
	"anteroom/discovery/records"
)

// Config says who this node is and whom it may talk to. The zero value with an
// Identity is a node that talks to nobody.
type Config struct {
	Identity crypto.PrivKey // Ed25519; see package identity

	// Listen are multiaddrs to bind, host/tcp/port or host/udp/port/quic-v1;
	// port 0 picks one. Empty: no listener.
	Listen []string

	// Announce are multiaddrs at which others reach this node although it
	// cannot see them on its own interfaces: a DNS name, a forwarded port.
	Announce []string

	// Peers are asked directly for every look-up and kept connected.
	Peers []PeerInfo

	// Bootstrap are ways into the DHT; they are not asked directly and are not
	// kept connected once the DHT has found others.
	Bootstrap []PeerInfo

	// Relays are nodes of one's own practice, or of friends, through which
	// others reach this node if it is behind NAT: it stays connected to all of
	// them, asks each to take calls for it, and names them in its addresses.
	// Who calls that way is called back directly where that can be done. They
	// are not asked in look-ups unless they are in Peers, too.
	Relays []PeerInfo

	// RelayFor are the nodes that this one is a relay for; empty: for none.
	// Anybody may call them through here, at most 8 MiB each way and 4 hours a
	// circuit.
	RelayFor []peer.ID

	// Partners are the other nodes of the same practice, and those that stand
	// for each other in the internet: no strangers, so that they may ask as
	// often as guests make them.
	Partners []peer.ID

	// LAN announces this node on the local network, by mDNS, and asks the nodes
	// found there like Peers, at their private addresses. Whoever is on that
	// network learns this node's peer ID and addresses, and by posing as a node
	// what it asks; both are opaque, but a peer ID is the same in every network.
	LAN bool

	// PortMapping asks the router on the local network, by UPnP, to forward the
	// listeners' ports, from New on. libp2p would ask by NAT-PMP, too, but it
	// does not find out whom (go-netroute v0.4.0 has no route to nowhere).
	PortMapping bool

	// AllowPrivate allows addresses that are not on the public internet to be
	// dialled and announced: for a LAN, or for trying it out on one computer,
	// where all nodes share one subnet. It also turns off what keeps one
	// subnet from crowding the DHT.
	AllowPrivate bool

	// Server is for a node that others can reach: it keeps DHT records. One
	// behind NAT only asks.
	Server bool

	// Limits bound strangers who connect; zero: DefaultLimits.
	Limits Limits

	// PeersFile is where added peers and last-known-good addresses are kept.
	// Empty: nowhere.
	PeersFile string

	Log *slog.Logger // nil: no logs

	environment *environment // nil: the real one
}

// PeerInfo is what an operator knows of another node.
type PeerInfo = contacts.Info

// How much of the strangers this node takes, and how much of that is used.
type (
	Limits = admission.Limits
	Fill   = admission.Fill
)

// DefaultLimits are those of a zero Config.
var DefaultLimits = admission.DefaultLimits

// What Publish and Search take and return.
type (
	Ack   = records.Ack
	Query = records.Query
)

// The errors of Publish and Search, and of Ask when nobody says yes.
var (
	ErrNotFound = records.ErrNotFound
	ErrNoPeers  = records.ErrNoPeers
)

const (
	// putsPerMinute is how many records one peer may put here.
	putsPerMinute = 60

	// findsPerSecond is how often one stranger may ask "is this yours?".
	findsPerSecond = 20
)

// Discovery is one node's part in the network. Its methods may be called
// concurrently, from New until Close.
type Discovery struct {
	// constant after New
	key          crypto.PrivKey
	allowPrivate bool
	server       bool
	announce     []ma.Multiaddr
	log          *slog.Logger
	host         *host.Host
	dht          *records.DHT
	gater        *admission.Gater
	store        *records.Store
	book         *contacts.Book
	reservations *circuits.Reservations
	finds        *limit.Rate
	puts         *limit.Rate
	partners     map[peer.ID]bool
	moved        watchers // of AddressesChanged
	met          watchers // of PeersConnected
	lan          bool
	neighbours   neighbours
	roamer       reach.Roamer
	service      *relay.Relay // nil: for nobody
	prober       *reach.Prober
	events       event.Subscription

	running sync.Mutex    // taken by Run, for good
	done    chan struct{} // closed when closed is set
	closed  error         // how the first Close ended

	mu     sync.Mutex
	finder func(question [32]byte) bool
}

// New makes a node and binds its listeners; every one of them, or it fails.
// It dials nobody: Run does.
func New(cfg Config) (*Discovery, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	host.QuietLibraries(cfg.Log.Handler())
	if cfg.Identity == nil || cfg.Identity.Type() != crypto.Ed25519 {
		return nil, errors.New("identity must be an Ed25519 key")
	}
	self, err := peer.IDFromPrivateKey(cfg.Identity)
	if err != nil {
		return nil, fmt.Errorf("derive peer id: %w", err)
	}
	listen, errListen := parseAddrs("listen on", cfg.Listen, func(address.Reach) error { return nil })
	announce, errAnnounce := parseAddrs("announce", cfg.Announce, func(r address.Reach) error {
		if !r.Allowed(cfg.AllowPrivate) {
			return errors.New("not an address on the public internet")
		}
		return nil
	})
	if err := errors.Join(errListen, errAnnounce); err != nil {
		return nil, err
	}
	book, err := contacts.Open(contacts.Config{
		Self: self, Peers: cfg.Peers, Bootstrap: cfg.Bootstrap, Relays: cfg.Relays,
		AllowPrivate: cfg.AllowPrivate, File: cfg.PeersFile, Log: cfg.Log,
	})
	if err != nil {
		return nil, err
	}

	d := &Discovery{
		key:          cfg.Identity,
		allowPrivate: cfg.AllowPrivate,
		server:       cfg.Server,
		lan:          cfg.LAN,
		announce:     announce,
		log:          cfg.Log,
		book:         book,
		store:        records.NewStore(self),
		finds:        limit.NewRate(time.Second/findsPerSecond, findsPerSecond),
		puts:         limit.NewRate(time.Minute/putsPerMinute, putsPerMinute),
		done:         make(chan struct{}),
		partners:     setOf(cfg.Partners),
	}
	d.reservations = circuits.NewReservations(cfg.Relays, cfg.AllowPrivate, cfg.Log, d.moved.tell)
	d.roamer = reach.Roamer{
		Interfaces: manet.InterfaceMultiaddrs,
		Wall:       func() time.Time { return time.Now().Round(0) },
		Moved:      func() { book.Hurry(); d.moved.tell() },
		Log:        cfg.Log,
	}
	if env := cfg.environment; env != nil {
		d.roamer.Interfaces = env.interfaces
		if env.wall != nil {
			d.roamer.Wall = env.wall
		}
	}
	clients := setOf(cfg.RelayFor)
	busy := setOf(slices.Concat(idsOf(cfg.Relays), cfg.RelayFor, cfg.Partners))
	d.gater = &admission.Gater{
		Self:         self,
		AllowPrivate: cfg.AllowPrivate,
		Relays:       setOf(idsOf(cfg.Relays)),
		OnLAN:        d.neighbours.where,
		Partners:     setOf(cfg.Partners),
		Trusted:      func(p peer.ID) bool { return clients[p] || book.Has(p) },
		InTable:      func(peer.ID) bool { return false },
	}
	env, err := environmentOf(cfg)
	if err != nil {
		return nil, err
	}
	d.host, err = host.New(host.Config{
		Identity: cfg.Identity, Network: env.Network, Gater: d.gater, Limits: cmp.Or(cfg.Limits, DefaultLimits),
		Server: cfg.Server, HasRelays: len(cfg.Relays) > 0, Clients: len(cfg.RelayFor), PortMapping: cfg.PortMapping,
		Busy:      func(p peer.ID) bool { return busy[p] },
		Advertise: d.advertise,
		Log:       cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	if err := d.start(cfg, listen); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// start is the part of New after which Close has something to undo.
func (d *Discovery) start(cfg Config, listen []ma.Multiaddr) (err error) {
	// The buffer must outlast a burst of connections before Run reads it: the
	// event bus waits for its slowest reader.
	d.events, err = d.host.EventBus().Subscribe([]any{
		new(event.EvtLocalAddressesUpdated),
		new(event.EvtPeerConnectednessChanged),
	}, eventbus.BufSize(256))
	if err != nil {
		return fmt.Errorf("subscribe to events: %w", err)
	}
	d.dht, err = records.New(d.host, records.Config{
		Server: cfg.Server, AllowPrivate: cfg.AllowPrivate,
		Store: d.store, Puts: d.puts, Seeds: d.book.Seeds, Log: d.log,
	})
	if err != nil {
		return fmt.Errorf("start DHT: %w", err)
	}
	d.gater.InTable = func(p peer.ID) bool { return d.dht.RoutingTable().Find(p) != "" }
	d.Handle(findProtocol, d.answer)
	for _, id := range slices.Concat(d.book.IDs(), cfg.RelayFor) {
		d.host.ConnManager().Protect(id, protectTag)
	}
	if len(cfg.RelayFor) > 0 {
		each := circuits.DefaultLimit
		if env := cfg.environment; env != nil {
			each = cmp.Or(env.circuit, each)
		}
		d.service, err = circuits.NewRelay(d.host, circuits.RelayConfig{Clients: cfg.RelayFor, AllowPrivate: cfg.AllowPrivate, Limit: each})
		if err != nil {
			return fmt.Errorf("start relay: %w", err)
		}
	}
	probing := reach.ProberConfig{Announce: d.announce, Trusted: d.gater.Trusted}
	if cfg.Server {
		env, err := environmentOf(Config{environment: cfg.environment})
		if err != nil {
			return err
		}
		probing.Network = env.Network
	}
	if d.prober, err = reach.NewProber(d.host, probing); err != nil {
		return fmt.Errorf("start AutoNAT: %w", err)
	}
	for _, a := range listen { // one by one: given several, libp2p is content with one
		if err := d.host.Network().Listen(a); err != nil {
			return fmt.Errorf("listen on %s: %w", a, err)
		}
	}
	return nil
}

// parseAddrs reads multiaddrs of the two forms that we speak, and names all
// that are not.
func parseAddrs(what string, list []string, allowed func(address.Reach) error) (addrs []ma.Multiaddr, err error) {
	for _, text := range list {
		a, e := ma.NewMultiaddr(text)
		endpoint, ok := address.Parse(a)
		if e != nil || !ok || endpoint.Relay != "" {
			e = errors.New("want a multiaddr such as /ip4/0.0.0.0/udp/4001/quic-v1 or /ip4/0.0.0.0/tcp/4001")
		} else {
			e = allowed(endpoint.Reach)
		}
		if e != nil {
			err = errors.Join(err, fmt.Errorf("%s %q: %w", what, text, e))
		}
		addrs = append(addrs, a)
	}
	return addrs, err
}

// ID is this node's peer ID.
func (d *Discovery) ID() peer.ID { return d.host.ID() }

// Addrs are the addresses at which this node can be reached, as far as it
// knows: at most 6, best first, private ones only if allowed. Circuits through
// those relays that take calls for it now come last, and have half of the
// places if they need them.
func (d *Discovery) Addrs() []ma.Multiaddr { // libp2p does not keep their order
	return address.Pick(slices.Concat(d.announce, d.host.Addrs(), d.reservations.Addrs()), d.allowPrivate, address.Max)
}

// Handle serves inbound streams of a protocol; see host.Host.
func (d *Discovery) Handle(proto protocol.ID, serve func(context.Context, network.Stream)) {
	d.host.Handle(proto, serve)
}

// Open opens a stream to a node; see host.Host.
func (d *Discovery) Open(ctx context.Context, to peer.AddrInfo, proto protocol.ID) (network.Stream, error) {
	return d.host.Open(ctx, to, proto)
}

// Connected reports whether p is connected now, through a relay or not.
func (d *Discovery) Connected(p peer.ID) bool { return d.host.Connected(p) }

// MaxSignedRecord is the most bytes that SignedRecord returns and Consume takes:
// 512 less room for a flag and lengths.
const MaxSignedRecord = 500

// ErrNoAddress means that a node has no address at which others could reach it.
var ErrNoAddress = errors.New("no reachable address")

// SignedRecord returns this node's signed peer record: at most 6 addresses,
// public QUIC first, circuits through its relays last, at most MaxSignedRecord bytes. It fails with ErrNoAddress
// if the node knows no address at which others could reach it.
func (d *Discovery) SignedRecord() ([]byte, error) {
	addrs := d.Addrs()
	if len(addrs) == 0 {
		return nil, ErrNoAddress
	}
	return address.Seal(d.key, addrs, MaxSignedRecord)
}

// Consume checks a signed peer record that came from elsewhere and returns the
// addresses in it that may be dialled from here, perhaps none: a node without
// a public address may be connected all the same.
func (d *Discovery) Consume(signed []byte) (peer.AddrInfo, error) {
	if len(signed) > MaxSignedRecord {
		return peer.AddrInfo{}, fmt.Errorf("%w: too large", address.ErrBadRecord)
	}
	info, err := address.Open(signed)
	if err != nil {
		return peer.AddrInfo{}, err
	}
	info.Addrs = address.Pick(info.Addrs, d.allowPrivate, address.Max)
	return info, nil
}

// Card returns this node's card. The name is what its operator calls it, at
// most 64 printable code points, or empty. A node that nobody can dial has a
// card without addresses, which serves to recognise it when it calls.
func (d *Discovery) Card(name string) (string, error) {
	return contacts.MakeCard(d.key, d.Addrs(), name)
}

// advertise makes what libp2p tells others of this node's addresses.
func (d *Discovery) advertise(own []ma.Multiaddr) []ma.Multiaddr {
	return address.Pick(slices.Concat(d.announce, d.roamer.Renew(d.host, own), d.reservations.Addrs()), d.allowPrivate, 4*address.Max)
}

// Fill says how much of Config.Limits is used, by the keys of the configuration.
// Of the networks it tells the fullest, and not which that is.
func (d *Discovery) Fill() []Fill { return d.gater.Manager.Fill() }

// Publish stores a record with the nodes closest to name; see records.DHT.
func (d *Discovery) Publish(ctx context.Context, name ed25519.PublicKey, rec []byte) (records.Ack, error) {
	return d.dht.Publish(ctx, name, rec)
}

// Search looks names up in the DHT; see records.DHT.
func (d *Discovery) Search(ctx context.Context, queries []records.Query, open func(i int, record []byte) bool) error {
	return d.dht.Search(ctx, queries, open)
}

// Run connects to the configured peers, enters the DHT and keeps both up until
// ctx ends; then it closes the node and returns when all that it started has
// stopped. It may be called once.
func (d *Discovery) Run(ctx context.Context) error {
	if !d.running.TryLock() {
		return errors.New("discovery already ran")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.host.Context(), cancel)() // Close ends Run, too

	if d.book.Empty() && !d.lan {
		d.log.Debug("no peers configured, contacting nobody")
	} else if err := d.dht.Bootstrap(ctx); err != nil {
		return errors.Join(fmt.Errorf("enter DHT: %w", err), d.Close())
	}
	var wg sync.WaitGroup
	wg.Go(func() { d.keepConnected(ctx) }) // this and the following end with ctx
	wg.Go(func() { d.reservations.Run(ctx, d.host) })
	wg.Go(func() {
		changed, stop := d.AddressesChanged()
		defer stop()
		d.prober.Run(ctx, changed)
	})
	if d.roamer.Interfaces != nil {
		wg.Go(func() { d.roamer.Run(ctx, d.host) })
		if d.lan {
			wg.Go(func() { d.keepLAN(ctx) })
		}
	}
	d.watch(ctx)
	wg.Wait()
	return errors.Join(d.remember(), d.Close())
}

// watch follows the host's events and does what must be done now and then.
func (d *Discovery) watch(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for n := 1; ; {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-d.events.Out():
			if !ok {
				return
			}
			d.heed(e)
		case now := <-tick.C:
			d.store.Sweep(now)
			if n++; n%10 == 0 {
				if err := d.remember(); err != nil {
					d.log.Warn("peers not saved", "err", err)
				}
			}
		}
	}
}

func (d *Discovery) heed(e any) {
	switch e := e.(type) {
	case event.EvtLocalAddressesUpdated:
		d.moved.tell()
	case event.EvtPeerConnectednessChanged:
		d.reservations.Heed(e.Peer)
		if e.Connectedness == network.Connected && d.gater.Trusted(e.Peer) {
			d.prober.Arrived()
		}
		if e.Connectedness == network.NotConnected {
			d.book.Lost(e.Peer)
		} else {
			d.book.Connected(e.Peer)
			if d.gater.Trusted(e.Peer) {
				d.met.tell()
			}
		}
	}
}

// tick makes c ready to be received from, once.
func tick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // a tick is waiting already
	}
}

// Close ends all connections and returns when every handler has. It may be
// called more than once; a running Run ends, too.
func (d *Discovery) Close() error {
	if d.host.Stop() {
		d.closed = d.shutDown()
		close(d.done)
	}
	<-d.done
	return d.closed
}

func (d *Discovery) shutDown() error {
	var errs []error
	if d.prober != nil {
		d.prober.Close()
	}
	if d.service != nil {
		errs = append(errs, d.service.Close())
	}
	if d.dht != nil {
		errs = append(errs, d.dht.Close())
	}
	if d.events != nil {
		errs = append(errs, d.events.Close())
	}
	return errors.Join(append(errs, d.host.Close())...)
}
