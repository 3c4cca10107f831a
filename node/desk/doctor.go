package desk

import (
	"context"
	"errors"

	"anteroom/node/desk/api"
	"anteroom/node/doctor"
	"anteroom/rendezvous/wire"
)

// Look has the running node looked at now: at what patients need to reach it,
// and at nothing of any practitioner's.
func (a *Access) Look(ctx context.Context) (doctor.Report, error) {
	if err := a.known(ctx); err != nil {
		return doctor.Report{}, err
	}
	report, err := a.d.rounds.Look(ctx)
	if errors.Is(err, doctor.ErrTooOften) {
		err = api.Refuse(wire.CodeTooMany, "refusal.check-too-often", nil)
	}
	return report, err
}

// Doctor implements api.Diary.
func (a *Access) Doctor(ctx context.Context) (api.Report, error) {
	found, err := a.Look(ctx)
	return shownReport(found), err
}

// report is what the doctor found last; nil: the first look is under way.
func (d *Desk) report() *api.Report {
	found, ok := d.rounds.Latest()
	if !ok {
		return nil
	}
	report := shownReport(found)
	return &report
}

func shownReport(found doctor.Report) api.Report {
	report := api.Report{
		Line: found.Line(), Summary: found.Summary, Ready: found.Ready, Confirmed: found.Confirmed,
		At: found.Checked.Unix(), Checks: make([]api.Check, len(found.Checks)),
	}
	for i, c := range found.Checks {
		report.Checks[i] = api.Check{ID: c.ID, Title: c.Title, Status: string(c.Status), Finding: c.Finding, Todo: c.Todo}
	}
	return report
}
