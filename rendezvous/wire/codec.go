package wire

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"
)

// A message is canonical JSON: {"type":T,"body":{…}} with the fields of T in
// the order of its struct, no white space, optional fields left out when
// empty, and strings escaped only where JSON demands it (and U+2028, U+2029).
// Decode re-encodes what it understood and compares: a duplicate, unknown or
// wrongly cased field, another order, a float, a lone surrogate or a second
// spelling of the same text cannot survive that, so two decoders agree by
// construction. PROTOCOL.md, "Encoding".

// ErrUnknownType is what Decode returns for a message of a type that it does
// not know. It is a bad-message to the counterpart, and the connection lives.
var ErrUnknownType = fmt.Errorf("unknown type: %w", ErrBadMessage)

// Bytes is binary data; in JSON, base64url without padding.
type Bytes []byte

// Random returns 32 random bytes: keys, hashes and tokens have as many.
func Random() Bytes {
	b := make(Bytes, 32)
	rand.Read(b) // never fails
	return b
}

// MarshalText implements encoding.TextMarshaler.
func (b Bytes) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *Bytes) UnmarshalText(text []byte) (err error) {
	*b, err = base64.RawURLEncoding.Strict().AppendDecode(nil, text)
	return err
}

// bodies makes an empty body of every type that Decode knows.
var bodies = map[Type]func() Body{
	TypeWelcome:     empty[Welcome],
	TypeJoin:        empty[Join],
	TypeAttend:      empty[Attend],
	TypeSeat:        empty[Seat],
	TypeRoster:      empty[Roster],
	TypeIntroduce:   empty[Introduce],
	TypeDescription: empty[Description],
	TypeCandidate:   empty[Candidate],
	TypeAdmit:       empty[Admit],
	TypeDeny:        empty[Deny],
	TypeRemove:      empty[Remove],
	TypeHold:        empty[Hold],
	TypeLock:        empty[Lock],
	TypeAlarm:       empty[Alarm],
	TypeTested:      empty[Tested],
	TypeRelays:      empty[Relays],
	TypeLeave:       empty[Leave],
	TypeEnd:         empty[End],
	TypePing:        empty[Ping],
	TypePong:        empty[Pong],
	TypeError:       empty[ErrorBody],
	TypeBye:         empty[Bye],
}

// bodyPtr is a *T whose T is a Body.
type bodyPtr[T any] interface {
	*T
	Body
}

func empty[T any, P bodyPtr[T]]() Body { return P(new(T)) }

// Encode returns the canonical form of body. It fails with ErrBadMessage if a
// field or the whole is outside its limits, so nothing that Decode would refuse
// is sent.
func Encode(body Body) ([]byte, error) {
	if !body.valid() {
		return nil, ErrBadMessage
	}
	frame, err := encode(body)
	if err != nil || len(frame) > MaxMessage {
		return nil, ErrBadMessage
	}
	return frame, nil
}

func encode(body Body) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(struct {
		Type Type `json:"type"`
		Body Body `json:"body"`
	}{body.Type(), body})
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), err
}

// Decode returns the message in frame: a pointer to one of this package's
// bodies. The error is ErrBadMessage, or ErrUnknownType.
func Decode(frame []byte) (Body, error) {
	if len(frame) > MaxMessage || !utf8.Valid(frame) {
		return nil, ErrBadMessage
	}
	name, content, ok := envelope(frame)
	if !ok {
		return nil, ErrBadMessage
	}
	newBody, ok := bodies[name]
	if !ok {
		return nil, ErrUnknownType
	}
	body := newBody()
	if json.Unmarshal(content, body) != nil || !body.valid() {
		return nil, ErrBadMessage
	}
	again, err := encode(body)
	if err != nil || !bytes.Equal(again, frame) {
		return nil, ErrBadMessage
	}
	return body, nil
}

// envelope splits {"type":T,"body":B} into T and B by its bytes, before any
// JSON is parsed: Go would fold the case of a key and take the last of two, and
// JavaScript would not, so they could read two types in one frame. Of a type
// that is not known nothing but its name, 1 to 32 of a to z and hyphen, is
// looked at.
func envelope(frame []byte) (name Type, content []byte, ok bool) {
	rest, ok := bytes.CutPrefix(frame, []byte(`{"type":"`))
	if !ok {
		return "", nil, false
	}
	typ, rest, ok := bytes.Cut(rest, []byte(`","body":`))
	if !ok || len(typ) < 1 || len(typ) > 32 || !all(typ, func(c byte) bool { return 'a' <= c && c <= 'z' || c == '-' }) {
		return "", nil, false
	}
	content, ok = bytes.CutSuffix(rest, []byte("}"))
	return Type(typ), content, ok
}

func (b *Welcome) valid() bool {
	return oneOf(b.State, WindowOpen, WindowEarly, WindowEnded, WindowFull, WindowCancelled, WindowRevoked, WindowRotated) &&
		integers(b.Now, b.Opens, b.Starts, b.Ends, b.Closes) && Text(b.Practice, MaxLabel) && Text(b.Practitioner, MaxLabel) &&
		len(b.SID) == 32 && len(b.Confirm) == 32 && len(b.Resume) == 32 &&
		iceServers(b.ICEServers)
}

func iceServers(list []ICEServer) bool {
	return list != nil && len(list) <= MaxICEServers && all(list, ICEServer.Valid)
}

// Valid reports whether s may be part of a Welcome, or of Relays.
func (s ICEServer) Valid() bool {
	return s.URLs != nil && len(s.URLs) <= MaxICEServers && Text(s.Username, 256) && Text(s.Credential, 256) &&
		all(s.URLs, func(u string) bool { return Text(u, 256) })
}

func (b *Join) valid() bool {
	return b.Name != "" && Text(b.Name, MaxName) && len(b.Fingerprint) == 32 && optional32(b.Resume)
}

func (b *Attend) valid() bool {
	return ascii(b.Appointment, 32) && len(b.Tab) == 16 && ascii(b.Token, 64) && len(b.Fingerprint) == 32
}

func (b *Seat) valid() bool { return member(b.Member) && seatState(b.State) }

func (b *Roster) valid() bool {
	return b.Members != nil && len(b.Members) <= MaxRoster && all(b.Members, func(m RosterEntry) bool {
		return member(m.Member) && oneOf(m.Role, RoleHost, RoleGuest) && seatState(m.State) &&
			Text(m.Name, MaxName) && Text(m.Label, MaxLabel) && integers(m.Since)
	})
}

func (b *Introduce) valid() bool {
	return member(b.Member) && oneOf(b.Role, "H", "P") &&
		len(b.Fingerprint) == 32 && len(b.Key) == 32 && len(b.Hash) == 32
}

func (b *Description) valid() bool {
	return member(b.Peer) && oneOf(b.Kind, "offer", "answer") && b.SDP != "" && lines(b.SDP, MaxSDP)
}

func (b *Candidate) valid() bool {
	return member(b.Peer) && Text(b.Candidate, MaxCandidate) && Text(b.MID, 16)
}

func (b *Admit) valid() bool  { return member(b.Member) && lines(b.SDP, MaxSDP) }
func (b *Deny) valid() bool   { return member(b.Member) }
func (b *Remove) valid() bool { return member(b.Member) }
func (b *Hold) valid() bool   { return member(b.Member) }
func (b *Alarm) valid() bool  { return member(b.Member) }
func (b *Lock) valid() bool   { return true }
func (b *Tested) valid() bool { return oneOf(b.Path, PathGood, PathSlow, PathBlocked) }

func (b *Relays) valid() bool { return iceServers(b.ICEServers) }

func (b *Leave) valid() bool { return true }
func (b *End) valid() bool   { return true }
func (b *Ping) valid() bool  { return true }
func (b *Pong) valid() bool  { return true }

func (b *ErrorBody) valid() bool { return slices.Contains(Codes, b.Code) }
func (b *Bye) valid() bool       { return slices.Contains(Codes, b.Code) }

func oneOf[T comparable](v T, of ...T) bool { return slices.Contains(of, v) }

func all[T any](list []T, ok func(T) bool) bool {
	return !slices.ContainsFunc(list, func(v T) bool { return !ok(v) })
}

func seatState(s SeatState) bool {
	return oneOf(s, SeatWaiting, SeatAdmitted, SeatHeld, SeatAway)
}

func optional32(b Bytes) bool { return len(b) == 0 || len(b) == 32 }

func integers(list ...int64) bool {
	return all(list, func(n int64) bool { return 0 <= n && n <= MaxInt })
}

// member reports whether id is HostID or 16 lower-case hex digits.
func member(id MemberID) bool {
	if id == HostID {
		return true
	}
	return len(id) == 16 && all([]byte(id), func(c byte) bool {
		return '0' <= c && c <= '9' || 'a' <= c && c <= 'f'
	})
}

// ascii reports whether s is 1 to limit letters, digits, hyphens or underscores.
func ascii(s string, limit int) bool {
	return s != "" && len(s) <= limit && all([]byte(s), func(c byte) bool {
		return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-' || c == '_'
	})
}

// Text reports whether s is at most limit code points, none of which can
// disturb the line it is printed on.
func Text(s string, limit int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= limit && all([]rune(s), func(r rune) bool { return !Disturbs(r) })
}

// lines is Text that may have line ends.
func lines(s string, limit int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= limit && all([]rune(s), func(r rune) bool {
		return r == '\r' || r == '\n' || !Disturbs(r)
	})
}

// Disturbs reports whether r is a control character, a bidirectional override
// or isolate, or another code point that changes how its neighbours are shown.
func Disturbs(r rune) bool {
	return unicode.IsControl(r) || r == 0x200e || r == 0x200f || r == 0x061c ||
		0x2028 <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069 || r == 0xfeff
}
