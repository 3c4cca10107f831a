package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"anteroom/cmd/anteroom/control"
	"anteroom/cmd/anteroom/daemon"
	"anteroom/cmd/anteroom/exit"
	"anteroom/discovery/contacts"
	"anteroom/node/desk/api"
	"anteroom/rendezvous/wire"
)

func (p *program) linkCommand() *cobra.Command {
	cmd := group("link", "Replace or revoke a guest's link")
	var output outputFlag
	rotate := &cobra.Command{
		Use:   "rotate MEMBER",
		Short: "Revoke a guest's link and print a new one",
		Args:  oneArg("a guest's member id, as appointment show prints it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client(cmd)
			if err != nil {
				return err
			}
			link, err := control.Call[api.Link](cmd.Context(), c, "link/rotate", control.MemberRequest{Member: wire.MemberID(args[0])})
			if err != nil {
				return err
			}
			return output.print(p.stdout, link, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, link.URL)
				return err
			})
		},
	}
	output.add(rotate)
	revoke := &cobra.Command{
		Use:   "revoke MEMBER",
		Short: "Make a guest's link useless and send away whoever came by it",
		Args:  oneArg("a guest's member id, as appointment show prints it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client(cmd)
			if err != nil {
				return err
			}
			if _, err := control.Call[control.Nothing](cmd.Context(), c, "link/revoke", control.MemberRequest{Member: wire.MemberID(args[0])}); err != nil {
				return err
			}
			fmt.Fprintln(p.stderr, "Revoked.")
			return nil
		},
	}
	cmd.AddCommand(rotate, revoke)
	return cmd
}

func (p *program) peerCommand() *cobra.Command {
	cmd := group("peer", "Meet other nodes: this node's card, and theirs")
	cmd.AddCommand(p.peerCard(), p.peerAdd(), p.peerList())
	return cmd
}

func (p *program) peerCard() *cobra.Command {
	var name string
	var anew bool
	var output outputFlag
	cmd := &cobra.Command{
		Use:   "card",
		Short: "Print this node's card, for the operator of another node",
		Long: `Print this node's card. It holds the node's peer id, its addresses and a name,
signed, and nothing secret. The operator of another node hands it to "anteroom
peer add". It is also served at /.well-known/anteroom.

Without a daemon that runs, the card shows where one would listen. A node that
was never started has no identity yet: with --data-dir, or data_dir in the
configuration, one is made there, and it is said where. A node that has lost its
identity gets another with --new-identity alone; its cards of before are void.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := contacts.CheckName(name); err != nil {
				return exit.With(exit.Usage, fmt.Errorf("--name: %w", err))
			}
			plan, err := p.plan(cmd)
			if err != nil {
				return err
			}
			reply, err := control.Call[control.Card](cmd.Context(), control.NewClient(plan.Dir), "peer/card", control.CardRequest{Name: name})
			if exit.Code(err) == exit.NotRunning {
				reply.Card, err = daemon.CardOf(plan, name, anew, p.logger(plan.LogFormat, plan.LogLevel), p.stderr)
			} else if err == nil && anew {
				return usage("the daemon runs, so it has its identity: leave --new-identity out")
			}
			if err != nil {
				return err
			}
			if info, err := contacts.ParsePeer(reply.Card); err == nil && len(info.Addrs) == 0 {
				fmt.Fprintln(p.stderr, "This card has no address: others recognise this node by it, but cannot call it. For that, set discovery.listen.")
			}
			return output.print(p.stdout, reply, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, reply.Card)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "`name` to put on it (default the practice's)")
	cmd.Flags().BoolVar(&anew, "new-identity", false, "make an identity, if there is none")
	output.add(cmd)
	return cmd
}

func (p *program) peerAdd() *cobra.Command {
	var output outputFlag
	cmd := &cobra.Command{
		Use:   "add CARD",
		Short: "Make another node known by its card; - reads it from standard input",
		Args:  oneArg(`a peer card, or - to read it from standard input`),
		RunE: func(cmd *cobra.Command, args []string) error {
			card, err := p.readCard(args[0])
			if err != nil {
				return err
			}
			c, err := p.client(cmd)
			if err != nil {
				return err
			}
			added, err := control.Call[control.Peer](cmd.Context(), c, "peer/add", control.AddRequest{Card: card})
			if err != nil {
				return err
			}
			if len(added.Addresses) == 0 {
				fmt.Fprintln(p.stderr, "This node's card has no address: it is recognised when it calls, and cannot be called.")
			}
			return output.print(p.stdout, added, func(w io.Writer) error { return control.PrintPeers(w, []control.Peer{added}) })
		},
	}
	output.add(cmd)
	return cmd
}

// maxCard is more than a card with the line breaks of a mail has, in bytes.
const maxCard = 16 << 10

// readCard returns the card that arg is or stands for, once it can be read.
func (p *program) readCard(arg string) (string, error) {
	if arg == "-" {
		text, err := io.ReadAll(io.LimitReader(p.stdin, maxCard))
		if err != nil {
			return "", fmt.Errorf("read standard input: %w", err)
		}
		arg = string(text)
	}
	if _, err := contacts.ParsePeer(arg); err != nil {
		return "", err
	}
	return arg, nil
}

func (p *program) peerList() *cobra.Command {
	var output outputFlag
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the nodes that this one knows by their cards",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.client(cmd)
			if err != nil {
				return err
			}
			list, err := control.Call[[]control.Peer](cmd.Context(), c, "peer/list", control.Nothing{})
			if err != nil {
				return err
			}
			return output.print(p.stdout, list, func(w io.Writer) error { return control.PrintPeers(w, list) })
		},
	}
	output.add(cmd)
	return cmd
}
