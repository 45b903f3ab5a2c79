package vnet

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// A nic is a host's network card: gVisor's link endpoint. It has no link layer
// and does no checksums, so that those in captures are real and a flipped bit is
// found by whoever receives it.
type nic struct {
	life       *life
	mtu        uint32
	dispatcher atomic.Pointer[stack.NetworkDispatcher]
}

var _ stack.LinkEndpoint = (*nic)(nil)

// WritePackets implements stack.LinkWriter.
func (c *nic) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	c.life.host.send(c, pkts.AsSlice())
	return pkts.Len(), nil
}

// Attach implements stack.NetworkLinkEndpoint.
func (c *nic) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		c.dispatcher.Store(nil)
		return
	}
	c.dispatcher.Store(&d)
}

// The rest is what a card without a link layer says.

func (c *nic) IsAttached() bool                             { return c.dispatcher.Load() != nil }
func (c *nic) MTU() uint32                                  { return c.mtu }
func (c *nic) SetMTU(mtu uint32)                            { c.mtu = mtu }
func (c *nic) MaxHeaderLength() uint16                      { return 0 }
func (c *nic) LinkAddress() tcpip.LinkAddress               { return "" }
func (c *nic) SetLinkAddress(tcpip.LinkAddress)             {}
func (c *nic) Capabilities() stack.LinkEndpointCapabilities { return 0 }
func (c *nic) Wait()                                        {}
func (c *nic) ARPHardwareType() header.ARPHardwareType      { return header.ARPHardwareNone }
func (c *nic) AddHeader(*stack.PacketBuffer)                {}
func (c *nic) ParseHeader(*stack.PacketBuffer) bool         { return true }
func (c *nic) Close()                                       {}
func (c *nic) SetOnCloseAction(func())                      {}
