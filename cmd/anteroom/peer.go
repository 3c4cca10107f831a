package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"anteroom/discovery/contacts"
	"anteroom/discovery/identity"
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
			link, err := call[api.Link](cmd.Context(), c, "link/rotate", memberRequest{wire.MemberID(args[0])})
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
			if _, err := call[nothing](cmd.Context(), c, "link/revoke", memberRequest{wire.MemberID(args[0])}); err != nil {
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
				return failure{exitUsage, fmt.Errorf("--name: %w", err)}
			}
			cfg, err := p.config(cmd)
			if err != nil {
				return err
			}
			reply, err := call[cardReply](cmd.Context(), newClient(cfg.dataDir()), "peer/card", cardRequest{Name: name})
			if f, ok := errors.AsType[failure](err); ok && f.code == exitNotRunning {
				reply.Card, err = p.cardWithoutDaemon(cfg, name, anew)
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

// cardWithoutDaemon binds the configured addresses for a moment, to know them
// as the daemon would. It dials nobody. Of a node that is not there it makes a
// card only where somebody has said that it shall be there: otherwise whoever
// runs this as another user would hand out the card of nobody.
func (p *program) cardWithoutDaemon(cfg Config, name string, anew bool) (string, error) {
	if err := checkPlace(cfg); err != nil {
		return "", err
	}
	path := identityFile(cfg)
	_, err := identity.Load(path)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case missing && anew:
	case missing && isKnown(cfg):
		return "", checkIdentity(cfg)
	case missing && cfg.DataDir == "":
		return "", failure{exitNotRunning, fmt.Errorf("no daemon is running with the data directory %s, and no node was ever started there, so there is no card of it: "+
			"if the node runs as another user, run this as that user, with its --data-dir; otherwise start it first with \"anteroom serve\"", cfg.dataDir())}
	case !missing:
		if err := checkIdentity(cfg); err != nil {
			return "", err
		}
	}
	if missing {
		if err := os.MkdirAll(cfg.dataDir(), 0o700); err != nil {
			return "", fmt.Errorf("make data directory: %w", err)
		}
		fmt.Fprintf(p.stderr, "There was no node here before: its identity is now in %s, and this is its card. Start the node with this data directory.\n", path)
	}
	d, err := newDiscovery(cfg, p.logger(cfg.Log, cfg.Log.level()))
	if err != nil {
		return "", inUse(err, "choose another with discovery.listen")
	}
	card, err := d.Card(name)
	return card, errors.Join(err, d.Close())
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
			added, err := call[peerReply](cmd.Context(), c, "peer/add", addRequest{Card: card})
			if err != nil {
				return err
			}
			if len(added.Addresses) == 0 {
				fmt.Fprintln(p.stderr, "This node's card has no address: it is recognised when it calls, and cannot be called.")
			}
			return output.print(p.stdout, added, func(w io.Writer) error { return printPeers(w, []peerReply{added}) })
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
			list, err := call[[]peerReply](cmd.Context(), c, "peer/list", nothing{})
			if err != nil {
				return err
			}
			return output.print(p.stdout, list, func(w io.Writer) error { return printPeers(w, list) })
		},
	}
	output.add(cmd)
	return cmd
}

func printPeers(w io.Writer, list []peerReply) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tFROM\tCONNECTED\tPEER ID\tADDRESSES")
	for _, peer := range list {
		connected := "no"
		if peer.Connected {
			connected = "yes"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", named(peer.Name), peer.Source, connected, peer.PeerID, strings.Join(peer.Addresses, " "))
	}
	return t.Flush()
}
