package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery"
)

// testKey returns the identity of an imaginary node.
func testKey(t testing.TB, name string) crypto.PrivKey {
	seed := sha256.Sum256([]byte(name))
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// testCard returns the card of an imaginary node with these addresses.
func testCard(t testing.TB, name string, announce ...string) string {
	d, err := discovery.New(discovery.Config{Identity: testKey(t, name), Announce: announce, AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	card, err := d.Card(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return card
}

// TestUnsafeConfigurations: each is refused, by its name and with what to
// write instead.
func TestUnsafeConfigurations(t *testing.T) {
	id, err := peer.IDFromPrivateKey(testKey(t, "other"))
	if err != nil {
		t.Fatal(err)
	}
	card := testCard(t, "clinic", "/ip4/9.9.9.9/udp/7601/quic-v1")
	newer := testCard(t, "clinic", "/ip4/9.9.9.9/tcp/7601")
	indoors := testCard(t, "indoors", "/ip4/192.168.1.7/tcp/7601")
	long := "/" + strings.Repeat("d", maxSocketPath)

	for _, c := range []struct{ yaml, want string }{
		// The page over a network without TLS.
		{`http: {listen: ["0.0.0.0:7600"]}`, `http.listen[0]: would serve every network of this computer without encryption: write localhost:7600;`},
		{`http: {listen: ["[::]:7600"]}`, `http.listen[0]: would serve every network of this computer without encryption: write localhost:7600;`},
		{`http: {listen: [":8080"]}`, `http.listen[0]: would serve every network of this computer without encryption: write localhost:8080;`},
		{`http: {listen: ["192.168.1.7:7600"]}`, `http.listen[0]: would serve a network without encryption: write localhost:7600;`},
		{`http: {listen: ["203.0.113.9:80"]}`, `http.listen[0]: would serve a network without encryption: write localhost:80;`},
		{`http: {listen: ["[fe80::1%eth0]:7600"]}`, `http.listen[0]: would serve a network without encryption: write localhost:7600;`},
		{`http: {listen: ["[::ffff:127.0.0.1]:7600"]}`, `http.listen[0]: would serve a network without encryption: write localhost:7600;`},
		{`http: {listen: ["clinic.example:7600"]}`, `http.listen[0]: must be localhost or a loopback address, as other names can come to mean another computer: write localhost:7600`},
		{`http: {listen: ["localhost.:7600"]}`, `http.listen[0]: must be localhost or a loopback address`},
		{`http: {listen: ["LOCALHOST:7600"]}`, `http.listen[0]: must be localhost or a loopback address`},
		{`http: {listen: ["2130706433:7600"]}`, `http.listen[0]: must be localhost or a loopback address`},
		{`http: {listen: ["localhost:7600", "10.0.0.1:7600"]}`, `http.listen[1]: would serve a network`},
		{`http: {listen: []}`, `http.listen: is empty, so there would be no page: write ["localhost:7600"]`},
		{`http: {listen: [""]}`, `http.listen[0]: is empty: fill it or remove it`},
		{`http: {listen: ["localhost"]}`, `http.listen[0]: must be host:port, such as "localhost:7600" or "[::1]:7600"`},
		{`http: {listen: ["::1:7600"]}`, `http.listen[0]: must be host:port`},
		{`http: {listen: ["localhost:http"]}`, `http.listen[0]: the port must be a number from 0, which takes a free one, to 65535`},
		{`http: {listen: ["localhost:65536"]}`, `http.listen[0]: the port must be a number`},
		{`http: {listen: ["localhost:07600"]}`, `http.listen[0]: the port must be a number`},
		{`http: {listen: ["localhost:1", "localhost:1"]}`, `http.listen[1]: is the same as http.listen[0]: remove one`},
		{fmt.Sprintf(`http: {listen: [%s]}`, numbered(maxListen+1, `"localhost:%d"`)), `http.listen: has 9 entries: keep 8 at most`},

		// What links begin with.
		{`http: {public_url: "http://clinic.example"}`, `http.public_url: must begin with https://, because anyone on the way could change a page sent over http: write https://clinic.example`},
		{`http: {public_url: "ws://clinic.example"}`, `http.public_url: must begin with https://`},
		{`http: {public_url: "clinic.example"}`, `http.public_url: must be https://name or https://name:port`},
		{`http: {public_url: "https://"}`, `http.public_url: must be https://name or https://name:port`},
		{`http: {public_url: "https://clinic.example/"}`, `http.public_url: must end after the name or port, because links put their own path there: write https://clinic.example`},
		{`http: {public_url: "https://clinic.example/video"}`, `http.public_url: must end after the name or port`},
		{`http: {public_url: "https://clinic.example?a=b"}`, `http.public_url: must end after the name or port`},
		{`http: {public_url: "https://clinic.example#"}`, `http.public_url: must end after the name or port`},
		{`http: {public_url: "https://lee:secret@clinic.example"}`, `http.public_url: must not hold a user name or password`},
		{`http: {public_url: "https://Clinic.example"}`, `http.public_url: must be written as browsers send it: https://clinic.example`},
		{`http: {public_url: "https://clinic.example:443"}`, `http.public_url: must not name the usual port, as browsers leave it out: write https://clinic.example`},
		{`http: {public_url: "https://clinic.example:0x50"}`, `http.public_url: must be https://name`},
		{`http: {public_url: "https://localhost"}`, `http.public_url: names this computer, which patients cannot reach: leave it empty`},
		{`http: {public_url: "http://127.0.0.1:7600"}`, `http.public_url: names this computer, which patients cannot reach: leave it empty`},
		{`practice: {nodes: ["` + card + `"], front_url: "http://front.example"}`, `practice.front_url: must begin with https://, because anyone on the way could change a page sent over http: write https://front.example`},
		{`practice: {front_url: "https://front.example"}`, `practice.front_url: the node there cannot find this one: put its peer card into practice.nodes, and this node's into its own`},
		{`{practice: {nodes: ["` + card + `"], front_url: "https://a.example"}, http: {public_url: "https://b.example"}}`, `practice.front_url: has no effect beside http.public_url: remove one of them`},

		// Other nodes.
		{`discovery: {listen: ["0.0.0.0:7601"]}`, `discovery.listen[0]: is no multiaddr: write it like /ip4/0.0.0.0/udp/7601/quic-v1 or /ip4/0.0.0.0/tcp/7601`},
		{`discovery: {listen: ["/ip4/0.0.0.0/udp/7601"]}`, `discovery.listen[0]: must be QUIC or TCP: write it like`},
		{`discovery: {listen: ["/ip4/0.0.0.0/tcp/7601/ws"]}`, `discovery.listen[0]: must be QUIC or TCP: write it like`},
		{`discovery: {listen: ["/ip4/0.0.0.0/tcp/99999"]}`, `discovery.listen[0]: is no multiaddr`},
		{`discovery: {listen: ["/ip4/0.0.0.0/tcp/1/p2p/` + id.String() + `"]}`, `discovery.listen[0]: must end before /p2p/: this node knows who it is`},
		{`discovery: {listen: ["/dns4/clinic.example/tcp/7601"]}`, `discovery.listen[0]: must begin with an address of this computer: write /ip4/0.0.0.0/`},
		{`discovery: {listen: [""]}`, `discovery.listen[0]: is empty: fill it or remove it`},
		{`discovery: {announce: ["/ip4/9.9.9.9/tcp/1"]}`, `discovery.announce: nobody listens there: fill discovery.listen, or remove this`},
		{`discovery: {listen: ["/ip4/0.0.0.0/tcp/1"], announce: ["/ip4/10.0.0.1/tcp/1"]}`, `discovery.announce[0]: no node outside can dial this address: write a public one, or set discovery.allow_private_addresses: true`},
		{`discovery: {listen: ["/ip4/0.0.0.0/tcp/1"], announce: ["/ip4/0.0.0.0/tcp/1"]}`, `discovery.announce[0]: no other node can dial this address: write the one under which they reach this computer`},
		{`discovery: {listen: ["/ip4/0.0.0.0/tcp/1"], announce: ["clinic.example"]}`, `discovery.announce[0]: is no multiaddr`},
		{`discovery: {server: true}`, `discovery.server: a server must be reachable: fill discovery.listen, or write false`},
		{`discovery: {peers: ["anteroom-peer:1:AAAA"]}`, `discovery.peers[0]: peer card: incomplete or damaged; copy it again (anteroom peer card prints one)`},
		{`discovery: {peers: ["` + card[:len(card)-2] + `"]}`, `discovery.peers[0]: peer card: incomplete or damaged; copy it again`},
		{`discovery: {peers: ["anteroom-peer:2:AAAA"]}`, `discovery.peers[0]: peer card: made by another version of this program`},
		{`discovery: {peers: ["clinic.example"]}`, `discovery.peers[0]: peer card: must begin with anteroom-peer:1:`},
		{`discovery: {peers: ["` + card + `", "` + card + `"]}`, `discovery.peers[1]: is the same as discovery.peers[0]: remove one`},
		{`discovery: {peers: ["` + card + `", "` + newer + `"]}`, `discovery.peers[1]: is of the same node as discovery.peers[0]: keep the newer one`},
		{`discovery: {peers: ["` + indoors + `"]}`, `discovery.peers[0]: this node can be reached inside its own building only: ask for a card with a public address, or set discovery.allow_private_addresses: true`},
		{`discovery: {bootstrap: ["/ip4/9.9.9.9/tcp/1"]}`, `discovery.bootstrap[0]: parse peer: not a multiaddr that ends in /p2p/<peer id>`},
		{`discovery: {bootstrap: ["/ip4/127.0.0.1/tcp/1/p2p/` + id.String() + `"]}`, `discovery.bootstrap[0]: this node can be reached inside its own building only`},
		{`practice: {nodes: ["` + indoors + `"]}`, `practice.nodes[0]: this node can be reached inside its own building only`},
		{`practice: {nodes: [" "]}`, `practice.nodes[0]: is empty: fill it or remove it`},

		// Places.
		{`data_dir: "anteroom"`, `data_dir: must be an absolute path: write /…/anteroom`},
		{`data_dir: "~/anteroom"`, `data_dir: ~ is not expanded here: write the whole path`},
		{`data_dir: "/"`, `data_dir: must be a directory of its own: use /var/lib/anteroom`},
		{`data_dir: "/var/lib/a\nb"`, `data_dir: has a line break in it: remove it`},
		{`data_dir: "` + long + `"`, `data_dir: is too long: the socket in it can have a path of 103 bytes at most, so shorten it by 14`},
		{`store: {key_file: "store.key"}`, `store.key_file: must be an absolute path: write /…/store.key`},

		// Words.
		{`log: {level: trace}`, `log.level: must be one of debug, info, warn, error`},
		{`log: {level: INFO}`, `log.level: must be one of debug, info, warn, error`},
		{`log: {level: ""}`, `log.level: must be one of debug, info, warn, error`},
		{`log: {format: jsn}`, `log.format: must be one of auto, text, json, did you mean json?`},
	} {
		t.Run(c.yaml[:min(60, len(c.yaml))], func(t *testing.T) {
			_, err := Load(testFlags(t, "--config", writeConfig(t, c.yaml)), nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s\n got %v\nwant %s", c.yaml, err, c.want)
			}
		})
	}
}

func numbered(n int, format string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(format, i+1)
	}
	return strings.Join(items, ", ")
}

// TestGoodConfigurations keeps Validate from refusing what people need.
func TestGoodConfigurations(t *testing.T) {
	card := testCard(t, "clinic", "/ip4/9.9.9.9/udp/7601/quic-v1")
	indoors := testCard(t, "indoors", "/ip4/192.168.1.7/tcp/7601")
	quiet := testCard(t, "quiet") // can be recognised, not dialled
	for _, c := range []string{
		``,
		`http: {listen: ["localhost:0", "127.0.0.2:7600", "[::1]:7600"], public_url: "https://call.clinic.example:8443"}`,
		`http: {public_url: "https://203.0.113.9"}`,
		`discovery: {listen: ["/ip4/0.0.0.0/udp/7601/quic-v1", "/ip6/::/tcp/7601"], announce: ["/dns4/clinic.example/tcp/7601"], server: true}`,
		`discovery: {peers: ["` + card + `", "` + quiet + `"], bootstrap: ["` + card + `"]}`,
		`discovery: {peers: ["` + indoors + `"], allow_private_addresses: true}`,
		`practice: {nodes: ["` + card + `"], front_url: "http://localhost:7700"}`,
		`practice: {nodes: ["` + card + `"], front_url: "https://front.example"}`,
		`{data_dir: /srv/anteroom, store: {key_file: /media/key/store.key}}`,
	} {
		if _, err := Load(testFlags(t, "--config", writeConfig(t, c)), nil); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	_, err := Load(testFlags(t, "--config", writeConfig(t, `
log: {level: loud, format: pretty}
http: {listen: ["0.0.0.0:1"], public_url: "http://a.example/"}
store: {key_file: k}
`)), nil)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, key := range []string{"log.level", "log.format", "http.listen[0]", "http.public_url: must begin", "http.public_url: must end", "store.key_file"} {
		if !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not in\n%v", key, err)
		}
	}
}

// TestProblemsQuoteNoSecrets: values may be links or cards pasted into the
// wrong place, and what a log or terminal shows of them must not be.
func TestProblemsQuoteNoSecrets(t *testing.T) {
	_, err := Load(testFlags(t, "--config", writeConfig(t, `
discovery: {peers: ["CANARY"], listen: ["CANARY"]}
http: {listen: ["CANARY"], public_url: "https://a.example/j#CANARY"}
practice: {front_url: "CANARY"}
log: {level: "CANARY"}
`)), nil)
	if err == nil || strings.Contains(err.Error(), "CANARY") {
		t.Errorf("got %v", err)
	}
}
