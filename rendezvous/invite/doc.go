// Package invite is what two parties share before they have ever met: the
// secret in a guest's link, the keys that follow from it, the host key pair
// that the link commits to, and the sealed, signed record under which the home
// node can be found. PROTOCOL.md, "The link" and
// "Records in the DHT".
//
// One guest holds one invite. From its secret S follow, by HKDF-SHA256:
//
//	S ── PRK ─┬─ K_psk, K_admit, K_hello    browser and home node only
//	          └─ K_rdv ─┬─ rid              shown to nodes that are asked "is this yours?"
//	                    ├─ phase            when this invite's hours begin
//	                    └─ K_ep (per hour) ─┬─ Ed25519 key: the record's name, per replica
//	                                        └─ the record's seal key, per replica
//
// Whoever holds a key can derive what is to its right and nothing else: a
// gateway is given K_rdv and can find the home node, and no more.
//
// Every type here that holds a secret keeps it behind a func, so fmt, json and
// slog, which walk fields, cannot reach the bytes even where they ignore methods.
package invite
