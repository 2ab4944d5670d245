// What otr3 keeps to itself and its test peer has to reach.
//
// `go build -overlay` adds this file to the package; the package itself stays as Debian
// ships it. otr3 has no way to abort a comparison, to send a record of one's own, to
// hear of the records and extra keys that came, and it does not tell its state. Time
// passes here without waiting: all it knows of time are the three moments below.

package otr3

import "time"

// DoorState tells whether text can be sent: plain, encrypted or finished.
func (c *Conversation) DoorState() string {
	return map[msgState]string{
		plainText: "plain", encrypted: "encrypted", finished: "finished",
	}[c.msgState]
}

// DoorTheirTag returns the instance that we are bound to, 0 before the first message.
func (c *Conversation) DoorTheirTag() uint32 {
	return c.theirInstanceTag
}

// DoorVersion returns the version of the session.
func (c *Conversation) DoorVersion() uint16 {
	return c.version.protocolVersion()
}

// DoorIsAsked tells whether the other end waits for our secret.
func (c *Conversation) DoorIsAsked() bool {
	_, isAsked := c.smp.state.(smpStateWaitingForSecret)
	return isAsked
}

// DoorIsComparing tells whether a comparison is under way.
func (c *Conversation) DoorIsComparing() bool {
	if c.smp.state == nil {
		return false
	}
	_, isIdle := c.smp.state.(smpStateExpect1)
	return !isIdle
}

// DoorAbortSMP gives up a comparison and tells the other end.
func (c *Conversation) DoorAbortSMP() ([]ValidMessage, error) {
	c.restart()
	return c.DoorSend(tlvTypeSMPAbort, nil)
}

// DoorSend sends one record and no text.
func (c *Conversation) DoorSend(kind uint16, value []byte) ([]ValidMessage, error) {
	record := tlv{tlvType: kind, tlvLength: uint16(len(value)), tlvValue: value}
	toSend, _, err := c.createSerializedDataMessage(
		nil, messageFlagIgnoreUnreadable, []tlv{record})
	return toSend, err
}

// DoorPass lets time pass.
func (c *Conversation) DoorPass(d time.Duration) {
	moments := []*time.Time{&c.lastMessageStateChange, &c.heartbeat.lastSent}
	if c.ake != nil {
		moments = append(moments, &c.ake.lastStateChange)
	}
	for _, moment := range moments {
		if !moment.IsZero() {
			*moment = moment.Add(-d)
		}
	}
}

// DoorOnExtraKey sets who is told of an extra key that the other end uses.
func (c *Conversation) DoorOnExtraKey(tell func(use uint32, data, key []byte)) {
	c.receivedKeyHandler = dynamicReceivedKeyHandler{tell}
}

// DoorOnRecord sets who is told of the records that come, of the kinds otr3 knows.
func DoorOnRecord(tell func(kind uint16, value []byte)) {
	for kind, handle := range tlvHandlers {
		handle := handle
		tlvHandlers[kind] = func(c *Conversation, t tlv, x dataMessageExtra) (*tlv, error) {
			tell(t.tlvType, t.tlvValue)
			return handle(c, t, x)
		}
	}
}
