package wire

import (
	"errors"
	"strings"
	"testing"
)

// TestLimits tries every field at its limit and beyond. set changes one field
// of a valid message; ok says whether the result may be sent. What may not be
// sent may not be received either.
func TestLimits(t *testing.T) {
	type row struct {
		what string
		set  func(Body)
		ok   bool
	}
	rows := map[Type][]row{}
	add := func(typ Type, what string, ok bool, set func(Body)) {
		rows[typ] = append(rows[typ], row{string(typ) + " " + what, set, ok})
	}

	// each kind of field, wherever it stands
	texts := func(typ Type, what string, limit int, field func(Body) *string) {
		set := func(s string) func(Body) { return func(b Body) { *field(b) = s } }
		add(typ, what+" at its limit", true, set(strings.Repeat("x", limit)))
		add(typ, what+" at its limit, in letters of four bytes", limit < 4000, set(strings.Repeat("𝄞", limit)))
		add(typ, what+" too long", false, set(strings.Repeat("x", limit+1)))
		for _, bad := range []string{"\x00", "\x1b", "\t", "\x7f", "\u0085", "\u061c", "\u200e", "\u200f", "\u2028", "\u2029", "\u202a", "\u202e", "\u2066", "\u2069", "\ufeff", "\xff", "\xed\xa0\x80"} {
			add(typ, what+" that disturbs", false, set("a"+bad+"b"))
		}
		for _, good := range []string{"Zoë", "𝄞", "李", "ע", "👩\u200d⚕\ufe0f", "e\u0301", "\u2027", "\u202f", "\u2065", "\u206a", "\ufffd", "<&>'\"\\/"} {
			add(typ, what+" of another script", true, set(good))
		}
	}
	lines := func(typ Type, field func(Body) *string) {
		texts(typ, "sdp", MaxSDP, field)
		add(typ, "sdp with line ends", true, func(b Body) { *field(b) = "a\r\nb\n" })
	}
	notLines := func(typ Type, what string, field func(Body) *string) {
		for _, end := range []string{"\n", "\r"} {
			add(typ, what+" with a line end", false, func(b Body) { *field(b) = "a" + end })
		}
	}
	bytes := func(typ Type, what string, size int, optional bool, field func(Body) *Bytes) {
		for n, ok := range map[int]bool{0: optional, 1: false, size - 1: false, size: true, size + 1: false, 2 * size: false} {
			add(typ, what+" of another size", ok, func(b Body) { *field(b) = make(Bytes, n) })
		}
	}
	numbers := func(typ Type, what string, field func(Body) *int64) {
		for n, ok := range map[int64]bool{0: true, MaxInt: true, MaxInt + 1: false, -1: false, -1 << 63: false, 1<<63 - 1: false} {
			add(typ, what+" out of range", ok, func(b Body) { *field(b) = n })
		}
	}
	members := func(typ Type, field func(Body) *MemberID) {
		for id, ok := range map[MemberID]bool{
			HostID: true, guest: true, "": false, "guest": false, "Host": false, "0123456789abcde": false, "0123456789abcdef0": false,
			"0123456789ABCDEF": false, "0123456789abcdeg": false, "0123456789abcde ": false,
		} {
			add(typ, "member "+string(id), ok, func(b Body) { *field(b) = id })
		}
	}
	asciis := func(typ Type, what string, limit int, field func(Body) *string) {
		for s, ok := range map[string]bool{
			"": false, "a-Z_9": true, strings.Repeat("a", limit): true, strings.Repeat("a", limit+1): false, "a b": false, "ä": false, "a/": false, "a\x00": false,
		} {
			add(typ, what+" "+s, ok, func(b Body) { *field(b) = s })
		}
	}

	welcome := func(b Body) *Welcome { return b.(*Welcome) }
	for s, ok := range map[WindowState]bool{WindowOpen: true, WindowEarly: true, WindowEnded: true, WindowFull: true, WindowCancelled: true, WindowRevoked: true, WindowRotated: true, "": false, "closed": false, "Open": false} {
		add(TypeWelcome, "state", ok, func(b Body) { welcome(b).State = s })
	}
	numbers(TypeWelcome, "now", func(b Body) *int64 { return &welcome(b).Now })
	numbers(TypeWelcome, "opens", func(b Body) *int64 { return &welcome(b).Opens })
	numbers(TypeWelcome, "starts", func(b Body) *int64 { return &welcome(b).Starts })
	numbers(TypeWelcome, "ends", func(b Body) *int64 { return &welcome(b).Ends })
	numbers(TypeWelcome, "closes", func(b Body) *int64 { return &welcome(b).Closes })
	texts(TypeWelcome, "practice", MaxLabel, func(b Body) *string { return &welcome(b).Practice })
	texts(TypeWelcome, "practitioner", MaxLabel, func(b Body) *string { return &welcome(b).Practitioner })
	notLines(TypeWelcome, "practice", func(b Body) *string { return &welcome(b).Practice })
	bytes(TypeWelcome, "sid", 32, false, func(b Body) *Bytes { return &welcome(b).SID })
	bytes(TypeWelcome, "k_confirm", 32, false, func(b Body) *Bytes { return &welcome(b).Confirm })
	bytes(TypeWelcome, "resume", 32, false, func(b Body) *Bytes { return &welcome(b).Resume })
	texts(TypeWelcome, "username", 256, func(b Body) *string { return &welcome(b).ICEServers[0].Username })
	texts(TypeWelcome, "credential", 256, func(b Body) *string { return &welcome(b).ICEServers[0].Credential })
	texts(TypeWelcome, "url", 256, func(b Body) *string { return &welcome(b).ICEServers[0].URLs[0] })
	for n, ok := range map[int]bool{0: true, MaxICEServers: true, MaxICEServers + 1: false} {
		add(TypeWelcome, "ice servers", ok, func(b Body) {
			welcome(b).ICEServers = make([]ICEServer, n)
			for i := range welcome(b).ICEServers {
				welcome(b).ICEServers[i].URLs = []string{}
			}
		})
		add(TypeWelcome, "urls", ok, func(b Body) { welcome(b).ICEServers[0].URLs = make([]string, n) })
	}
	add(TypeWelcome, "no list of ice servers", false, func(b Body) { welcome(b).ICEServers = nil })
	add(TypeWelcome, "no list of urls", false, func(b Body) { welcome(b).ICEServers[0].URLs = nil })

	texts(TypeJoin, "name", MaxName, func(b Body) *string { return &b.(*Join).Name })
	notLines(TypeJoin, "name", func(b Body) *string { return &b.(*Join).Name })
	add(TypeJoin, "without a name", false, func(b Body) { b.(*Join).Name = "" })
	bytes(TypeJoin, "fp", 32, false, func(b Body) *Bytes { return &b.(*Join).Fingerprint })
	bytes(TypeJoin, "resume", 32, true, func(b Body) *Bytes { return &b.(*Join).Resume })

	asciis(TypeAttend, "appointment", 32, func(b Body) *string { return &b.(*Attend).Appointment })
	asciis(TypeAttend, "token", 64, func(b Body) *string { return &b.(*Attend).Token })
	bytes(TypeAttend, "tab", 16, false, func(b Body) *Bytes { return &b.(*Attend).Tab })
	bytes(TypeAttend, "fp", 32, false, func(b Body) *Bytes { return &b.(*Attend).Fingerprint })

	for s, ok := range map[SeatState]bool{SeatWaiting: true, SeatAdmitted: true, SeatHeld: true, SeatAway: true, "": false, "gone": false} {
		add(TypeSeat, "state", ok, func(b Body) { b.(*Seat).State = s })
		add(TypeRoster, "state", ok, func(b Body) { b.(*Roster).Members[1].State = s })
	}
	members(TypeSeat, func(b Body) *MemberID { return &b.(*Seat).Member })
	members(TypeRoster, func(b Body) *MemberID { return &b.(*Roster).Members[1].Member })
	for r, ok := range map[Role]bool{RoleHost: true, RoleGuest: true, "": false, "admin": false} {
		add(TypeRoster, "role", ok, func(b Body) { b.(*Roster).Members[1].Role = r })
	}
	texts(TypeRoster, "name", MaxName, func(b Body) *string { return &b.(*Roster).Members[1].Name })
	texts(TypeRoster, "label", MaxLabel, func(b Body) *string { return &b.(*Roster).Members[1].Label })
	numbers(TypeRoster, "since", func(b Body) *int64 { return &b.(*Roster).Members[1].Since })
	for n, ok := range map[int]bool{0: true, MaxRoster: true, MaxRoster + 1: false} {
		add(TypeRoster, "members", ok, func(b Body) {
			list := make([]RosterEntry, n)
			for i := range list {
				list[i] = RosterEntry{Member: guest, Role: RoleGuest, State: SeatWaiting}
			}
			b.(*Roster).Members = list
		})
	}
	add(TypeRoster, "no list of members", false, func(b Body) { b.(*Roster).Members = nil })

	members(TypeIntroduce, func(b Body) *MemberID { return &b.(*Introduce).Member })
	for r, ok := range map[string]bool{"H": true, "P": true, "": false, "h": false, "HP": false} {
		add(TypeIntroduce, "role", ok, func(b Body) { b.(*Introduce).Role = r })
	}
	bytes(TypeIntroduce, "fp", 32, false, func(b Body) *Bytes { return &b.(*Introduce).Fingerprint })
	bytes(TypeIntroduce, "key", 32, false, func(b Body) *Bytes { return &b.(*Introduce).Key })
	bytes(TypeIntroduce, "h", 32, false, func(b Body) *Bytes { return &b.(*Introduce).Hash })

	members(TypeDescription, func(b Body) *MemberID { return &b.(*Description).Peer })
	for k, ok := range map[string]bool{"offer": true, "answer": true, "": false, "pranswer": false, "rollback": false} {
		add(TypeDescription, "kind", ok, func(b Body) { b.(*Description).Kind = k })
	}
	lines(TypeDescription, func(b Body) *string { return &b.(*Description).SDP })
	add(TypeDescription, "without sdp", false, func(b Body) { b.(*Description).SDP = "" })

	members(TypeCandidate, func(b Body) *MemberID { return &b.(*Candidate).Peer })
	texts(TypeCandidate, "candidate", MaxCandidate, func(b Body) *string { return &b.(*Candidate).Candidate })
	notLines(TypeCandidate, "candidate", func(b Body) *string { return &b.(*Candidate).Candidate })
	add(TypeCandidate, "that ends them", true, func(b Body) { b.(*Candidate).Candidate = "" })
	texts(TypeCandidate, "mid", 16, func(b Body) *string { return &b.(*Candidate).MID })

	members(TypeAdmit, func(b Body) *MemberID { return &b.(*Admit).Member })
	lines(TypeAdmit, func(b Body) *string { return &b.(*Admit).SDP })
	members(TypeDeny, func(b Body) *MemberID { return &b.(*Deny).Member })
	members(TypeRemove, func(b Body) *MemberID { return &b.(*Remove).Member })
	members(TypeHold, func(b Body) *MemberID { return &b.(*Hold).Member })
	members(TypeAlarm, func(b Body) *MemberID { return &b.(*Alarm).Member })
	for path, ok := range map[PathResult]bool{PathGood: true, PathSlow: true, PathBlocked: true, "": false, "Good": false, "fast": false} {
		add(TypeTested, "path", ok, func(b Body) { b.(*Tested).Path = path })
	}
	relays := func(b Body) *Relays { return b.(*Relays) }
	texts(TypeRelays, "username", 256, func(b Body) *string { return &relays(b).ICEServers[0].Username })
	texts(TypeRelays, "credential", 256, func(b Body) *string { return &relays(b).ICEServers[0].Credential })
	texts(TypeRelays, "url", 256, func(b Body) *string { return &relays(b).ICEServers[0].URLs[0] })
	for n, ok := range map[int]bool{0: true, MaxICEServers: true, MaxICEServers + 1: false} {
		add(TypeRelays, "ice servers", ok, func(b Body) {
			relays(b).ICEServers = make([]ICEServer, n)
			for i := range relays(b).ICEServers {
				relays(b).ICEServers[i].URLs = []string{}
			}
		})
		add(TypeRelays, "urls", ok, func(b Body) { relays(b).ICEServers[0].URLs = make([]string, n) })
	}
	add(TypeRelays, "no list of ice servers", false, func(b Body) { relays(b).ICEServers = nil })
	add(TypeRelays, "no list of urls", false, func(b Body) { relays(b).ICEServers[0].URLs = nil })
	for _, code := range append([]Code{"", "because", "Ended"}, Codes...) {
		ok := code != "" && code != "because" && code != "Ended"
		add(TypeError, "code "+string(code), ok, func(b Body) { b.(*ErrorBody).Code = code })
		add(TypeBye, "code "+string(code), ok, func(b Body) { b.(*Bye).Code = code })
	}

	for i, fresh := range valid() {
		if len(rows[fresh.Type()]) == 0 && len(mustEncode(t, fresh)) > len(`{"type":"leave","body":{}}`) && fresh.Type() != TypeLock {
			t.Errorf("no limits of %s are tested", fresh.Type())
		}
		for _, r := range rows[fresh.Type()] {
			body := valid()[i]
			r.set(body)
			_, err := Encode(body)
			if (err == nil) != r.ok || err != nil && !errors.Is(err, ErrBadMessage) {
				t.Errorf("%s: encode: %v", r.what, err)
			}
			frame, err := encode(body)
			if err != nil {
				t.Errorf("%s: %v", r.what, err)
				continue
			}
			if _, err := Decode(frame); (err == nil) != r.ok {
				t.Errorf("%s: decode: %v", r.what, err)
			}
		}
	}
}

func TestNoMessageIsLongerThanASealedFrameHolds(t *testing.T) {
	sdp := func(n int) *Description {
		return &Description{Peer: HostID, Kind: "offer", SDP: strings.Repeat("\n", n)}
	}
	head := len(mustEncode(t, sdp(1))) - 2 // a line end takes two bytes
	most := (MaxMessage - head) / 2
	if got := len(mustEncode(t, sdp(most))); got > MaxMessage || got < MaxMessage-1 {
		t.Fatalf("the longest message has %d bytes", got)
	}
	if _, err := Encode(sdp(most + 1)); !errors.Is(err, ErrBadMessage) {
		t.Errorf("Encode: %v, want bad-message", err)
	}
	frame, err := encode(sdp(most + 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(frame); !errors.Is(err, ErrBadMessage) {
		t.Errorf("Decode: %v, want bad-message", err)
	}
}
