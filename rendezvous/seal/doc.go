// Package seal makes a sealed channel between a guest and the home node, over
// a wire.Conn that others carry. The guest is the initiator and knows the link;
// the home node is the responder and knows the invite's host key.
// PROTOCOL.md, "The handshake"; httpui/static/link/seal.js is this package's twin in
// the browser.
//
// The protocol is Noise_NKpsk0_P256_AESGCM_SHA256. What each side has proved
// when the handshake is done:
//
//	the home node   that it holds the private key to which the link commits
//	the guest       that they hold the link's secret, in this very handshake
//
// A gateway, a relay or a node of the DHT holds neither. Whoever steals the
// link can knock, and cannot answer one.
package seal
