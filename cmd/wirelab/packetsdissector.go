package main

import (
	"bufio"
	"context"
	"errors"

	"github.com/spf13/cobra"

	"wirelab/packets/dissector"
)

func newPacketsDissector(a *app) *cobra.Command {
	var tcp, udp []int
	cmd := &cobra.Command{
		Use: "dissector", Short: "Print a Wireshark dissector of the chat protocol, in Lua", Args: cobra.NoArgs,
		Long: `Print a dissector of the chat protocol for Wireshark and tshark 4.0 or newer.

  wirelab packets dissector > wirelab.lua
  wireshark -X lua_script:wirelab.lua chat.pcapng
  tshark -X lua_script:wirelab.lua -r chat.pcapng -Y 'wirelab.kind == 5'

Over TCP it puts frames together from segments, over UDP envelopes from their
datagrams. The conversations on the ports given are taken for the chat's, others
are recognised by their first whole header. How to install it, and the names of
the fields for filters, stand at the top of what is printed.`,
		RunE: a.do(func(context.Context, []string) error {
			var c dissector.Config
			var err error
			if c.TCPPorts, err = ports("--tcp-port", tcp); err != nil {
				return err
			}
			if c.UDPPorts, err = ports("--udp-port", udp); err != nil {
				return err
			}
			out := bufio.NewWriter(a.out)
			return errors.Join(dissector.Write(out, c), out.Flush())
		}),
	}
	fl := cmd.Flags()
	fl.IntSliceVar(&tcp, "tcp-port", []int{dissector.DefaultPort}, "`ports` of the chat over TCP, separated by commas")
	fl.IntSliceVar(&udp, "udp-port", []int{dissector.DefaultPort}, "`ports` of the chat over UDP")
	return cmd
}

// ports checks the numbers of ports.
func ports(flag string, in []int) (out []uint16, err error) {
	for _, n := range in {
		if n < 1 || n > 65535 {
			return nil, cannot("want 1 to 65535", "%s %d", flag, n)
		}
		out = append(out, uint16(n))
	}
	return out, nil
}
