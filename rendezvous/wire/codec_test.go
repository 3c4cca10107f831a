package wire

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const guest = MemberID("0123456789abcdef")

// b32 returns 32 bytes that begin with n.
func b32(n byte) Bytes { return append(Bytes{n}, make(Bytes, 31)...) }

// valid returns a message of every type, with every optional field.
func valid() []Body {
	return []Body{
		&Welcome{
			State: WindowOpen, Now: 1_800_000_000, Opens: 1_799_999_100, Starts: 1_800_000_000, Ends: 1_800_001_800, Closes: 1_800_003_600,
			Practice: "Praxis Dr. Müller & Söhne <Ost>", Practitioner: "Dr. Ada \"A\" Lovelace",
			SID: b32(1), Confirm: b32(2), Resume: b32(3),
			ICEServers: []ICEServer{{URLs: []string{"turn:127.0.0.1:3478?transport=udp"}, Username: "1800003600:x", Credential: "c"}},
			RelayOnly:  true, Demo: true,
		},
		&Join{Name: "Zoë 𝄞", Fingerprint: b32(4), Resume: b32(5)},
		&Attend{Appointment: "0123456789abcdef0123456789abcdef", Tab: make(Bytes, 16), Token: "t-_0", Fingerprint: b32(6), Take: true},
		&Seat{Member: guest, State: SeatWaiting},
		&Roster{Members: []RosterEntry{
			{Member: HostID, Role: RoleHost, State: SeatAdmitted, Since: 1},
			{Member: guest, Role: RoleGuest, State: SeatAway, Name: "Zoë", Label: "Patient", Since: MaxInt, Alarm: true},
		}, Locked: true},
		&Introduce{Member: HostID, Role: "P", Polite: true, Fingerprint: b32(7), Key: b32(8), Hash: b32(9)},
		&Description{Peer: HostID, Kind: "offer", SDP: "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n"},
		&Candidate{Peer: guest, Candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host", MID: "0"},
		&Admit{Member: guest, SDP: "v=0\r\n"},
		&Deny{Member: guest},
		&Remove{Member: guest},
		&Hold{Member: guest, On: true},
		&Lock{On: true},
		&Alarm{Member: guest},
		&Tested{PathSlow},
		&Relays{ICEServers: []ICEServer{{URLs: []string{"turns:relay.example:443?transport=tcp"}, Username: "1800003600:y", Credential: "d"}}},
		&Leave{},
		&End{},
		&Ping{},
		&Pong{},
		&ErrorBody{Code: CodeTooMany},
		&Bye{Code: CodeEnded},
	}
}

func mustEncode(t testing.TB, b Body) string {
	t.Helper()
	frame, err := Encode(b)
	if err != nil {
		t.Fatalf("encode %s: %v", b.Type(), err)
	}
	return string(frame)
}

// refused checks that frame is a bad message, and not one of a type unknown.
func refused(t *testing.T, what, frame string) {
	t.Helper()
	if _, err := Decode([]byte(frame)); !errors.Is(err, ErrBadMessage) || errors.Is(err, ErrUnknownType) {
		t.Errorf("%s: %v, want bad-message: %.100q", what, err, frame)
	}
}

func TestEveryTypeRoundTrips(t *testing.T) {
	seen := make(map[Type]bool)
	for _, want := range valid() {
		frame := mustEncode(t, want)
		got, err := Decode([]byte(frame))
		if err != nil {
			t.Errorf("%s: %v", frame, err)
			continue
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: came back as %#v", frame, got)
		}
		if again := mustEncode(t, got); again != frame {
			t.Errorf("%s: encoded again as %s", frame, again)
		}
		seen[want.Type()] = true
	}
	for typ := range bodies {
		if !seen[typ] {
			t.Errorf("no test of %s", typ)
		}
	}
	if len(seen) != len(bodies) {
		t.Errorf("%d types are encoded, %d decoded", len(seen), len(bodies))
	}
}

func TestOptionalFieldsAreLeftOut(t *testing.T) {
	for body, want := range map[Body]string{
		&Join{Name: "A", Fingerprint: b32(0)}: `{"type":"join","body":{"name":"A","fp":"` + strings.Repeat("A", 43) + `"}}`,
		&Admit{Member: guest}:                 `{"type":"admit","body":{"member":"0123456789abcdef"}}`,
		&Roster{Members: []RosterEntry{{Member: HostID, Role: RoleHost, State: SeatAdmitted}}}: `{"type":"roster","body":{"members":` +
			`[{"member":"host","role":"host","state":"admitted","since":0,"alarm":false}],"locked":false}}`,
		&Ping{}: `{"type":"ping","body":{}}`,
	} {
		if got := mustEncode(t, body); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for _, frame := range []string{
		`{"type":"join","body":{"name":"A","fp":"` + strings.Repeat("A", 43) + `","resume":""}}`,
		`{"type":"admit","body":{"member":"0123456789abcdef","sdp":""}}`,
		`{"type":"admit","body":{"member":"0123456789abcdef","sdp":null}}`,
	} {
		refused(t, "an empty optional field", frame)
	}
}

// TestOneSpelling rewrites messages into what some JSON decoder takes for the
// same, or for something else.
func TestOneSpelling(t *testing.T) {
	hold := mustEncode(t, &Hold{Member: guest, On: true})
	join := mustEncode(t, &Join{Name: "Ada/é", Fingerprint: b32(0)})
	roster := mustEncode(t, &Roster{Members: []RosterEntry{}})
	description := mustEncode(t, &Description{Peer: HostID, Kind: "offer", SDP: "v=0\r\n"})
	replace := func(s, from, to string) string {
		if !strings.Contains(s, from) {
			t.Fatalf("%s does not contain %s", s, from)
		}
		return strings.Replace(s, from, to, 1)
	}
	for what, frame := range map[string]string{
		"duplicate field":            replace(hold, `"on":true`, `"on":true,"on":true`),
		"duplicate, first wins":      replace(hold, `"on":true`, `"on":true,"on":false`),
		"duplicate type":             replace(hold, `"type":"hold"`, `"type":"ping","type":"hold"`),
		"duplicate body":             replace(hold, `"body":`, `"body":{},"body":`),
		"case of a field":            replace(hold, `"on"`, `"On"`),
		"case of a field, twice":     replace(hold, `"on":true`, `"on":true,"ON":false`),
		"case of type":               replace(hold, `"type"`, `"Type"`),
		"case of body":               replace(hold, `"body"`, `"BODY"`),
		"order of fields":            `{"type":"hold","body":{"on":true,"member":"0123456789abcdef"}}`,
		"order of type and body":     `{"body":{"member":"0123456789abcdef","on":true},"type":"hold"}`,
		"unknown field":              replace(hold, `"on":true`, `"on":true,"x":1`),
		"unknown field first":        replace(hold, `"member"`, `"x":{},"member"`),
		"unknown field beside type":  replace(hold, `,"body"`, `,"from":"host","body"`),
		"unknown field behind body":  replace(hold, `}}`, `},"from":"host"}`),
		"prototype":                  `{"type":"ping","body":{"__proto__":{}}}`,
		"missing field":              `{"type":"hold","body":{"member":"0123456789abcdef"}}`,
		"missing body":               `{"type":"ping"}`,
		"null body":                  `{"type":"ping","body":null}`,
		"empty body":                 `{"type":"ping","body":}`,
		"array body":                 `{"type":"ping","body":[]}`,
		"null field":                 replace(hold, `true`, `null`),
		"null list":                  replace(roster, `[]`, `null`),
		"number for a flag":          replace(hold, `true`, `1`),
		"string for a flag":          replace(hold, `true`, `"true"`),
		"space inside":               replace(hold, `,"body"`, `, "body"`),
		"space inside the body":      replace(hold, `"on":true`, `"on": true`),
		"space before":               " " + hold,
		"space behind":               hold + " ",
		"line end behind":            hold + "\n",
		"byte order mark":            "\ufeff" + hold,
		"two messages":               hold + hold,
		"cut":                        hold[:len(hold)-1],
		"comma too many":             replace(hold, `true}`, `true,}`),
		"escaped letter":             replace(join, "A", `\u0041`),
		"escaped letter beyond":      replace(join, "é", `\u00e9`),
		"escaped slash":              replace(join, "/", `\/`),
		"escaped in base64":          replace(join, `"fp":"A`, `"fp":"\u0041`),
		"long escape of a line end":  replace(description, `\n`, `\u000a`),
		"capital escape":             replace(description, `\n`, `\u000A`),
		"raw line end":               replace(description, `\r\n`, "\r\n"),
		"lone surrogate":             replace(join, "Ada", `\ud800`),
		"lone low surrogate":         replace(join, "Ada", `\udc00x`),
		"surrogates in wrong order":  replace(join, "Ada", `\udd1e\ud834`),
		"escaped pair of surrogates": replace(join, "Ada", `\ud834\udd1e`),
		"replacement for bad UTF-8":  replace(join, "Ada", "\xff"),
		"overlong UTF-8":             replace(join, "/", "\xc0\xaf"),
		"surrogate in UTF-8":         replace(join, "Ada", "\xed\xa0\x80"),
		"upper case id":              replace(hold, "abcdef", "ABCDEF"),
		"single quotes":              strings.ReplaceAll(hold, `"`, `'`),
		"comment":                    replace(hold, `"on"`, `/**/"on"`),
		"array":                      "[" + hold + "]",
		"not JSON":                   "hold",
		"nothing":                    "",
		"null":                       "null",
		"empty type":                 `{"type":"","body":{}}`,
		"type of another alphabet":   `{"type":"Hold","body":{}}`,
		"type that is no string":     `{"type":1,"body":{}}`,
		"escaped type":               `{"type":"\u0070ing","body":{}}`,
		"type too long":              `{"type":"` + strings.Repeat("a", 33) + `","body":{}}`,
	} {
		refused(t, what, frame)
	}
}

// U+2028 and U+2029 end a line in JavaScript source, so Go escapes them. No
// field may hold them; this says what would happen if one could.
func TestLineSeparators(t *testing.T) {
	for _, sep := range []string{"\u2028", "\u2029"} {
		frame, err := encode(&Join{Name: "a" + sep + "b", Fingerprint: b32(0)})
		if err != nil || !bytes.Contains(frame, fmt.Appendf(nil, `a\u%04xb`, []rune(sep)[0])) {
			t.Errorf("%U is encoded in %s, %v", []rune(sep)[0], frame, err)
		}
		refused(t, "escaped separator", string(frame))
		refused(t, "raw separator", strings.Replace(string(frame), fmt.Sprintf(`\u%04x`, []rune(sep)[0]), sep, 1))
	}
}

func TestNumbersAreIntegers(t *testing.T) {
	frame := mustEncode(t, &Roster{Members: []RosterEntry{{Member: HostID, Role: RoleHost, State: SeatAdmitted, Since: 7}}})
	since := func(n string) string { return strings.Replace(frame, `"since":7`, `"since":`+n, 1) }
	for _, n := range []string{"7.0", "7e0", "0.7e1", "-0", "-1", "07", "+7", "9007199254740992", "18446744073709551616", `"7"`, "null", "true", "", "[7]"} {
		refused(t, "since = "+n, since(n))
	}
	for _, n := range []string{"0", "9007199254740991"} {
		if _, err := Decode([]byte(since(n))); err != nil {
			t.Errorf("since = %s: %v", n, err)
		}
	}
}

func TestBytesAreCanonical(t *testing.T) {
	fp := base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{0xfb, 0xff}, 16))
	frame := func(s string) string { return `{"type":"join","body":{"name":"A","fp":"` + s + `"}}` }
	if _, err := Decode([]byte(frame(fp))); err != nil {
		t.Fatal(err)
	}
	for what, s := range map[string]string{
		"padding":             fp + "=",
		"standard alphabet":   strings.NewReplacer("-", "+", "_", "/").Replace(fp),
		"bits that are lost":  fp[:42] + string(fp[42]+1),
		"line end":            fp[:20] + `\n` + fp[20:],
		"space":               fp[:20] + " " + fp[20:],
		"31 bytes":            fp[:42],
		"33 bytes":            fp + "A",
		"nothing":             "",
		"letters of no value": strings.Repeat("ä", 43),
	} {
		refused(t, what, frame(s))
	}
}

func TestUnknownTypes(t *testing.T) {
	for _, frame := range []string{
		`{"type":"grease","body":{}}`, `{"type":"a-later-one","body":{"anything":[1.5,null]}}`, `{"type":"x","body":not even JSON}`,
		`{"type":"constructor","body":{}}`, `{"type":"` + strings.Repeat("a", 32) + `","body":{}}`,
	} {
		if _, err := Decode([]byte(frame)); !errors.Is(err, ErrUnknownType) || !errors.Is(err, ErrBadMessage) {
			t.Errorf("%s: %v, want unknown type", frame, err)
		}
	}
	if errors.Is(ErrBadMessage, ErrUnknownType) {
		t.Error("every bad message counts as one of an unknown type")
	}
	refused(t, "an unknown type and no UTF-8", `{"type":"x","body":`+"\xff}")
	refused(t, "an unknown type and no end", `{"type":"x","body":{}`+"]")
}
