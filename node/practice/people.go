package practice

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"anteroom/node/audit"
	"anteroom/node/store"
	"anteroom/rendezvous/wire"
)

// Info is what anyone who opens the page may know.
type Info struct {
	Name          string // of the practice; empty before SetUp
	Practitioners int
}

// A Practitioner signs in and owns appointments.
type Practitioner struct {
	ID   string // 16 hex digits
	Name string
}

// SetUp is what a new practice must be told.
type SetUp struct {
	Practice string // 1 to wire.MaxName code points
	Name     string // of the first practitioner, likewise
	Password string // rules: see password.go
}

func namePlace(table, row string) store.Place {
	return store.Place{Table: table, Column: "name", Row: row}
}

// unreadable stands for a name that cannot be read. What everything else hangs
// on must not be lost with it.
const unreadable = "(name unreadable)"

// openName returns what is sealed as a name, or unreadable.
func (p *Practice) openName(table, row string, sealed []byte) (name string, ok bool) {
	plain, err := p.store.Unseal(namePlace(table, row), sealed)
	if err != nil {
		return unreadable, false
	}
	return string(plain), true
}

// Info returns the practice's name and how many practitioners it has.
func (p *Practice) Info(ctx context.Context) (info Info, err error) {
	err = p.store.Read(ctx, func(tx *sql.Tx) error {
		info, err = p.info(ctx, tx)
		return err
	})
	if err != nil {
		return Info{}, fmt.Errorf("read practice: %w", err)
	}
	return info, nil
}

func (p *Practice) info(ctx context.Context, tx *sql.Tx) (info Info, err error) {
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM practitioner").Scan(&info.Practitioners); err != nil {
		return Info{}, err
	}
	var sealed []byte
	err = tx.QueryRowContext(ctx, "SELECT name FROM practice").Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return info, nil
	}
	if err != nil {
		return Info{}, err
	}
	info.Name, _ = p.openName("practice", "1", sealed)
	return info, nil
}

// SetUp names the practice and makes its first practitioner. It happens once:
// later calls return ErrAlreadySetUp and change nothing. A bad name or password
// is an *InvalidError.
func (p *Practice) SetUp(ctx context.Context, s SetUp) (Practitioner, error) {
	info, err := p.Info(ctx)
	if err != nil {
		return Practitioner{}, err
	}
	if info != (Info{}) { // somebody who cannot be read is somebody
		return Practitioner{}, ErrAlreadySetUp
	}
	practice, err := cleanName("practice", "practice's name", s.Practice)
	if err != nil {
		return Practitioner{}, err
	}
	name, err := cleanName("name", "name", s.Name)
	if err != nil {
		return Practitioner{}, err
	}
	if err := checkPassword(s.Password, practice, name); err != nil {
		return Practitioner{}, err
	}
	phc, err := p.passwords.hash(ctx, s.Password)
	if err != nil {
		return Practitioner{}, fmt.Errorf("hash password: %w", err)
	}
	var who Practitioner
	err = p.extend(ctx, func(tx *sql.Tx) error {
		sealed := p.store.Seal(namePlace("practice", "1"), []byte(practice))
		added, err := tx.ExecContext(ctx, "INSERT INTO practice (id, name) VALUES (1, ?) ON CONFLICT DO NOTHING", sealed)
		if err != nil {
			return err
		}
		if n, err := added.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return ErrAlreadySetUp // someone else was quicker
		}
		if who, err = p.addPractitioner(ctx, tx, name, phc); err != nil {
			return err
		}
		return p.Trail.Add(ctx, tx, audit.Entry{Event: audit.EventSetUp, By: who.ID})
	})
	if errors.Is(err, ErrAlreadySetUp) {
		return Practitioner{}, ErrAlreadySetUp
	}
	if err != nil {
		return Practitioner{}, fmt.Errorf("set up practice: %w", err)
	}
	return who, nil
}

func (p *Practice) addPractitioner(ctx context.Context, tx *sql.Tx, name, phc string) (Practitioner, error) {
	who := Practitioner{ID: newID(8), Name: name}
	_, err := tx.ExecContext(ctx, "INSERT INTO practitioner (id, name_index, name, password) VALUES (?, ?, ?, ?)",
		who.ID, p.nameIndex(name),
		p.store.Seal(namePlace("practitioner", who.ID), []byte(name)),
		p.store.Seal(passwordPlace(who.ID), []byte(phc)))
	return who, err
}

// Practitioner returns one practitioner, or ErrNotFound.
func (p *Practice) Practitioner(ctx context.Context, id string) (who Practitioner, err error) {
	err = p.store.Read(ctx, func(tx *sql.Tx) error {
		var sealed []byte
		if err := tx.QueryRowContext(ctx, "SELECT name FROM practitioner WHERE id = ?", id).Scan(&sealed); err != nil {
			return found(err)
		}
		who = p.openPractitioner(id, sealed)
		return nil
	})
	if err != nil {
		return Practitioner{}, fmt.Errorf("read practitioner: %w", err)
	}
	return who, nil
}

// Practitioners returns all practitioners, in the order they came.
func (p *Practice) Practitioners(ctx context.Context) (list []Practitioner, err error) {
	err = p.store.Read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, "SELECT id, name FROM practitioner ORDER BY rowid")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			var sealed []byte
			if err := rows.Scan(&id, &sealed); err != nil {
				return err
			}
			list = append(list, p.openPractitioner(id, sealed))
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read practitioners: %w", err)
	}
	return list, nil
}

func (p *Practice) openPractitioner(id string, sealed []byte) Practitioner {
	name, _ := p.openName("practitioner", id, sealed)
	return Practitioner{ID: id, Name: name}
}

// nameIndex finds a practitioner by what they type: capitals, spaces and the
// way an accent is encoded do not matter.
func (p *Practice) nameIndex(name string) []byte {
	return p.store.Index("practitioner.name", []byte(fold(name)))
}

// fold returns the form of s in which two spellings of it are equal.
func fold(s string) string {
	s = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s))) // folding can undo the form
	return strings.Join(strings.Fields(s), " ")
}

// cleanName is cleanText for a name that must not be empty.
func cleanName(field, what, s string) (string, error) {
	s, err := cleanText(field, what, s)
	if err == nil && s == "" {
		err = &InvalidError{field, fmt.Sprintf("Please enter the %s.", what)}
	}
	return s, err
}

// cleanText returns s without space around it, in normal form C. A text that
// the wire would not carry, or that could disturb the line it is printed on,
// is an *InvalidError; what names it in the sentence.
func cleanText(field, what, s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", &InvalidError{field, fmt.Sprintf("The %s is not valid text.", what)}
	}
	s = norm.NFC.String(strings.TrimSpace(s))
	if strings.ContainsFunc(s, wire.Disturbs) {
		return "", &InvalidError{field, fmt.Sprintf("The %s contains invisible characters that change how it is shown.", what)}
	}
	if utf8.RuneCountInString(s) > wire.MaxName {
		return "", &InvalidError{field, fmt.Sprintf("The %s is too long: at most %d characters.", what, wire.MaxName)}
	}
	return s, nil
}
