package config

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/cmd/anteroom/config/configtest"
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

		// Limits of what is open at once.
		{`http: {limits: {sockets: 1}}`, `http.limits.sockets: must be a number from 2 to 100000`},
		{`http: {limits: {sockets_per_network: 0}}`, `http.limits.sockets_per_network: must be a number from 2 to 100000`},
		{`http: {limits: {sockets_loopback: -1}}`, `http.limits.sockets_loopback: must be a number from 2 to 100000`},
		{`http: {limits: {connections: 11}}`, `http.limits.connections: must be a number from 12 to 100000`},
		{`http: {limits: {connections_per_network: 100001}}`, `http.limits.connections_per_network: must be a number from 12 to 100000`},
		{`relay: {limits: {silent: 11}}`, `relay.limits.silent: must be a number from 12 to 100000`},
		{`relay: {limits: {silent_per_network: 0}}`, `relay.limits.silent_per_network: must be a number from 12 to 100000`},
		{`front: {limits: {silent: 100001}}`, `front.limits.silent: must be a number from 12 to 100000`},
		{`front: {limits: {silent_per_network: -1}}`, `front.limits.silent_per_network: must be a number from 12 to 100000`},
		{`front: {limits: {handshakes: 11}}`, `front.limits.handshakes: must be a number from 12 to 68`},
		{`front: {limits: {handshakes_per_network: 5}}`, `front.limits.handshakes_per_network: must be a number from 6 to 80`},
		{`front: {limits: {passed: 69}}`, `front.limits.passed: must be a number from 12 to 68`},
		{`front: {limits: {passed_per_network: 0}}`, `front.limits.passed_per_network: must be a number from 6 to 80`},
		{`front: {limits: {passed: 57}}`, `front.limits.passed: is 57, and with front.limits.handshakes 81: a node takes 80 in all from one that passes them on, so make one of the two smaller`},
		{`front: {limits: {searches: 0}}`, `front.limits.searches: must be a number from 1 to 1000`},
		{`front: {limits: {searches_per_network: 1001}}`, `front.limits.searches_per_network: must be a number from 1 to 1000`},
		{`discovery: {limits: {handshakes: 3}}`, `discovery.limits.handshakes: must be a number from 4 to 4096`},
		{`discovery: {limits: {handshakes_per_network: 0}}`, `discovery.limits.handshakes_per_network: must be a number from 4 to 4096`},
		{`discovery: {limits: {strangers: 4097}}`, `discovery.limits.strangers: must be a number from 4 to 4096`},
		{`discovery: {limits: {strangers_per_network: 0}}`, `discovery.limits.strangers_per_network: must be a number from 1 to 4096`},
		{`http: {limits: {connections_loopback: 0}}`, `http.limits.connections_loopback: must be a number from 12 to 100000`},

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
		{`http: {public_url: "https://Clinic.example"}`, `http.public_url: must be written as browsers send it: write https://clinic.example`},
		{`http: {public_url: "https://clinic.example:443"}`, `http.public_url: must not name the usual port, as browsers leave it out: write https://clinic.example`},
		{`http: {public_url: "https://clinic.example:0x50"}`, `http.public_url: must be https://name`},
		{`http: {public_url: "https://clinic.example."}`, `http.public_url: must be written as browsers send it: write https://clinic.example`},
		{`http: {public_url: "https://praxis-müller.example"}`, `http.public_url: must be written as browsers send it: write https://xn--praxis-mller-klb.example`},
		{`http: {public_url: "https://Praxis-Müller.example:8443"}`, `http.public_url: must be written as browsers send it: write https://xn--praxis-mller-klb.example:8443`},
		{`http: {public_url: "https://praxis-m%C3%BCller.example"}`, `http.public_url: must be written as browsers send it: write https://xn--praxis-mller-klb.example`},
		{`http: {public_url: "https://\u2028.example"}`, `http.public_url: has a name that the DNS cannot hold: write one of letters, digits and hyphens`},
		{`http: {public_url: "https://my_clinic.example"}`, `http.public_url: no authority certifies a name with _ in it: use one with hyphens, such as https://my-clinic.example`},
		{`http: {public_url: "https://my..clinic.example"}`, `http.public_url: has a name that the DNS cannot hold`},
		{`http: {public_url: "https://-clinic.example"}`, `http.public_url: has a name that the DNS cannot hold`},
		{`http: {public_url: "https://clinic!.example"}`, `http.public_url: has a name that the DNS cannot hold`},
		{`http: {public_url: "https://` + strings.Repeat("c", 64) + `.example"}`, `http.public_url: has a name that the DNS cannot hold`},
		{`http: {public_url: "https://010.1.1.1"}`, `http.public_url: browsers read this as an address, and another than it seems: write four numbers from 0 to 255 without leading zeros, such as https://9.9.9.9, or a name`},
		{`http: {public_url: "https://9.9.9"}`, `http.public_url: browsers read this as an address, and another than it seems: write four numbers`},
		{`http: {public_url: "https://151587081"}`, `http.public_url: browsers read this as an address`},
		{`http: {public_url: "https://0x9090909"}`, `http.public_url: browsers read this as an address`},
		{`http: {public_url: "https://9.9.9.256"}`, `http.public_url: browsers read this as an address`},
		{`http: {public_url: "https://[2001:db8:0:0::1]"}`, `http.public_url: must be written as browsers send it: write https://[2001:db8::1]`},
		{`http: {public_url: "https://[2001:DB8::1]:8443"}`, `http.public_url: must be written as browsers send it: write https://[2001:db8::1]:8443`},
		{`http: {public_url: "https://[::ffff:9.9.9.9]"}`, `http.public_url: must be written as browsers send it: write https://9.9.9.9`},
		{`http: {public_url: "https://[fe80::1%25eth0]"}`, `http.public_url: has a zone, which means something on this computer only`},
		{`http: {public_url: "https://clinic.example:0"}`, `http.public_url: must name a port from 1 to 65535 after its last colon, without leading zeros: write https://clinic.example`},
		{`http: {public_url: "https://clinic.example:08443"}`, `http.public_url: must name a port from 1 to 65535`},
		{`http: {public_url: "https://clinic.example:65536"}`, `http.public_url: must name a port from 1 to 65535`},
		{`http: {public_url: "https://clinic.example:"}`, `http.public_url: must name a port from 1 to 65535 after its last colon, without leading zeros: write https://clinic.example`},
		{`practice: {nodes: ["` + card + `"], front_url: "https://praxis-müller.example"}`, `practice.front_url: must be written as browsers send it: write https://xn--praxis-mller-klb.example`},
		{`http: {public_url: "https://localhost"}`, `http.public_url: names this computer, which patients cannot reach: leave it empty`},
		{`http: {public_url: "http://127.0.0.1:7600"}`, `http.public_url: names this computer, which patients cannot reach: leave it empty`},
		{`practice: {nodes: ["` + card + `"], front_url: "http://front.example"}`, `practice.front_url: must begin with https://, because anyone on the way could change a page sent over http: write https://front.example`},
		{`practice: {front_url: "https://front.example"}`, `practice.front_url: the node there cannot find this one: put its peer card into practice.nodes, and this node's into its own`},
		{`{practice: {nodes: ["` + card + `"], front_url: "https://a.example"}, http: {public_url: "https://b.example"}}`, `practice.front_url: has no effect beside http.public_url: remove one of them`},

		// The relay, and fronts.
		{`relay: {listen: ["3478"]}`, `relay.listen[0]: must be host:port`},
		{`relay: {listen: ["turn.example:3478"]}`, `relay.listen[0]: must be an address of this computer`},
		{`relay: {host: "turn.example:3478"}`, `relay.host: must be a name or an address alone`},
		{`relay: {max_mbit: -1}`, `relay.max_mbit: must be 0, for no limit, to 100000`},
		{`relay: {max_mbit: "5"}`, `relay.max_mbit: must be a whole number, without quotes`},
		{`relay: {max_mbit: 1.5}`, `relay.max_mbit: must be a whole number, without quotes`},
		{`relay: {lend_to: ["x"], host: r.example}`, `relay.lend_to[0]: is no peer id: "anteroom status" shows the one of a node`},
		{`relay: {lend_to: ["` + id.String() + `"]}`, `relay.lend_to: there is no relay to lend: set relay.host, or http.public_url with http.tls.mode`},
		{`relay: {borrow_from: ["x"]}`, `relay.borrow_from[0]: `},
		{`discovery: {relays: ["` + card + `"], listen: ["/ip4/0.0.0.0/tcp/1"], server: true}`, `discovery.relays: a server is reached directly: remove this, or write discovery.server: false`},
		{`discovery: {relay_for: ["` + id.String() + `"]}`, `discovery.relay_for: others can reach nobody through a node that is no server: write discovery.server: true, or remove this`},
		{`discovery: {port_mapping: true}`, `discovery.port_mapping: there is no port to forward: fill discovery.listen, or write false`},
		{`front: {pass_to: ["a.example"]}`, `front.pass_to[0]: must be a name in lower case, a space, and the peer id of the node that has its certificate`},
		{`front: {pass_to: ["A.example ` + id.String() + `"]}`, `front.pass_to[0]: must be a name in lower case`},
		{`front: {pass_to: ["a.example ` + id.String() + `"]}`, `front.pass_to: no TLS comes in here to be passed on: set http.tls.mode to files or acme`},
		{`{front: {pass_to: ["a.example ` + id.String() + `"]}, http: {public_url: "https://a.example", tls: {mode: files, cert_file: /c.pem, key_file: /k.pem}}}`, `front.pass_to[0]: this is the name of this node's own page, in http.public_url: pass another one on`},
		{`{front: {pass_to: ["a.example ` + id.String() + `"]}, http: {public_url: "https://a.example:8443", tls: {mode: files, cert_file: /c.pem, key_file: /k.pem}}}`, `front.pass_to[0]: this is the name of this node's own page, in http.public_url: pass another one on`},
		{`{front: {pass_to: ["b.example ` + id.String() + `"]}, http: {public_url: "https://a.example", tls: {mode: files, cert_file: /c.pem, key_file: /k.pem}}}`, `front.pass_to: the other node must be able to connect to this one: write discovery.server: true`},
		{`front: {pass_from: ["` + card + `"]}`, `front.pass_from: what is passed on ends at a certificate of this node: set http.tls.mode to files or acme`},
		{`front: {addresses: true}`, `front.addresses: has no effect without front.pass_from: write false`},
		{`front: {guests_of: ["` + id.String() + `"]}`, `front.agreement: is empty: whoever serves a page to the guests of another practice answers for it`},
		{`front: {agreement: "of 3 May"}`, `front.agreement: covers nobody: fill front.guests_of, or remove this`},

		// How patients come in.
		{`http: {tls: {mode: "on"}}`, `http.tls.mode: must be one of off, files, acme, behind_proxy`},
		{`http: {tls: {mode: fles}}`, `http.tls.mode: must be one of off, files, acme, behind_proxy, did you mean files?`},
		{`http: {public_listen: ["0.0.0.0:80"]}`, `http.public_listen: nothing is served there without encryption: set http.tls.mode to files, acme or behind_proxy, or remove this`},
		{`http: {public_listen: [":8443"], public_url: "https://a.example"}`, `http.public_listen: nothing is served there without encryption: set http.tls.mode`},
		{`http: {redirect_listen: ":8080"}`, `http.redirect_listen: has no effect unless http.tls.mode is files or acme: set that, or remove this`},
		{`http: {trusted_proxies: ["127.0.0.1"]}`, `http.trusted_proxies: has no effect unless http.tls.mode is behind_proxy: set that, or remove this`},
		{`http: {tls: {cert_file: /a.pem}}`, `http.tls.cert_file: has no effect unless http.tls.mode is files`},
		{`http: {tls: {key_file: /a.pem}}`, `http.tls.key_file: has no effect unless http.tls.mode is files`},
		{`http: {tls: {email: a@b.example}}`, `http.tls.email: has no effect unless http.tls.mode is acme`},
		{`http: {tls: {agree_terms: true}}`, `http.tls.agree_terms: has no effect unless http.tls.mode is acme`},
		{`http: {tls: {directory: "https://ca.example"}}`, `http.tls.directory: has no effect unless http.tls.mode is acme`},
		{`http: {tls: {ca_file: /a.pem}}`, `http.tls.ca_file: has no effect unless http.tls.mode is acme`},

		{`http: {tls: {mode: files, cert_file: /c.pem, key_file: /k.pem}}`, `http.public_url: is empty, and http.tls.mode: files is for guests who come there: write the https origin that they use, or turn the mode off`},
		{`http: {public_url: "https://a.example", tls: {mode: files, key_file: /k.pem}}`, `http.tls.cert_file: is empty: write the path of the PEM file of the certificate`},
		{`http: {public_url: "https://a.example", tls: {mode: files, cert_file: /c.pem}}`, `http.tls.key_file: is empty: write the path of the PEM file of its key`},
		{`http: {public_url: "https://a.example", tls: {mode: files, cert_file: c.pem, key_file: /k.pem}}`, `http.tls.cert_file: must be an absolute path: write /…/c.pem`},
		{`http: {public_url: "https://a.example", tls: {mode: files, cert_file: /c.pem, key_file: /k.pem, agree_terms: true}}`, `http.tls.agree_terms: has no effect unless`},
		{`http: {public_url: "https://a.example", public_listen: [], tls: {mode: files, cert_file: /c.pem, key_file: /k.pem}}`, `http.public_listen: is empty, so nobody could come in: write [":443"]`},
		{`http: {public_url: "https://a.example", public_listen: ["443"], tls: {mode: files, cert_file: /c.pem, key_file: /k.pem}}`, `http.public_listen[0]: must be host:port, such as ":443" or "203.0.113.9:443"`},
		{`http: {public_url: "https://a.example", public_listen: [":https"], tls: {mode: files, cert_file: /c.pem, key_file: /k.pem}}`, `http.public_listen[0]: the port must be a number`},
		{`http: {public_url: "https://a.example", public_listen: ["a.example:443"], tls: {mode: files, cert_file: /c.pem, key_file: /k.pem}}`, `http.public_listen[0]: must be an address of this computer, as names can come to mean another one: write :443 for all of them`},
		{`http: {public_url: "https://a.example", redirect_listen: "80", tls: {mode: files, cert_file: /c.pem, key_file: /k.pem}}`, `http.redirect_listen: must be host:port`},

		{`http: {public_url: "https://a.example", tls: {mode: acme}}`, `http.tls.agree_terms: an authority issues certificates to those who agree to its terms only: read them (Let's Encrypt's are at https://letsencrypt.org/repository/) and write true`},
		{`http: {tls: {mode: acme, agree_terms: true}}`, `http.public_url: is empty, and http.tls.mode: acme is for guests`},
		{`http: {public_url: "https://192.168.1.7", tls: {mode: acme, agree_terms: true}}`, `http.public_url: Let's Encrypt issues no certificate for a private address: use one that the internet can reach, or http.tls.mode: files`},
		{`http: {public_url: "https://[fd00::1]", tls: {mode: acme, agree_terms: true}}`, `http.public_url: Let's Encrypt issues no certificate for a private address`},
		{`http: {public_url: "https://server.local", tls: {mode: acme, agree_terms: true}}`, `http.public_url: Let's Encrypt issues no certificate for a name that is known inside a building only`},
		{`http: {public_url: "https://server", tls: {mode: acme, agree_terms: true}}`, `http.public_url: Let's Encrypt issues no certificate for a name that is known inside a building only`},
		{`http: {public_url: "https://a.example", tls: {mode: acme, agree_terms: true, email: "a, b"}}`, `http.tls.email: must be one address, such as it@clinic.example, or empty`},
		{`http: {public_url: "https://a.example", tls: {mode: acme, agree_terms: true, directory: "http://ca.example"}}`, `http.tls.directory: must be the https URL of an ACME directory, such as https://acme-v02.api.letsencrypt.org/directory`},
		{`http: {public_url: "https://a.example", tls: {mode: acme, agree_terms: true, directory: ""}}`, `http.tls.directory: must be the https URL`},
		{`http: {public_url: "https://a.example", tls: {mode: acme, agree_terms: true, ca_file: ca.pem}}`, `http.tls.ca_file: must be an absolute path`},

		{`http: {public_url: "https://a.example", tls: {mode: behind_proxy}, trusted_proxies: ["127.0.0.1"]}`, `http.public_listen[0]: what a proxy sends here is not encrypted, so it must stay on this computer or inside a private network: write 127.0.0.1:7680`},
		{`http: {public_url: "https://a.example", public_listen: ["203.0.113.9:8080"], tls: {mode: behind_proxy}, trusted_proxies: ["127.0.0.1"]}`, `http.public_listen[0]: what a proxy sends here is not encrypted, so it must stay on this computer or inside a private network: write 127.0.0.1:8080`},
		{`http: {public_url: "https://a.example", public_listen: ["0.0.0.0:8080"], tls: {mode: behind_proxy}, trusted_proxies: ["127.0.0.1"]}`, `http.public_listen[0]: what a proxy sends here is not encrypted`},
		{`http: {public_url: "https://a.example", public_listen: ["127.0.0.1:7680"], tls: {mode: behind_proxy}}`, `http.trusted_proxies: is empty, so nobody could come in: write the proxy's address, such as ["127.0.0.1"]`},
		{`http: {public_url: "https://a.example", public_listen: ["127.0.0.1:7680"], tls: {mode: behind_proxy}, trusted_proxies: ["0.0.0.0/0"]}`, `http.trusted_proxies[0]: is not within a private network`},
		{`http: {public_url: "https://a.example", public_listen: ["127.0.0.1:7680"], tls: {mode: behind_proxy}, trusted_proxies: ["203.0.113.9"]}`, `http.trusted_proxies[0]: is not within a private network`},
		{`http: {public_url: "https://a.example", public_listen: ["127.0.0.1:7680"], tls: {mode: behind_proxy}, trusted_proxies: ["proxy.example"]}`, `http.trusted_proxies[0]: must be an address or a network, such as 127.0.0.1 or 10.0.3.0/24`},
		{`http: {public_url: "https://a.example", public_listen: ["127.0.0.1:7680"], tls: {mode: behind_proxy}, trusted_proxies: ["10.0.3.7/24"]}`, `http.trusted_proxies[0]: has bits beyond its length: write 10.0.3.0/24`},
		{`http: {public_listen: ["127.0.0.1:7680"], tls: {mode: behind_proxy}, trusted_proxies: ["127.0.0.1"]}`, `http.public_url: is empty, and http.tls.mode: behind_proxy is for guests`},
		{`http: {public_url: "http://a.example", public_listen: ["127.0.0.1:7680"], tls: {mode: behind_proxy}, trusted_proxies: ["127.0.0.1"]}`, `http.public_url: must begin with https://`},

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
			_, err := Load(testFlags(t, "--config", configtest.Write(t, c.yaml)), nil)
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

// TestGoodConfigurations keeps Plan from refusing what people need.
func TestGoodConfigurations(t *testing.T) {
	card := testCard(t, "clinic", "/ip4/9.9.9.9/udp/7601/quic-v1")
	indoors := testCard(t, "indoors", "/ip4/192.168.1.7/tcp/7601")
	quiet := testCard(t, "quiet") // can be recognised, not dialled
	for _, c := range []string{
		``,
		`http: {listen: ["localhost:0", "127.0.0.2:7600", "[::1]:7600"], public_url: "https://call.clinic.example:8443"}`,
		`http: {public_url: "https://203.0.113.9"}`,
		`http: {public_url: "https://[2001:db8::1]:8443"}`,
		`http: {public_url: "https://xn--praxis-mller-klb.example"}`,
		`http: {public_url: "https://server"}`,
		`http: {public_url: "https://9.example1"}`,
		`http: {public_url: "https://call.clinic.example", tls: {mode: files, cert_file: /c.pem, key_file: /k.pem}}`,
		`http: {public_url: "https://call.clinic.example", public_listen: ["203.0.113.9:443", "[2001:db8::9]:443"], redirect_listen: "", tls: {mode: acme, agree_terms: true, email: it@clinic.example}}`,
		`http: {public_url: "https://203.0.113.9", tls: {mode: acme, agree_terms: true}}`,
		`http: {public_url: "https://server.local", tls: {mode: acme, agree_terms: true, directory: "https://ca.local/acme/directory", ca_file: /ca.pem}}`,
		`http: {public_url: "https://call.clinic.example", public_listen: ["127.0.0.1:7680", "10.0.0.1:7680"], trusted_proxies: ["127.0.0.1", "::1", "10.0.3.0/24", "fd00::/64"], tls: {mode: behind_proxy}}`,
		`discovery: {listen: ["/ip4/0.0.0.0/udp/7601/quic-v1", "/ip6/::/tcp/7601"], announce: ["/dns4/clinic.example/tcp/7601"], server: true}`,
		`discovery: {peers: ["` + card + `", "` + quiet + `"], bootstrap: ["` + card + `"]}`,
		`discovery: {peers: ["` + indoors + `"], allow_private_addresses: true}`,
		`practice: {nodes: ["` + card + `"], front_url: "http://localhost:7700"}`,
		`practice: {nodes: ["` + card + `"], front_url: "https://front.example"}`,
		`{data_dir: /srv/anteroom, store: {key_file: /media/key/store.key}}`,
	} {
		if _, err := Load(testFlags(t, "--config", configtest.Write(t, c)), nil); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	_, err := Load(testFlags(t, "--config", configtest.Write(t, `
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
	_, err := Load(testFlags(t, "--config", configtest.Write(t, `
discovery: {peers: ["CANARY"], listen: ["CANARY"]}
http: {listen: ["CANARY"], public_url: "https://a.example/j#CANARY", public_listen: ["CANARY"], trusted_proxies: ["CANARY"], tls: {mode: acme, email: "CANARY", directory: "CANARY", key_file: "CANARY"}}
practice: {front_url: "CANARY"}
log: {level: "CANARY"}
`)), nil)
	if err == nil || strings.Contains(err.Error(), "CANARY") {
		t.Errorf("got %v", err)
	}
}
