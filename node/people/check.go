package people

import (
	"bytes"
	"context"
	"database/sql"
)

// Each reports on every record of people: whether it is as it was written.
func (p *People) Each(ctx context.Context, tx *sql.Tx, report func(ok bool)) error {
	for _, each := range []func(context.Context, *sql.Tx, func(ok bool)) error{p.eachName, p.eachPractitioner, p.eachSession} {
		if err := each(ctx, tx, report); err != nil {
			return err
		}
	}
	return nil
}

// eachName reports on the practice's name, which is there once it is set up.
func (p *People) eachName(ctx context.Context, tx *sql.Tx, report func(ok bool)) error {
	info, err := p.info(ctx, tx)
	if err == nil && info != (Info{}) {
		report(info.Name != "" && info.Name != unreadable && info.Practitioners > 0)
	}
	return err
}

func (p *People) eachPractitioner(ctx context.Context, tx *sql.Tx, report func(ok bool)) error {
	rows, err := tx.QueryContext(ctx, "SELECT CAST(ifnull(id, '') AS TEXT), name_index, name, password FROM practitioner")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var index, sealed, sealedPHC []byte
		if err := rows.Scan(&id, &index, &sealed, &sealedPHC); err != nil {
			return err
		}
		name, ok := p.openName("practitioner", id, sealed)
		plain, err := p.store.Unseal(passwordCell(id), sealedPHC)
		if err == nil {
			_, err = parsePHC(string(plain))
		}
		report(ok && err == nil && bytes.Equal(index, p.nameIndex(name)))
	}
	return rows.Err()
}

func (p *People) eachSession(ctx context.Context, tx *sql.Tx, report func(ok bool)) error {
	return p.Sessions().each(ctx, tx, func(token string, sealed []byte) {
		plain, err := p.store.Unseal(sessionCell(token), sealed)
		report(err == nil && len(plain) >= 8)
	})
}
