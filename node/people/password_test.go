package people

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func TestPasswordRules(t *testing.T) {
	names := []string{"Riverside Practice", "Dr. Ada Lee"}
	for _, tt := range []struct{ password, code string }{
		{"", "input.password.short"},
		{"elevenchars", "input.password.short"},
		{strings.Repeat("abcde€", 21) + "xyz", "input.password.long"}, // 129
		{"aaaaaaaaaaaaaaa", "input.password.repeats"},
		{"121212121212", "input.password.repeats"},
		{"qwertyuiop123", "input.password.common"},
		{"QwertyUiop123", "input.password.common"},
		{"ＱwertyUiop123", "input.password.common"}, // a full-width letter folds to its plain form
		{"justinbieber", "input.password.common"},
		{"riverside PRACTICE 2027", "input.password.name"},
		{"dr.ada.lee.1.2.3", "input.password.name"},
		{"\xff\xfe nonsense, twelve", "input.password.no-text"},
	} {
		wantInvalid(t, checkPassword(tt.password, names...), "password", tt.code)
	}
	for _, password := range []string{
		"twelve chars",
		goodPassword,
		"correct horse battery staple",
		"пароль для Марии",
		"密码密码一二三四五六七八",
		strings.Repeat("abcde€", 21) + "xy", // 128
		"Riverside Practice is my place",
	} {
		if err := checkPassword(password, names...); err != nil {
			t.Errorf("%q: %v", password, err)
		}
	}
	if err := checkPassword("123 456 789 0", ""); err != nil {
		t.Errorf("a practice without letters in its name: %v", err)
	}
}

func TestCommonListIsAllOfUse(t *testing.T) {
	list := strings.Fields(commonList)
	if len(list) < 400 || len(list) != len(common()) {
		t.Fatalf("the list has %d entries, %d different", len(list), len(common()))
	}
	if !slices.IsSorted(list) {
		t.Error("the list is not sorted")
	}
	for _, password := range list {
		if fold(password) != password || len([]rune(password)) < minPassword {
			t.Errorf("%q can never match", password)
		}
		if checkPassword(password) == nil {
			t.Errorf("%q is accepted", password)
		}
	}
}

func TestSetUpChecksThePassword(t *testing.T) {
	f := newEmpty(t)
	_, err := f.SetUp(t.Context(), SetUp{"Riverside", "Ada", "short"})
	wantInvalid(t, err, "password", "input.password.short")
	_, err = f.SetUp(t.Context(), SetUp{"Riverside Practice", "Ada", "RiversidePractice1"})
	wantInvalid(t, err, "password", "input.password.name")
}

func TestHashes(t *testing.T) {
	h := newHasher(cheap)
	stored, err := h.hash(t.Context(), "pa$$word e\u0301")
	if err != nil || !strings.HasPrefix(stored, "$argon2id$v=19$m=8,t=1,p=1$") {
		t.Fatalf("got %s, %v", stored, err)
	}
	for password, want := range map[string]bool{
		"pa$$word e\u0301": true,
		"pa$$word \u00e9":  true, // the same accent, as another keyboard sends it
		"pa$$word e":       false,
		"pa$$word \u00e9 ": false,
		"Pa$$word \u00e9":  false,
		"":                 false,
	} {
		if ok, stale, err := h.matches(t.Context(), password, stored); ok != want || stale || err != nil {
			t.Errorf("%q: got %v, %v, %v, want %v", password, ok, stale, err, want)
		}
	}
	if again, err := h.hash(t.Context(), "pa$$word e\u0301"); err != nil || again == stored {
		t.Errorf("the same salt twice, %v", err)
	}
	if ok, _, err := h.matches(t.Context(), "", ""); ok || err != nil {
		t.Errorf("nobody's hash matched, %v", err)
	}
}

// referenceHash is what the reference implementation's argon2 tool prints for
// goodPassword with -id -t 3 -k 65536 -p 1 -l 32 and the salt "sixteen byte slt".
const referenceHash = "$argon2id$v=19$m=65536,t=3,p=1$c2l4dGVlbiBieXRlIHNsdA$3oUmwOd4Yf1fryBXIU6o+Y1Jwx4eooqbQADdKQlB/P8"

func TestHashesAreThoseOfTheReference(t *testing.T) {
	if ok, stale, err := newHasher(loginCost).matches(t.Context(), goodPassword, referenceHash); !ok || stale || err != nil {
		t.Errorf("got %v, %v, %v, want a match at today's cost", ok, stale, err)
	}
	if ok, stale, err := newHasher(cheap).matches(t.Context(), goodPassword+"x", referenceHash); ok || !stale || err != nil {
		t.Errorf("got %v, %v, %v, want no match, of another cost", ok, stale, err)
	}
}

func TestParsePHCAcceptsWhatStringMakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := phc{
			cost: Cost{rapid.Uint32Max(1<<20).Draw(t, "m"), rapid.Uint32Range(1, 16).Draw(t, "t"), rapid.Uint8Min(1).Draw(t, "p")},
			salt: rapid.SliceOfN(rapid.Byte(), saltSize, saltSize).Draw(t, "salt"),
			sum:  rapid.SliceOfN(rapid.Byte(), hashSize, hashSize).Draw(t, "sum"),
		}
		got, err := parsePHC(want.String())
		if err != nil || got.cost != want.cost || !bytes.Equal(got.salt, want.salt) || !bytes.Equal(got.sum, want.sum) {
			t.Fatalf("got %v, %v, want %v", got, err, want)
		}
	})
	good := phc{cheap, make([]byte, saltSize), make([]byte, hashSize)}.String()
	for _, bad := range []string{
		"", "$", good + "$", " " + good, good + "A",
		strings.Replace(good, "argon2id", "argon2i", 1),
		strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=8", "m=08", 1),
		strings.Replace(good, "m=8", "m=4294967295", 1),
		strings.Replace(good, "t=1", "t=0", 1),
		strings.Replace(good, "t=1", "t=99", 1),
		strings.Replace(good, "p=1", "p=0", 1),
		strings.Replace(good, "p=1", "p=256", 1),
		strings.Replace(good, "$AAAA", "$AA", 1),
	} {
		if _, err := parsePHC(bad); err == nil {
			t.Errorf("took %q", bad)
		}
	}
}

// counted is a hasher that notes what it is asked to do.
func counted(f *fixture) *[]Cost {
	var mu sync.Mutex
	var asked []Cost
	derive := f.passwords.derive
	f.passwords.derive = func(password, salt []byte, c Cost) []byte {
		mu.Lock()
		asked = append(asked, c)
		mu.Unlock()
		return derive(password, salt, c)
	}
	return &asked
}

func TestAuthenticate(t *testing.T) {
	f := newFixture(t)
	asked := counted(f)
	for _, tt := range []struct {
		what, name, password string
		ok                   bool
	}{
		{"the name", "Dr. Ada Lee", goodPassword, true},
		{"no name", "", goodPassword, true},
		{"a name of spaces", "  ", goodPassword, true},
		{"other capitals and spaces", "  dr.  ADA lee", goodPassword, true},
		{"a wrong password", "Dr. Ada Lee", goodPassword + "x", false},
		{"a wrong password and no name", "", "x", false},
		{"no password", "Dr. Ada Lee", "", false},
		{"an unknown name", "Dr. Bob", goodPassword, false},
		{"an unknown name and no password", "Dr. Bob", "", false},
		{"a password beyond all limits", "Dr. Ada Lee", strings.Repeat("x", 1<<20), false},
	} {
		*asked = nil
		who, err := f.Authenticate(t.Context(), tt.name, tt.password)
		if tt.ok && (err != nil || who != f.who) {
			t.Errorf("%s: got %v, %v", tt.what, who, err)
		}
		if !tt.ok && (!errors.Is(err, ErrWrongPassword) || who != (Practitioner{})) {
			t.Errorf("%s: got %v, %v, want ErrWrongPassword", tt.what, who, err)
		}
		// One hash of today's cost, whatever was wrong: that is the time it takes.
		if len(*asked) != 1 || (*asked)[0] != cheap {
			t.Errorf("%s: hashed %v", tt.what, *asked)
		}
	}
	if got, want := fmt.Sprint(f.events()[1:]), "[sign-in sign-in sign-in sign-in"+strings.Repeat(" sign-in-failed", 6)+"]"; got != want {
		t.Errorf("got events %s, want %s", got, want)
	}
}

func TestAuthenticateWithSeveralPractitioners(t *testing.T) {
	f := newFixture(t)
	phc, err := f.passwords.hash(t.Context(), "bobs own password")
	if err != nil {
		t.Fatal(err)
	}
	var bob Practitioner
	err = f.store.Write(t.Context(), func(tx *sql.Tx) error {
		bob, err = f.addPractitioner(t.Context(), tx, "Bob", phc)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if who, err := f.Authenticate(t.Context(), "bob", "bobs own password"); err != nil || who != bob {
		t.Errorf("got %v, %v, want Bob", who, err)
	}
	for _, try := range [][2]string{{"bob", goodPassword}, {"dr. ada lee", "bobs own password"}, {"", goodPassword}, {"", "bobs own password"}} {
		if _, err := f.Authenticate(t.Context(), try[0], try[1]); !errors.Is(err, ErrWrongPassword) {
			t.Errorf("%q: got %v", try, err)
		}
	}
	if list, err := f.Practitioners(t.Context()); err != nil || !slices.Equal(list, []Practitioner{f.who, bob}) {
		t.Errorf("got %v, %v", list, err)
	}
}

func TestSignInRenewsAnOutdatedHash(t *testing.T) {
	f := newFixture(t)
	dearer := Cost{Memory: 16, Passes: 2, Lanes: 1}
	f.reopen(dearer)
	asked := counted(f)
	for i, want := range [][]Cost{{cheap}, {cheap, dearer}, {dearer}} {
		*asked = nil
		password := goodPassword
		if i == 0 {
			password = "wrong, so nothing is renewed"
		}
		if _, err := f.Authenticate(t.Context(), "", password); (err == nil) != (i > 0) {
			t.Fatal(err)
		}
		if !slices.Equal(*asked, want) {
			t.Errorf("sign-in %d hashed %v, want %v", i, *asked, want)
		}
	}
}

func TestAtMostTwoHashesAtOnce(t *testing.T) {
	h := newHasher(cheap)
	running, goOn := make(chan struct{}, 10), make(chan struct{})
	h.derive = func(_, _ []byte, _ Cost) []byte {
		running <- struct{}{}
		<-goOn
		return make([]byte, hashSize)
	}
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() { h.hash(context.Background(), "x") })
	}
	<-running
	<-running
	// Both slots are taken, so who gives up waiting has not hashed.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.hash(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v from one who gave up", err)
	}
	if n := len(running); n != 0 {
		t.Errorf("%d more are hashing", n)
	}
	close(goOn)
	wg.Wait()
	if n := len(running); n != 3 {
		t.Errorf("%d hashed later, want 3", n)
	}
}

// TestAccountIsWhomSignInLooksUp: every spelling that signs somebody in is one
// account, and so is every spelling of a name that nobody has.
func TestAccountIsWhomSignInLooksUp(t *testing.T) {
	f := newFixture(t)
	for _, name := range []string{"Dr. Ada Lee", "DR. ADA LEE", "  dr.  ada\u00a0lee ", "Dr. Ａda Lee", "", " "} {
		if who, err := f.Authenticate(t.Context(), name, goodPassword); err != nil || who.ID != f.who.ID {
			t.Fatalf("%q signs %q in, %v", name, who.ID, err)
		}
		if got, err := f.Account(t.Context(), name); err != nil || got != f.who.ID {
			t.Errorf("%q is %q, %v, want %q", name, got, err, f.who.ID)
		}
	}
	first, err := f.Account(t.Context(), "Straße Ⅷ é")
	if err != nil || first == f.who.ID {
		t.Fatal(first, err)
	}
	for _, name := range []string{"STRASSE VIII É", "strasse viii e\u0301", " Strasse\u00a0viii  É"} {
		if got, err := f.Account(t.Context(), name); err != nil || got != first {
			t.Errorf("%q is %q, %v, want %q", name, got, err, first)
		}
	}
}
