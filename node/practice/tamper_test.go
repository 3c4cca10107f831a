package practice

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"anteroom/node/people"
	"anteroom/node/store"
)

// raw returns the bytes of every file of the practice but the key's.
func (f *fixture) raw() (all []byte) {
	f.t.Helper()
	names, err := filepath.Glob(filepath.Join(f.dir, "*"))
	if err != nil {
		f.t.Fatal(err)
	}
	for _, name := range names {
		if filepath.Base(name) == "store.key" {
			continue
		}
		content, err := os.ReadFile(name)
		if err != nil {
			f.t.Fatal(err)
		}
		all = append(all, content...)
	}
	if len(all) == 0 {
		f.t.Fatal("nothing is stored")
	}
	return all
}

// forms are the ways in which b might be written down.
func forms(b []byte) map[string][]byte {
	wide := new(bytes.Buffer)
	for _, u := range utf16.Encode([]rune(string(b))) {
		wide.Write([]byte{byte(u), byte(u >> 8)})
	}
	all := map[string][]byte{
		"raw": b, "utf-16": wide.Bytes(),
		"hex": []byte(hex.EncodeToString(b)), "HEX": []byte(strings.ToUpper(hex.EncodeToString(b))),
	}
	// A text inside a longer one may start at any of three positions.
	for skip := range 3 {
		if len(b) < skip+9 {
			continue
		}
		part := b[skip : skip+(len(b)-skip)/3*3]
		all[fmt.Sprint("base64+", skip)] = []byte(base64.RawStdEncoding.EncodeToString(part))
		all[fmt.Sprint("base64url+", skip)] = []byte(base64.RawURLEncoding.EncodeToString(part))
	}
	return all
}

func TestNothingPersonalReachesTheDisk(t *testing.T) {
	f := newEmpty(t)
	var err error
	f.who, err = f.People.SetUp(t.Context(), people.SetUp{Practice: "CANARY-PRACTICE", Name: "CANARY-PRACTITIONER", Password: "CANARY-PASSWORD"})
	must(t, err)
	a, err := f.Create(t.Context(), f.who.ID, New{Starts: noon.Add(time.Hour), Minutes: 30, Label: "CANARY-APPOINTMENT", Guests: []string{"CANARY-GUEST", "CANARY-CARER"}})
	must(t, err)
	f.set(a.Opens())
	must(t, f.Bind(t.Context(), a.Invites[0].Member, device(1)))
	must(t, f.MarkAdmitted(t.Context(), a.Invites[0].Member))
	must(t, f.People.Sessions().Commit("hashed", []byte("CANARY-SESSION"), noon.Add(time.Hour)))
	f.People.Authenticate(t.Context(), "CANARY-UNKNOWN", "CANARY-GUESSED-WRONG")
	must(t, f.Trail.Note(t.Context(), "knock-by-hand", a.ID, a.Invites[0].Member))

	canaries := map[string][]byte{
		"resume hash": device(1),
		"start":       []byte(fmt.Sprint(a.Starts.Unix())), // as text; in binary it is too short to tell from noise
		"event":       []byte("knock-by-hand"),
	}
	for _, text := range []string{"PRACTICE", "PRACTITIONER", "PASSWORD", "APPOINTMENT", "GUEST", "CARER", "SESSION", "UNKNOWN", "GUESSED"} {
		canaries[text] = []byte("CANARY-" + text)
		canaries["folded "+text] = []byte("canary-" + strings.ToLower(text))
	}
	for i, inv := range a.Links {
		payload, err := base64.RawURLEncoding.DecodeString(inv.Link.Payload())
		must(t, err)
		seat, err := f.lookup(inv)
		must(t, err)
		rdv, rid := seat.Keys.Rendezvous.Reveal(), seat.Keys.Rendezvous.RID()
		for name, secret := range map[string][]byte{
			"link": payload, "S": payload[1:33], "psk": seat.Keys.PSK.Reveal(), "admit": seat.Keys.Admit.Reveal(),
			"hello": seat.Keys.Hello.Reveal(), "K_rdv": rdv[:], "rid": rid[:], "host key": seat.Keys.Private().Reveal(),
		} {
			canaries[fmt.Sprint(name, " ", i)] = secret
		}
	}
	for _, step := range []struct {
		state   string
		prepare func()
	}{
		{"in the log", func() {}},
		{"in the database", func() { must(t, f.store.Forget(t.Context())) }},
		{"after closing", func() { must(t, f.Close()) }},
	} {
		step.prepare()
		stored := f.raw()
		for name, canary := range canaries {
			for form, b := range forms(canary) {
				if bytes.Contains(stored, b) {
					t.Errorf("%s: %s as %s", step.state, name, form)
				}
			}
		}
		for name, canary := range canaries {
			if bytes.Contains(f.log.Bytes(), canary) {
				t.Errorf("%s is in the log", name)
			}
		}
	}
	if !bytes.Contains(f.raw(), []byte(a.ID)) {
		t.Error("the ids are not there either, so this looks in the wrong place")
	}
}

func TestRevokedLinksLeaveTheDisk(t *testing.T) {
	f := newFixture(t)
	a := f.create("Ann", "Ben")
	var links [][]byte
	must(t, f.store.Read(t.Context(), func(tx *sql.Tx) error {
		rows, err := inviteRows(t.Context(), tx, "")
		for _, r := range rows {
			links = append(links, r.link, r.key)
		}
		return err
	}))
	for i, b := range links {
		if !bytes.Contains(f.raw(), b) {
			t.Fatalf("sealed value %d is not on the disk, so this cannot fail", i)
		}
	}
	must(t, f.Revoke(t.Context(), f.who.ID, a.Invites[0].Member))
	if bytes.Contains(f.raw(), links[0]) {
		t.Error("the revoked link is still on the disk")
	}
	f.sweepAt(a.Closes().Add(shredAfter))
	for i, b := range links {
		if bytes.Contains(f.raw(), b) {
			t.Errorf("sealed value %d outlives its invite", i)
		}
	}
}

// TestMovedValuesDoNotOpen moves sealed values as someone with the file, but
// without the key, might: to another row, column or owner.
func TestMovedValuesDoNotOpen(t *testing.T) {
	swap := func(table, column, key string) string {
		return fmt.Sprintf(`CREATE TEMP TABLE t AS SELECT row_number() OVER (ORDER BY %[3]s) AS n, %[3]s AS k, %[2]s AS v FROM %[1]s;
			UPDATE %[1]s SET %[2]s = (SELECT v FROM t WHERE n = (SELECT 3 - n FROM t WHERE k = %[3]s))`, table, column, key)
	}
	read := func(f *fixture, a Made) error {
		got, err := f.Appointment(t.Context(), a.ID)
		if got.Damaged {
			err = store.ErrSealBroken
		}
		return err
	}
	seat := func(f *fixture, a Made) error { _, err := f.lookup(a.Links[0]); return err }
	moved := func(f *fixture, a Made) error {
		var found *store.UnreadableError
		if err := f.Check(t.Context()); errors.As(err, &found) {
			return store.ErrSealBroken
		}
		return nil
	}
	for _, tt := range []struct {
		what, query string
		use         func(*fixture, Made) error
	}{
		{"plans swapped", swap("appointment", "plan", "id"), read},
		{"labels swapped", swap("appointment", "label", "id"), read},
		{"label in place of the plan", "UPDATE appointment SET plan = label", read},
		{"guests' labels swapped", swap("invite", "label", "member"), read},
		{"seats swapped", swap("invite", "seat", "member"), read},
		{"invites' keys swapped", swap("invite", "key", "member"), seat},
		{"links swapped", swap("invite", "link", "member"), read},
		{"host keys swapped", swap("invite", "host", "member"), seat},
		{"link in place of the host keys", "UPDATE invite SET host = link", seat},
		{"invite moved to another appointment", "UPDATE invite SET appointment = (SELECT id FROM appointment WHERE id <> appointment)", moved},
		{"appointment given to another practitioner", `INSERT INTO practitioner VALUES ('other', x'00', x'00', x'00');
			UPDATE appointment SET practitioner = 'other'`, read},
		{"practitioner's name in place of the practice's", "UPDATE practice SET name = (SELECT name FROM practitioner)",
			func(f *fixture, _ Made) error {
				info, err := f.People.Info(t.Context())
				if info.Name == "(name unreadable)" {
					err = store.ErrSealBroken
				}
				return err
			}},
		{"password replaced by a name", "UPDATE practitioner SET password = name",
			func(f *fixture, _ Made) error {
				_, err := f.People.Authenticate(t.Context(), "", goodPassword)
				return err
			}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			f := newFixture(t)
			a, _ := f.create("Ann"), f.create("Ben")
			if err := tt.use(f, a); err != nil {
				t.Fatal(err)
			}
			f.tamper(tt.query)
			f.open()
			if err := tt.use(f, a); !errors.Is(err, store.ErrSealBroken) {
				t.Errorf("got %v, want ErrSealBroken", err)
			}
		})
	}
}

func TestEventAndDeedAreOne(t *testing.T) {
	f := newFixture(t)
	a := f.create("Ann")
	f.tamper("CREATE TRIGGER stop BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END")
	f.open()
	// Without a trail nothing is done that belongs in it.
	if err := f.Cancel(t.Context(), f.who.ID, a.ID); err == nil {
		t.Error("cancelled without a trail")
	}
	if a := f.reread(a.ID); a.Cancelled || !a.Invites[0].HasLink {
		t.Errorf("got %+v, want it unchanged", a)
	}
}
