package daemon

import (
	"anteroom/cmd/anteroom/control"
	"anteroom/node/admit"
)

// limits returns how full this node's places for silent connections are, and
// what strangers have left of its searches.
func (d *Daemon) limits() (list []control.Limit) {
	add := func(name string, used, most int) {
		list = append(list, control.Limit{Name: name, Used: used, Max: most})
	}
	lobby := func(name string, l *admit.Backlog, most, mostOf int) {
		if l == nil {
			return
		}
		all, fullest := l.Size()
		add(name, all, most)
		add(name+"_per_network", fullest, mostOf)
	}
	relay, front := d.cfg.Relay.Limits, d.cfg.Front.Limits
	lobby("relay.limits.silent", d.entrance.unsorted, relay.Silent, relay.SilentPerNetwork)
	lobby("front.limits.silent", d.entrance.unnamed, front.Silent, front.SilentPerNetwork)
	if f := d.entrance.front; f != nil {
		all, fullest := f.Handshakes()
		add("front.limits.handshakes", all, front.Handshakes)
		add("front.limits.handshakes_per_network", fullest, front.HandshakesPerNetwork)
		all, fullest = f.Passed()
		add("front.limits.passed", all, front.Passed)
		add("front.limits.passed_per_network", fullest, front.PassedPerNetwork)
	}
	add("front.limits.searches", d.node.Searched(), front.Searches)
	return list
}
