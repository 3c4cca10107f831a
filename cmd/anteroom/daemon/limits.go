package daemon

import (
	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/control"
	"anteroom/node/admit"
)

// limits returns how full this node's places for silent connections are, and
// what strangers have left of its searches.
func (d *Daemon) limits() (list []control.Limit) {
	add := func(name string, used, most int) {
		list = append(list, control.Limit{Name: name, Used: used, Max: most})
	}
	lobby := func(name string, l *admit.Backlog, most config.Bound) {
		if l == nil {
			return
		}
		all, fullest := l.Size()
		add(name, all, most.All)
		add(name+"_per_network", fullest, most.PerNetwork)
	}
	plan := d.current()
	lobby("relay.limits.silent", d.entrance.unsorted, plan.Relay.Silent)
	lobby("front.limits.silent", d.entrance.unnamed, plan.Passing.Silent)
	if f := d.entrance.front; f != nil {
		most := plan.Passing.Limits
		all, fullest := f.Handshakes()
		add("front.limits.handshakes", all, most.Handshakes)
		add("front.limits.handshakes_per_network", fullest, most.HandshakesOf)
		all, fullest = f.Passed()
		add("front.limits.passed", all, most.Passed)
		add("front.limits.passed_per_network", fullest, most.PassedOf)
	}
	add("front.limits.searches", d.node.Searched(), plan.Node.Searches.All)
	return list
}
