package relay

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/pion/turn/v5"
)

// Credentials let one seat of a call use a Relay until they expire.
type Credentials struct {
	Username string // when they expire, and bytes that mean nothing to others
	Password Password
}

// A Password is a text that no printer can reach: fmt, json and slog walk
// fields, and this field holds a func.
type Password struct{ reveal func() string }

// Reveal returns the text.
func (p Password) Reveal() string { return p.reveal() }

const redacted = "[redacted]"

// Format implements fmt.Formatter for every verb.
func (Password) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// MarshalText implements encoding.TextMarshaler, which json and slog ask first.
func (Password) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Grant returns credentials for one seat of a call, others each time.
// Limits.PerCall is for all that were granted with the same call, and
// Limits.PerSeat for all with the same seat; both may be any bytes, and cannot
// be recognised in what is returned. The seat's allocations outlast the
// credentials by at most ten minutes.
func (r *Relay) Grant(call, seat string, until time.Time) Credentials {
	g := grant{until: until.Round(0), call: r.tag("call", call), seat: r.tag("seat", seat)}
	g.issued = r.table.issue(g, r.clock().Round(0))
	username := g.String()
	password := r.password(username)
	return Credentials{Username: username, Password: Password{func() string { return password }}}
}

// RevokeSeat ends the allocations of a seat at once, and makes invalid what was
// granted to it before; what is granted from now on is valid. A Relay forgets
// this when it ends.
func (r *Relay) RevokeSeat(seat string) { r.table.revoke(r.tag("seat", seat), r.clock().Round(0)) }

// RevokeCall does the same to all seats of a call.
func (r *Relay) RevokeCall(call string) { r.table.revoke(r.tag("call", call), r.clock().Round(0)) }

// A grant is what a username says: when it ends, and then three parts of
// tagLen characters, for its call, for its seat, and for when it was issued.
type grant struct {
	until      time.Time
	call, seat string // tags
	issued     int64  // Unix nanoseconds
}

// tagLen is the length of tagSize bytes in a username.
const tagSize, tagLen = 9, 12

// tag is what usernames have for a call or a seat.
func (r *Relay) tag(what, name string) string {
	return base64.RawURLEncoding.EncodeToString(r.mac(what, name)[:tagSize])
}

// String is the username.
func (g grant) String() string {
	issued := binary.BigEndian.AppendUint64(nil, uint64(g.issued))
	issued = append(issued, 0)
	rand.Read(issued[len(issued)-1:])
	return strconv.FormatInt(g.until.Unix(), 10) + ":" + g.call + g.seat + base64.RawURLEncoding.EncodeToString(issued)
}

// parseUsername does not know whether what s says was ever granted.
func parseUsername(s string) (g grant, ok bool) {
	seconds, id, found := strings.Cut(s, ":")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if !found || err != nil || len(id) != 3*tagLen {
		return grant{}, false
	}
	issued, err := base64.RawURLEncoding.DecodeString(id[2*tagLen:])
	if err != nil {
		return grant{}, false
	}
	return grant{time.Unix(n, 0), id[:tagLen], id[tagLen : 2*tagLen], int64(binary.BigEndian.Uint64(issued))}, true
}

// authenticate is asked by the library about every request that is signed. A
// clock that is ahead for a moment ends no call.
func (r *Relay) authenticate(req *turn.RequestAttributes) (user string, key []byte, ok bool) {
	g, ok := parseUsername(req.Username)
	if !ok || r.table.isRevoked(g) || !r.clock().Before(g.until) && !r.table.carries(req.Username, now()) {
		r.count.credentials.Add(1)
		return "", nil, false
	}
	return req.Username, turn.GenerateAuthKey(req.Username, r.realm, r.password(req.Username)), true
}

func (r *Relay) password(username string) string {
	return base64.RawURLEncoding.EncodeToString(r.mac("password", username))
}

// mac is an HMAC of what and text: no two pairs have the same input.
func (r *Relay) mac(what, text string) []byte {
	h := hmac.New(sha256.New, r.secret)
	io.WriteString(h, "anteroom relay ")
	h.Write(binary.BigEndian.AppendUint16(nil, uint16(len(what))))
	io.WriteString(h, what)
	io.WriteString(h, text)
	return h.Sum(nil)
}
