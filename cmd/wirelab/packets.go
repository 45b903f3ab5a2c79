package main

import "github.com/spf13/cobra"

// packetsCommand groups the commands that look at captures.
func (a *app) packetsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "packets", Short: "Look at what was on the wire", Args: cobra.NoArgs,
		Long: `Look at what was on the wire: in a capture of a network card (pcap and pcapng,
of tcpdump, Wireshark and others, compressed by gzip or not), of a run of
wirelab compare, or of wirelab link. FILE - is standard input, live too:

  tcpdump -i lo -w - port 9000 | wirelab packets show -

The files are read as they come and never held whole. --json of each command is
described in packets/JSON.md.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newPacketsBrowse(a),
		newPacketsCapture(a),
		newPacketsDissector(a),
		newPacketsFilter(a),
		newPacketsFlows(a),
		newPacketsFrames(a),
		newPacketsLadder(a),
		newPacketsLayers(a),
		newPacketsLoss(a),
		newPacketsPlot(a),
		newPacketsShow(a),
	)
	return cmd
}
