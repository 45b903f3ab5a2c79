package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"wirelab/packets"
	"wirelab/packets/filter"
)

// filterHelp is what --filter takes. Package filter's comment has the details.
const filterHelp = `What --filter takes is a part of tcpdump's language, and means what it means
there. What is not in this part is refused by name; nothing is ignored.

  tcp, udp, icmp, icmp6, arp, rarp, ip, ip6, sctp     the protocol is there
  host 192.0.2.1, src host …, dst host …              also without the word host
  net 10.0.0.0/8, src net 10.1, net A mask M
  port 9000, src port …, portrange 9000-9100          also http, https, domain, …
  tcp port 80 or 443, udp src port 53, ip6 host …     protocol before the rest
  ip proto 47, proto 17
  ether host 02:00:00:00:00:01, ether proto 0x0806    Ethernet only
  broadcast, multicast, vlan, vlan 7                  Ethernet only
  less 100, greater 1000, len <= 60
  tcp[tcpflags] & (tcp-syn|tcp-fin) != 0              bytes of a header:
  ip[8] < 5, udp[4:2] > 100, icmp[icmptype] == 8      protocol[offset:size]
  and or not && || ! ( )                              and, or: from the left

A few surprises are tcpdump's own: and binds no tighter than or; tcp[…], udp[…]
and icmp[…] look at IPv4 only; port looks at first fragments only; after vlan,
everything is looked for behind the tag. Names of hosts are not looked up.`

func newPacketsFilter(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "filter", Short: "What --filter takes: a part of tcpdump's language", Args: cobra.NoArgs, Long: filterHelp,
		RunE: a.do(func(context.Context, []string) error {
			_, err := io.WriteString(a.out, filterHelp+"\n")
			return err
		}),
	}
}

// captureFilter is compileFilter for the flag --filter; nil if it is empty.
func captureFilter(expression string) (func(*packets.Packet) (bool, error), error) {
	if expression == "" {
		return nil, nil
	}
	test, err := compileFilter(expression)
	if err != nil {
		return nil, cannot("wirelab packets filter shows what it takes", "--filter: %w", err)
	}
	return test, nil
}

// compileFilter compiles an expression for packets of any link type. What no
// link type takes is an error at once; what one does not take, at the first
// packet of it. A packet whose link is not decoded matches nothing. What is
// returned is for one goroutine.
func compileFilter(expression string) (func(*packets.Packet) (bool, error), error) {
	compiled := make(map[packets.LinkType]*filter.Filter)
	var first error
	for _, link := range []packets.LinkType{packets.LinkEthernet, packets.LinkRaw} {
		f, err := filter.Compile(expression, uint16(link))
		if err == nil {
			compiled[link] = f
		} else if first == nil {
			first = err
		}
	}
	if len(compiled) == 0 {
		return nil, first
	}
	return func(p *packets.Packet) (bool, error) {
		f := compiled[p.Link]
		if !p.Link.Known() {
			return false, nil
		}
		if f == nil {
			var err error
			if f, err = filter.Compile(expression, uint16(p.Link)); err != nil {
				return false, fmt.Errorf("filter, packet %d (%v): %w", p.Number, p.Link, err)
			}
			compiled[p.Link] = f
		}
		return f.Match(p.Data, p.Length), nil
	}, nil
}
