// Package people knows who works at a practice, and how they prove it. It knows
// no way by which they ask.
package people

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"anteroom/node/audit"
	"anteroom/node/store"
)

var (
	// ErrNotFound says that there is no such practitioner.
	ErrNotFound = store.ErrNotFound
	// ErrAlreadySetUp is returned by SetUp after the first time.
	ErrAlreadySetUp = errors.New("the practice is already set up")
	// ErrWrongPassword is returned by Authenticate whatever was wrong.
	ErrWrongPassword = errors.New("wrong name or password")
)

// People is safe for concurrent use. It starts no goroutines.
type People struct {
	store     *store.Store
	trail     *audit.Trail
	clock     func() time.Time
	passwords hasher
}

// New returns the people who are kept in s. What they do is in the trail. The
// zero Cost is for everybody but tests.
func New(s *store.Store, trail *audit.Trail, clock func() time.Time, c Cost) *People {
	if c == (Cost{}) {
		c = loginCost
	}
	return &People{store: s, trail: trail, clock: clock, passwords: newHasher(c)}
}

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

func nameCell(table, row string) store.Cell {
	return store.Cell{Table: table, Column: "name", Row: row}
}

// unreadable stands for a name that cannot be read. What everything else hangs
// on must not be lost with it.
const unreadable = "(name unreadable)"

// openName returns what is sealed as a name, or unreadable.
func (p *People) openName(table, row string, sealed []byte) (name string, ok bool) {
	plain, err := p.store.Unseal(nameCell(table, row), sealed)
	if err != nil {
		return unreadable, false
	}
	return string(plain), true
}

// Info returns the practice's name and how many practitioners it has.
func (p *People) Info(ctx context.Context) (info Info, err error) {
	err = p.store.Read(ctx, func(tx *sql.Tx) error {
		info, err = p.info(ctx, tx)
		return err
	})
	if err != nil {
		return Info{}, fmt.Errorf("read practice: %w", err)
	}
	return info, nil
}

func (p *People) info(ctx context.Context, tx *sql.Tx) (info Info, err error) {
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
func (p *People) SetUp(ctx context.Context, s SetUp) (Practitioner, error) {
	info, err := p.Info(ctx)
	if err != nil {
		return Practitioner{}, err
	}
	if info != (Info{}) { // somebody who cannot be read is somebody
		return Practitioner{}, ErrAlreadySetUp
	}
	practice, err := cleanName("practice", s.Practice)
	if err != nil {
		return Practitioner{}, err
	}
	name, err := cleanName("name", s.Name)
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
	err = p.store.Write(ctx, func(tx *sql.Tx) error {
		sealed := p.store.Seal(nameCell("practice", "1"), []byte(practice))
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
		return p.trail.Add(ctx, tx, audit.Entry{Event: audit.EventSetUp, By: who.ID})
	})
	if errors.Is(err, ErrAlreadySetUp) {
		return Practitioner{}, ErrAlreadySetUp
	}
	if err != nil {
		return Practitioner{}, fmt.Errorf("set up practice: %w", err)
	}
	return who, nil
}

func (p *People) addPractitioner(ctx context.Context, tx *sql.Tx, name, phc string) (Practitioner, error) {
	who := Practitioner{ID: store.NewID(8), Name: name}
	_, err := tx.ExecContext(ctx, "INSERT INTO practitioner (id, name_index, name, password) VALUES (?, ?, ?, ?)",
		who.ID, p.nameIndex(name),
		p.store.Seal(nameCell("practitioner", who.ID), []byte(name)),
		p.store.Seal(passwordCell(who.ID), []byte(phc)))
	return who, err
}

// Practitioner returns one practitioner, or ErrNotFound.
func (p *People) Practitioner(ctx context.Context, id string) (who Practitioner, err error) {
	err = p.store.Read(ctx, func(tx *sql.Tx) error {
		var sealed []byte
		if err := tx.QueryRowContext(ctx, "SELECT name FROM practitioner WHERE id = ?", id).Scan(&sealed); err != nil {
			return store.Found(err)
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
func (p *People) Practitioners(ctx context.Context) (list []Practitioner, err error) {
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

func (p *People) openPractitioner(id string, sealed []byte) Practitioner {
	name, _ := p.openName("practitioner", id, sealed)
	return Practitioner{ID: id, Name: name}
}

// nameIndex finds a practitioner by what they type: capitals, spaces and the
// way an accent is encoded do not matter.
func (p *People) nameIndex(name string) []byte {
	return p.store.Index("practitioner.name", []byte(fold(name)))
}
