package daemon

import (
	"context"
	"reflect"

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
	cfg := d.config()
	cfg.Log.Level, cfg.Discovery.Peers = fresh.Log.Level, fresh.Discovery.Peers
	peers, err := knownPeers(cfg)
	if err == nil {
		err = d.discovery.SetPeers(peers)
	}
	if err != nil {
		d.log.Error("configuration not read again", "err", err)
		return
	}
	d.level.Set(cfg.Log.Slog())
	d.mu.Lock()
	d.cfg = cfg
	d.mu.Unlock()
	d.log.Info("configuration read again", "peers", len(peers))
	if !reflect.DeepEqual(cfg, fresh) {
		d.log.Warn("the configuration has changed in more than can be taken up now: restart Anteroom")
	}
}

// config returns the configuration in force.
func (d *Daemon) config() config.Config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cfg
}
