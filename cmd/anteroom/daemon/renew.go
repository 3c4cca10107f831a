package daemon

import (
	"context"

	"anteroom/cmd/anteroom/config"
)

// renewWhenTold takes up what has changed, each time somebody says so, until
// ctx ends.
func (d *Daemon) renewWhenTold(ctx context.Context) {
	for {
		select {
		case <-d.again:
			d.renew()
		case <-ctx.Done():
			return
		}
	}
}

// renew reads the certificate's files and the configuration again, and takes
// up of it what a node can while it runs: discovery.peers and log.level. A
// configuration with a problem changes nothing.
func (d *Daemon) renew() {
	if d.entrance.certs != nil {
		d.entrance.certs.Renew()
	}
	fresh, err := d.reload()
	if err != nil { // whose text may quote a name
		d.log.Error("configuration not read again, it has a problem: see anteroom config check")
		return
	}
	plan := d.current().Renew(fresh)
	if err := d.discovery.SetPeers(plan.Discovery.Peers); err != nil {
		d.log.Error("configuration not read again", "err", err)
		return
	}
	d.level.Set(plan.LogLevel)
	d.mu.Lock()
	d.plan = plan
	d.mu.Unlock()
	d.log.Info("configuration read again", "peers", len(plan.Discovery.Peers))
	if !plan.Same(fresh) {
		d.log.Warn("the configuration has changed in more than can be taken up now: restart Anteroom")
	}
}

// current returns the plan in force.
func (d *Daemon) current() config.Plan {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.plan
}
