//go:build e2e

package wire

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// Both decoders say the same of every frame: of each kind of message, of what
// is left of it after mutation, and of spellings that JSON parsers read
// differently. ANTEROOM_TWIN_FRAMES sets how many; 50,000 by default.
func TestDecodersAgree(t *testing.T) {
	frames := 50_000
	if s := os.Getenv("ANTEROOM_TWIN_FRAMES"); s != "" {
		var err error
		if frames, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "node", "../../httpui/test/page/verdicts.mjs")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("this test needs Node.js: %v", err)
	}
	answers := bufio.NewReader(out)
	rnd := rand.New(rand.NewPCG(1, 2))
	verdicts := make(map[string]int)
	const batch = 200
	for n := 0; n < frames; n += batch {
		var sent [][]byte
		var lines strings.Builder
		for range batch {
			frame := mutate(rnd, sample(rnd))
			sent = append(sent, frame)
			lines.WriteString(hex.EncodeToString(frame) + "\n")
		}
		go io.WriteString(in, lines.String()) // ends when node has read the batch, or has died
		for _, frame := range sent {
			got, err := answers.ReadString('\n')
			if err != nil {
				t.Fatalf("after %q: %v", frame, err)
			}
			want := verdict(frame)
			if strings.TrimSuffix(got, "\n") != want {
				t.Fatalf("frame %q (%x): Go says %.60q, JavaScript %.200q", frame, frame, want, got)
			}
			word, _, _ := strings.Cut(want, " ")
			verdicts[word]++
		}
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if verdicts["ok"] < frames/10 || verdicts["bad"] < frames/10 || verdicts["unknown"] == 0 {
		t.Errorf("the frames are not varied enough: %v", verdicts)
	}
	t.Logf("%v", verdicts)
}

func verdict(frame []byte) string {
	body, err := Decode(frame)
	switch {
	case errors.Is(err, ErrUnknownType):
		return "unknown"
	case err != nil:
		return "bad"
	}
	again, err := Encode(body)
	if err != nil {
		return "fault " + err.Error()
	}
	return "ok " + hex.EncodeToString(again)
}

// strange are code points on which decoders differ.
var strange = []string{"", "a", "Zoë", "𝄞", "\u2028", "\u0085", "\u061c", "\ufeff", "\u200e", "\u202e", "\u0000", "\n", "\"", "\\", "/", "<", "\x7f", "é\u0301", "\ufffd", "\U0010ffff", "👩‍⚕️"}

func word(rnd *rand.Rand, limit int) string {
	var s strings.Builder
	for range rnd.IntN(limit) {
		if rnd.IntN(6) == 0 {
			s.WriteString(strange[rnd.IntN(len(strange))])
		} else {
			s.WriteByte(byte('a' + rnd.IntN(26)))
		}
	}
	return s.String()
}

func blob(rnd *rand.Rand) Bytes {
	size := 32
	switch rnd.IntN(12) {
	case 0:
		size = rnd.IntN(40)
	case 1:
		size = 16
	}
	b := make(Bytes, size)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

func id(rnd *rand.Rand) MemberID {
	if rnd.IntN(3) == 0 {
		return HostID
	}
	return MemberID(fmt.Sprintf("%016x", rnd.Uint64()))
}

func number(rnd *rand.Rand) int64 {
	return []int64{0, 1, -1, 1_800_000_000, MaxInt, MaxInt + 1, int64(rnd.Uint64())}[rnd.IntN(7)]
}

// sample returns the encoding of a random message, which may be outside its limits.
func sample(rnd *rand.Rand) []byte {
	states := []SeatState{SeatWaiting, SeatAdmitted, SeatHeld, SeatAway, "gone"}
	var roster Roster
	if rnd.IntN(8) > 0 {
		roster.Members = []RosterEntry{}
	}
	for range rnd.IntN(4) {
		roster.Members = append(roster.Members, RosterEntry{id(rnd), RoleGuest, states[rnd.IntN(5)], word(rnd, 70), word(rnd, 8), number(rnd), rnd.IntN(2) == 0})
	}
	welcome := Welcome{State: WindowOpen, Now: number(rnd), Practice: word(rnd, 70), SID: blob(rnd), Confirm: blob(rnd), Resume: blob(rnd), ICEServers: []ICEServer{}}
	if rnd.IntN(2) == 0 {
		welcome.ICEServers = append(welcome.ICEServers, ICEServer{URLs: []string{word(rnd, 20)}, Username: word(rnd, 5)})
	}
	relays := Relays{ICEServers: welcome.ICEServers}
	if rnd.IntN(8) == 0 {
		relays.ICEServers = nil
	}
	all := []Body{
		&welcome, &relays, &roster,
		&Join{word(rnd, 70), blob(rnd), nil}, &Join{word(rnd, 5), blob(rnd), blob(rnd)},
		&Attend{"0123456789abcdef0123456789abcdef", make(Bytes, 16), "t", blob(rnd), rnd.IntN(2) == 0},
		&Seat{id(rnd), states[rnd.IntN(5)]},
		&Introduce{id(rnd), "H", true, blob(rnd), blob(rnd), blob(rnd)},
		&Description{id(rnd), "offer", "v=0\r\n" + word(rnd, 50)},
		&Candidate{id(rnd), word(rnd, 50), word(rnd, 20)},
		&Admit{id(rnd), ""}, &Admit{id(rnd), word(rnd, 50)}, &Deny{id(rnd)}, &Remove{id(rnd)}, &Hold{id(rnd), true},
		&Lock{false}, &Alarm{id(rnd)}, &Tested{PathBlocked}, &Leave{}, &End{}, &Ping{}, &Pong{}, &ErrorBody{CodeInternal}, &Bye{CodeEnded}, &Bye{"no-such-code"},
	}
	frame, err := encode(all[rnd.IntN(len(all))])
	if err != nil {
		panic(err)
	}
	return frame
}

// spellings are rewritings that some JSON decoders take for the same.
var spellings = [][2]string{
	{`"type"`, `"Type"`}, {`"type":`, `"type": `}, {`"body":{`, `"body":{"x":1,`}, {`{"type"`, `{"type":"end","type"`}, {`"body"`, `"BODY"`},
	{`:true`, `:1`}, {`:false`, `:null`}, {`:0`, `:0.0`}, {`:0`, `:-0`}, {`:1`, `:1e0`}, {`":[]`, `":null`}, {`a`, `\u0061`}, {`/`, `\/`},
	{`"locked"`, `"__proto__"`}, {`"member"`, `"constructor"`}, {`}}`, `}} `}, {`}}`, `},"body":{}}`}, {`"host"`, `"HOST"`}, {`leave`, `grease-1`}, {`ping`, `toString`}, {`end`, `constructor`},
	{`\u2028`, "\u2028"}, {`\u2028`, `\u2028\ud800`}, {`offer`, `\ud83d\ude00`}, {`"`, `'`}, {`{}`, `[]`}, {`{}`, `null`}, {`,`, `,,`}, {`\n`, `\u000a`}, {`\u0000`, `\U0000`}, {`_`, `/`}, {`-`, `+`},
}

func mutate(rnd *rand.Rand, frame []byte) []byte {
	switch rnd.IntN(5) {
	case 0, 1:
		return frame
	case 2:
		s := spellings[rnd.IntN(len(spellings))]
		return []byte(strings.Replace(string(frame), s[0], s[1], 1))
	case 3: // swap two fields of the same object, or lose one
		var any map[string]json.RawMessage
		if json.Unmarshal(frame, &any) == nil {
			if again, err := json.Marshal(any); err == nil {
				return again
			}
		}
		return frame
	default:
		frame = bytes.Clone(frame)
		for range 1 + rnd.IntN(3) {
			at := rnd.IntN(len(frame))
			switch rnd.IntN(4) {
			case 0:
				frame[at] ^= 1 << rnd.IntN(8)
			case 1:
				frame = append(frame[:at], frame[at:]...)[:max(1, at)]
			case 2:
				frame = append(frame[:at:at], append([]byte(strange[rnd.IntN(len(strange))]), frame[at:]...)...)
			default:
				frame[at] = `{}[]":,\0-.eE tfn`[rnd.IntN(17)]
			}
		}
		return frame
	}
}
