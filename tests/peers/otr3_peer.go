// A client of CoyIM's otr3 without a network: lines in, lines out.
//
// The commands are those of the protocol (see driver.py). otr3 is a library for one
// conversation; what it leaves to its application, this is: who is new, whom to trust.
//
// Built by otr3_build.py, which adds otr3_door.go to the library.
package main

import (
	"bufio"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twstrike/otr3"
)

const protocol = "prpl-jabber"

var out = bufio.NewWriter(os.Stdout)

func say(words ...interface{}) {
	fmt.Fprintln(out, words...)
}

func b64(data []byte) string {
	if len(data) == 0 {
		return "-"
	}
	return base64.StdEncoding.EncodeToString(data)
}

func unb64(argument string) []byte {
	if argument == "-" {
		return nil
	}
	data, err := base64.StdEncoding.DecodeString(argument)
	if err != nil {
		panic(err)
	}
	return data
}

func inject(messages []otr3.ValidMessage) {
	for _, message := range messages {
		say("inject", b64(message))
	}
}

// ---- what otr3 tells its application ------------------------------------------

// The names are libotr's, so that a test reads the same with either.
var messageEvents = map[otr3.MessageEvent]string{
	otr3.MessageEventEncryptionRequired:              "ENCRYPTION_REQUIRED",
	otr3.MessageEventEncryptionError:                 "ENCRYPTION_ERROR",
	otr3.MessageEventConnectionEnded:                 "CONNECTION_ENDED",
	otr3.MessageEventSetupError:                      "SETUP_ERROR",
	otr3.MessageEventMessageReflected:                "MSG_REFLECTED",
	otr3.MessageEventMessageSent:                     "MSG_SENT",
	otr3.MessageEventMessageResent:                   "MSG_RESENT",
	otr3.MessageEventReceivedMessageNotInPrivate:     "RCVDMSG_NOT_IN_PRIVATE",
	otr3.MessageEventReceivedMessageUnreadable:       "RCVDMSG_UNREADABLE",
	otr3.MessageEventReceivedMessageMalformed:        "RCVDMSG_MALFORMED",
	otr3.MessageEventLogHeartbeatReceived:            "LOG_HEARTBEAT_RCVD",
	otr3.MessageEventLogHeartbeatSent:                "LOG_HEARTBEAT_SENT",
	otr3.MessageEventReceivedMessageGeneralError:     "RCVDMSG_GENERAL_ERR",
	otr3.MessageEventReceivedMessageUnrecognized:     "RCVDMSG_UNRECOGNIZED",
	otr3.MessageEventReceivedMessageForOtherInstance: "RCVDMSG_FOR_OTHER_INSTANCE",
}

var smpEvents = map[otr3.SMPEvent]string{
	otr3.SMPEventError:        "error",
	otr3.SMPEventAbort:        "abort",
	otr3.SMPEventCheated:      "cheated",
	otr3.SMPEventAskForAnswer: "ask-answer",
	otr3.SMPEventAskForSecret: "ask-secret",
	otr3.SMPEventInProgress:   "in-progress",
	otr3.SMPEventSuccess:      "success",
	otr3.SMPEventFailure:      "failure",
}

type client struct {
	account  *otr3.Account
	tag      uint32
	fragment uint16

	otr *otr3.Conversation
	met map[string]bool
	// By fingerprint; "smp" after a comparison that proved something to us.
	trust map[string]string
	// Whether a text was shown with a warning and shall not be shown again.
	warned bool
	// Of the comparison under way.
	weAsked, hadQuestion bool
}

func (c *client) theirFingerprint() []byte {
	return c.otr.GetTheirKey().Fingerprint()
}

func (c *client) HandleMessageEvent(event otr3.MessageEvent, message []byte, err error, _ ...interface{}) {
	if event == otr3.MessageEventReceivedMessageUnencrypted {
		c.warned = true
		say("plain-warning", b64(message))
		return
	}
	say("event", messageEvents[event], b64(message))
}

func (c *client) HandleSecurityEvent(event otr3.SecurityEvent) {
	if event == otr3.GoneInsecure {
		say("gone-insecure")
		return
	}
	fingerprint := fmt.Sprintf("%x", c.theirFingerprint())
	if !c.met[fingerprint] {
		c.met[fingerprint] = true
		say("new-fingerprint", fingerprint)
	}
	if event == otr3.GoneSecure {
		say("gone-secure")
	} else {
		say("still-secure")
	}
}

func (c *client) HandleSMPEvent(event otr3.SMPEvent, _ int, question string) {
	fingerprint := string(c.theirFingerprint())
	switch event {
	case otr3.SMPEventAskForAnswer:
		c.weAsked, c.hadQuestion = false, true
		say("smp", smpEvents[event], b64([]byte(question)))
		return
	case otr3.SMPEventAskForSecret:
		c.weAsked, c.hadQuestion = false, false
	case otr3.SMPEventSuccess:
		// libotr's rule; who answers a question has proved himself and learnt nothing.
		if c.weAsked || !c.hadQuestion {
			c.trust[fingerprint] = "smp"
		}
	case otr3.SMPEventFailure:
		delete(c.trust, fingerprint)
	}
	say("smp", smpEvents[event])
}

func (c *client) HandleErrorMessage(code otr3.ErrorCode) []byte {
	if code == otr3.ErrorCodeMessageNotInPrivate {
		return []byte("not in private")
	}
	return []byte("unreadable")
}

// ---- commands -------------------------------------------------------------------

// forget comes back as after a crash: no session, and nobody is told.
func (c *client) forget() {
	c.met, c.trust = map[string]bool{}, map[string]string{}
	c.weAsked, c.hadQuestion = false, false
	c.otr = &otr3.Conversation{}
	c.otr.SetOurKeys([]otr3.PrivateKey{c.account.Key})
	c.otr.Policies.AllowV2()
	c.otr.Policies.AllowV3()
	c.otr.Policies.SendWhitespaceTag()
	c.otr.Policies.WhitespaceStartAKE()
	c.otr.SetMessageEventHandler(c)
	c.otr.SetSecurityEventHandler(c)
	c.otr.SetSMPEventHandler(c)
	c.otr.SetErrorMessageHandler(c)
	c.otr.DoorOnExtraKey(func(use uint32, data, key []byte) {
		say("extrakey", "recv", use, fmt.Sprintf("%x", key), b64(data))
	})
	c.otr.SetFragmentSize(c.fragment)
	c.tag = c.otr.InitializeInstanceTag(c.tag)
}

func (c *client) done(messages []otr3.ValidMessage, err error) {
	if err != nil {
		say("error", err)
	}
	inject(messages)
}

func (c *client) receive(message []byte) {
	c.warned = false
	plain, messages, err := c.otr.Receive(message)
	if plain != nil && !c.warned {
		say("display", b64(plain))
	}
	c.done(messages, err)
}

func (c *client) smp(secret, question string) {
	c.weAsked, c.hadQuestion = true, question != ""
	c.done(c.otr.StartAuthenticate(question, unb64(secret)))
}

func (c *client) smpReply(secret string) {
	if !c.otr.DoorIsAsked() {
		say("error nobody asks")
		return
	}
	c.done(c.otr.ProvideAuthenticationSecret(unb64(secret)))
}

func (c *client) smpAbort() {
	if !c.otr.IsEncrypted() {
		say("error not encrypted")
	} else if c.otr.DoorIsComparing() {
		c.done(c.otr.DoorAbortSMP())
	}
}

func (c *client) extraKey(use uint64, data string) {
	key, messages, err := c.otr.UseExtraSymmetricKey(uint32(use), unb64(data))
	if err == nil {
		say("extrakey", "sent", use, fmt.Sprintf("%x", key), data)
	}
	c.done(messages, err)
}

func (c *client) state() {
	name := c.otr.DoorState()
	fingerprint, ssid, half, trust, version := "-", "-", "-", "", uint16(0)
	if c.otr.IsEncrypted() {
		fingerprint = fmt.Sprintf("%x", c.theirFingerprint())
		trust = c.trust[string(c.theirFingerprint())]
		version = c.otr.DoorVersion()
		parts, ours := c.otr.SecureSessionID()
		ssid = strings.Join(parts, "")
		half = []string{"first", "second"}[ours]
	}
	fmt.Fprintf(out, "state %s fp=%s ssid=%s half=%s version=%d our=%x their=%x trust=%s\n",
		name, fingerprint, ssid, half, version, c.tag, c.otr.DoorTheirTag(), trust)
}

func number(text string, bits int) uint64 {
	value, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		panic(err)
	}
	return value
}

type command struct {
	minimum, maximum int
	run              func(c *client, arguments []string)
}

func second(arguments []string, otherwise string) string {
	if len(arguments) > 1 {
		return arguments[1]
	}
	return otherwise
}

var commands = map[string]command{
	"recv": {1, 1, func(c *client, a []string) { c.receive(unb64(a[0])) }},
	"send": {1, 1, func(c *client, a []string) { c.done(c.otr.Send(unb64(a[0]))) }},
	"query": {0, 0, func(c *client, _ []string) {
		inject([]otr3.ValidMessage{c.otr.QueryMessage()})
	}},
	"smp": {1, 2, func(c *client, a []string) {
		c.smp(a[0], string(unb64(second(a, "-"))))
	}},
	"smp-reply": {1, 1, func(c *client, a []string) { c.smpReply(a[0]) }},
	"smp-abort": {0, 0, func(c *client, _ []string) { c.smpAbort() }},
	"extrakey": {1, 2, func(c *client, a []string) {
		c.extraKey(number(a[0], 32), second(a, "-"))
	}},
	"tlv": {2, 2, func(c *client, a []string) {
		c.done(c.otr.DoorSend(uint16(number(a[0], 16)), unb64(a[1])))
	}},
	"end": {0, 0, func(c *client, _ []string) { c.done(c.otr.End()) }},
	"mms": {1, 1, func(c *client, a []string) {
		c.fragment = uint16(number(a[0], 16))
		c.otr.SetFragmentSize(c.fragment)
	}},
	"clock": {1, 1, func(c *client, a []string) {
		c.otr.DoorPass(time.Duration(number(a[0], 32)) * time.Second)
	}},
	// Nothing in otr3 happens by time alone.
	"poll":   {0, 0, func(*client, []string) {}},
	"forget": {0, 0, func(c *client, _ []string) { c.forget() }},
	"state":  {0, 0, func(c *client, _ []string) { c.state() }},
}

// ---- start ----------------------------------------------------------------------

var oddNumber = regexp.MustCompile(`#((?:[0-9A-F]{2})*[0-9A-F])#`)

// makeKey writes a new key in libotr's format.
func makeKey(path, name string) error {
	made, err := otr3.GenerateMissingKeys(nil)
	if err != nil {
		return err
	}
	syscall.Umask(0077)
	account := &otr3.Account{Name: name, Protocol: protocol, Key: made[0]}
	if err := otr3.ExportKeysToFile([]*otr3.Account{account}, path); err != nil {
		return err
	}
	// COMPAT(otr3 2016): a number may come out with an odd count of digits, which
	// libotr does not read.
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, oddNumber.ReplaceAll(text, []byte("#0$1#")), 0600)
}

func loadAccount(path, name string) (*otr3.Account, error) {
	if _, err := os.Stat(path); os.IsNotExist(err) {
		if err := makeKey(path, name); err != nil {
			return nil, err
		}
	}
	accounts, err := otr3.ImportKeysFromFile(path)
	if err != nil {
		return nil, err
	}
	for _, account := range accounts {
		if account.Name == name {
			return account, nil
		}
	}
	return nil, fmt.Errorf("no key of %s in the file", name)
}

func main() {
	path := flag.String("key", "", "the key file; made when it is not there")
	name := flag.String("account", "us", "whose key in the file")
	flag.String("peer", "them", "the other end; otr3 does not ask")
	fragment := flag.Uint("mms", 0, "the longest message to send; 0 for no limit")
	tag := flag.String("instag", "0", "our instance tag, in hexadecimal")
	flag.Parse()
	ours, err := strconv.ParseUint(*tag, 16, 32)
	var account *otr3.Account
	if err == nil {
		account, err = loadAccount(*path, *name)
	}
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	c := &client{account: account, tag: uint32(ours), fragment: uint16(*fragment)}
	c.forget()
	otr3.DoorOnRecord(func(kind uint16, value []byte) {
		hexadecimal := "-"
		if len(value) > 0 {
			hexadecimal = fmt.Sprintf("%x", value)
		}
		say("tlv", kind, hexadecimal)
	})
	say("ready", fmt.Sprintf("%x", account.Key.PublicKey().Fingerprint()))
	serve(c)
}

func serve(c *client) {
	lines := bufio.NewReader(os.Stdin)
	for {
		out.Flush()
		line, err := lines.ReadString('\n')
		words := strings.Fields(line)
		if err != nil || len(words) == 0 || words[0] == "quit" {
			return
		}
		arguments := words[1:]
		command, isKnown := commands[words[0]]
		if isKnown && command.minimum <= len(arguments) && len(arguments) <= command.maximum {
			command.run(c, arguments)
		} else {
			say("error unknown command")
		}
		say("ok")
	}
}
