package daemon

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/exit"
	"anteroom/discovery/identity"
)

// CardOf returns the card of a node that does not run. It binds the configured addresses for a moment, to know them
// as the daemon would. It dials nobody. Of a node that is not there it makes a
// card only where somebody has said that it shall be there: otherwise whoever
// runs this as another user would hand out the card of nobody. Where it has made
// an identity, it says so to talk.
func CardOf(plan config.Plan, name string, anew bool, log *slog.Logger, talk io.Writer) (string, error) {
	if err := checkPlace(plan); err != nil {
		return "", err
	}
	path := plan.Dir.Identity()
	_, err := identity.Load(path)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case missing && anew:
	case missing && isKnown(plan.Dir):
		return "", checkIdentity(plan)
	case missing && !plan.Chosen:
		return "", exit.With(exit.NotRunning, fmt.Errorf("no daemon is running with the data directory %s, and no node was ever started there, so there is no card of it: "+
			"if the node runs as another user, run this as that user, with its --data-dir; otherwise start it first with \"anteroom serve\"", plan.Dir))
	case !missing:
		if err := checkIdentity(plan); err != nil {
			return "", err
		}
	}
	if missing {
		if err := os.MkdirAll(string(plan.Dir), 0o700); err != nil {
			return "", fmt.Errorf("make data directory: %w", err)
		}
		fmt.Fprintf(talk, "There was no node here before: its identity is now in %s, and this is its card. Start the node with this data directory.\n", path)
	}
	d, err := newDiscovery(plan, log)
	if err != nil {
		return "", inUse(err, "choose another with discovery.listen")
	}
	card, err := d.Card(name)
	return card, errors.Join(err, d.Close())
}
