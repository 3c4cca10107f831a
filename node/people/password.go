package people

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"database/sql"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"anteroom/node/audit"
	"anteroom/node/message"
	"anteroom/node/store"
)

// A password has 12 to 128 code points and no other rule of composition (NIST
// SP 800-63B), but it may not be one that is tried first: a common one, one of
// very few characters, or the name of the practice or the practitioner.
const (
	minPassword  = 12
	maxPassword  = 128
	minCharKinds = 5
)

// commonList is the passwords of at least minPassword characters that occur in
// the lists named in common-passwords.LICENSE, folded, one a line.
//
//go:embed common-passwords.txt
var commonList string

var common = sync.OnceValue(func() map[string]bool {
	set := make(map[string]bool)
	for line := range strings.Lines(commonList) {
		set[strings.TrimSuffix(line, "\n")] = true
	}
	return set
})

// checkPassword returns an *InvalidError if password is too easy to guess for
// someone who knows the names.
func checkPassword(password string, names ...string) error {
	refuse := func(code string, args message.Args) error { return Invalid("password", code, args) }
	if !utf8.ValidString(password) {
		return refuse("input.password.no-text", nil)
	}
	password = norm.NFC.String(password)
	switch n := utf8.RuneCountInString(password); {
	case n < minPassword:
		return refuse("input.password.short", message.Args{"n": minPassword})
	case n > maxPassword:
		return refuse("input.password.long", message.Args{"n": maxPassword})
	}
	folded := fold(password)
	kinds := make(map[rune]bool)
	for _, r := range folded {
		kinds[r] = true
	}
	if len(kinds) < minCharKinds {
		return refuse("input.password.repeats", nil)
	}
	if common()[folded] {
		return refuse("input.password.common", nil)
	}
	for _, name := range names {
		if letters(name) != "" && letters(folded) == letters(name) {
			return refuse("input.password.name", nil)
		}
	}
	return nil
}

// letters returns the folded letters of s, so that digits and spaces around a
// name do not make it another one.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, fold(s))
}

// A Cost is how expensive one guess is made.
type Cost struct {
	Memory uint32 // KiB
	Passes uint32
	Lanes  uint8
}

// loginCost is well above OWASP's floor (19 MiB, 2 passes) and takes a quarter
// of a second or less on a small computer.
var loginCost = Cost{Memory: 64 << 10, Passes: 3, Lanes: 1}

const (
	saltSize = 16
	hashSize = 32
)

// A hasher makes and compares password hashes.
type hasher struct {
	cost Cost
	// slots has room for those who hash now; more wait. Two at a time cannot
	// exhaust the memory of a small computer.
	slots chan struct{}
	// derive is Argon2id.
	derive func(password, salt []byte, c Cost) []byte
}

func newHasher(c Cost) hasher {
	return hasher{cost: c, slots: make(chan struct{}, 2), derive: func(password, salt []byte, c Cost) []byte {
		return argon2.IDKey(password, salt, c.Passes, c.Memory, c.Lanes, hashSize)
	}}
}

// run hashes a password once a slot is free, or ctx ends.
func (h hasher) run(ctx context.Context, password string, salt []byte, c Cost) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.slots }()
	return h.derive([]byte(norm.NFC.String(password)), salt, c), nil
}

// hash returns a PHC string for password.
func (h hasher) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails
	sum, err := h.run(ctx, password, salt, h.cost)
	if err != nil {
		return "", err
	}
	return phc{h.cost, salt, sum}.String(), nil
}

// matches reports whether password belongs to stored. An empty one belongs to
// nobody and takes as long to say so. stale means that stored was made with
// another cost than today's.
func (h hasher) matches(ctx context.Context, password, stored string) (ok, stale bool, err error) {
	known := phc{cost: h.cost, salt: make([]byte, saltSize), sum: make([]byte, hashSize)}
	if stored != "" {
		if known, err = parsePHC(stored); err != nil {
			return false, false, err
		}
	}
	sum, err := h.run(ctx, password, known.salt, known.cost)
	if err != nil {
		return false, false, err
	}
	equal := subtle.ConstantTimeCompare(sum, known.sum) == 1
	return equal && stored != "", known.cost != h.cost, nil
}

// phc is a password hash that says how it was made:
// $argon2id$v=19$m=65536,t=3,p=1$salt$hash
type phc struct {
	cost      Cost
	salt, sum []byte
}

func (p phc) String() string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.cost.Memory, p.cost.Passes, p.cost.Lanes, b64(p.salt), b64(p.sum))
}

// parsePHC accepts exactly what String makes, at a cost that can be paid.
func parsePHC(s string) (phc, error) {
	var p phc
	bad := errors.New("parse password hash: not one of ours")
	parts := strings.Split(s, "$")
	if len(parts) != 6 {
		return phc{}, bad
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.cost.Memory, &p.cost.Passes, &p.cost.Lanes); err != nil {
		return phc{}, bad
	}
	var err1, err2 error
	p.salt, err1 = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	p.sum, err2 = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(p.salt) != saltSize || len(p.sum) != hashSize ||
		p.cost.Memory > 1<<20 || p.cost.Passes < 1 || p.cost.Passes > 16 || p.cost.Lanes < 1 || p.String() != s {
		return phc{}, bad
	}
	return p, nil
}

func passwordCell(id string) store.Cell {
	return store.Cell{Table: "practitioner", Column: "password", Row: id}
}

// Authenticate returns the practitioner who has this name and password. The
// name may be empty if there is only one. Whatever is wrong, the error is
// ErrWrongPassword after the same time; how often one may try is for the
// caller to limit. Both outcomes are in the audit trail.
func (p *People) Authenticate(ctx context.Context, name, password string) (Practitioner, error) {
	who, stored, err := p.credentials(ctx, name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Practitioner{}, fmt.Errorf("read credentials: %w", err)
	}
	if utf8.RuneCountInString(password) > maxPassword {
		stored = "" // cannot be right; costs no more than others
		password = ""
	}
	ok, stale, err := p.passwords.matches(ctx, password, stored)
	if err != nil {
		return Practitioner{}, fmt.Errorf("compare password: %w", err)
	}
	if !ok {
		if err := p.trail.Record(ctx, audit.Entry{Event: audit.EventSignInFailed, By: who.ID}); err != nil {
			return Practitioner{}, err
		}
		return Practitioner{}, ErrWrongPassword
	}
	var better string
	if stale {
		if better, err = p.passwords.hash(ctx, password); err != nil {
			return Practitioner{}, fmt.Errorf("hash password: %w", err)
		}
	}
	err = p.store.WriteFromReserve(ctx, func(tx *sql.Tx) error {
		if better != "" {
			sealed := p.store.Seal(passwordCell(who.ID), []byte(better))
			if _, err := tx.ExecContext(ctx, "UPDATE practitioner SET password = ? WHERE id = ?", sealed, who.ID); err != nil {
				return err
			}
		}
		return p.trail.Add(ctx, tx, audit.Entry{Event: audit.EventSignIn, By: who.ID})
	})
	if err != nil {
		return Practitioner{}, fmt.Errorf("record sign-in: %w", err)
	}
	return who, nil
}

// Account returns the id of the practitioner whom Authenticate looks up by name,
// or if there is none, the form of name in which its spellings are equal.
func (p *People) Account(ctx context.Context, name string) (string, error) {
	who, _, err := p.credentials(ctx, name)
	switch {
	case errors.Is(err, ErrNotFound):
		return "name " + fold(name), nil
	case err != nil:
		return "", fmt.Errorf("look up account: %w", err)
	}
	return who.ID, nil
}

// credentials finds a practitioner by name and returns their password hash.
func (p *People) credentials(ctx context.Context, name string) (who Practitioner, phc string, err error) {
	query, args := "SELECT id, name, password FROM practitioner WHERE name_index = ?", []any{p.nameIndex(name)}
	if strings.TrimSpace(name) == "" {
		query, args = "SELECT id, name, password FROM practitioner WHERE (SELECT count(*) FROM practitioner) = 1", nil
	}
	err = p.store.Read(ctx, func(tx *sql.Tx) error {
		var id string
		var sealedName, sealedPHC []byte
		if err := tx.QueryRowContext(ctx, query, args...).Scan(&id, &sealedName, &sealedPHC); err != nil {
			return store.Found(err)
		}
		who = p.openPractitioner(id, sealedName)
		plain, err := p.store.Unseal(passwordCell(id), sealedPHC)
		phc = string(plain)
		return err
	})
	return who, phc, err
}
