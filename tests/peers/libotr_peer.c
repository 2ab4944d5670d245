/* A libotr 4 client without a network: lines in, lines out.
 *
 * Reference end for interoperability tests; it speaks the protocol that driver.py
 * tells of. Binary and text arguments are in base64, "-" for empty.
 *
 * Like any client, it does what libotr leaves to its application: it ends an SMP that
 * went wrong, and it answers a comparison only when one was asked for.
 *
 * Build: gcc -o libotr_peer libotr_peer.c -lotr -lgcrypt
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gcrypt.h>
/* Order matters: message.h uses what proto.h and tlv.h define. */
#include <libotr/proto.h>
#include <libotr/tlv.h>
#include <libotr/b64.h>
#include <libotr/context.h>
#include <libotr/instag.h>
#include <libotr/message.h>
#include <libotr/privkey.h>
#include <libotr/userstate.h>

#define PROTOCOL "prpl-jabber"

static OtrlUserState us;
static const char *account = "us";
static const char *peer = "them";
static int mms = 0;
/* Who asked for a comparison that has not been answered; 0 when nobody did. */
static otrl_instag_t asker = 0;

/* ---- the clock ---------------------------------------------------------- */

static time_t ahead_s = 0;

/* Stands before the C library's: libotr sees the time the test wants. */
time_t time(time_t *into)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    time_t seen = now.tv_sec + ahead_s;
    if (into)
        *into = seen;
    return seen;
}

/* ---- output ------------------------------------------------------------- */

static void print_b64(const char *word, const void *data, size_t len)
{
    if (!len) {
        printf("%s -\n", word);
        return;
    }
    char *text = calloc(1, (len + 2) / 3 * 4 + 1);
    otrl_base64_encode(text, data, len);
    printf("%s %s\n", word, text);
    free(text);
}

static void print_hex(const unsigned char *data, size_t len)
{
    if (!len)
        putchar('-');
    for (size_t i = 0; i < len; i++)
        printf("%02x", data[i]);
}

/* Returns the decoded argument, NUL-terminated; to be freed. */
static char *from_b64(const char *arg, size_t *decoded_len)
{
    size_t len = strcmp(arg, "-") ? strlen(arg) : 0;
    char *data = calloc(1, len + 1);
    size_t decoded = len ? otrl_base64_decode((unsigned char *)data, arg, len) : 0;
    if (decoded_len)
        *decoded_len = decoded;
    return data;
}

/* ---- what libotr asks of its application --------------------------------- */

static OtrlPolicy cb_policy(void *op, ConnContext *c)
{
    return OTRL_POLICY_ALLOW_V2 | OTRL_POLICY_ALLOW_V3 |
           OTRL_POLICY_SEND_WHITESPACE_TAG | OTRL_POLICY_WHITESPACE_START_AKE;
}

static int cb_logged_in(void *op, const char *a, const char *p, const char *r)
{
    return 1;
}

static void cb_inject(void *op, const char *a, const char *p, const char *r,
                      const char *message)
{
    print_b64("inject", message, strlen(message));
}

static void cb_nothing(void *op) {}

static void cb_new_fingerprint(void *op, OtrlUserState u, const char *a,
                               const char *p, const char *n,
                               unsigned char fingerprint[20])
{
    printf("new-fingerprint ");
    print_hex(fingerprint, 20);
    putchar('\n');
}

static void cb_secure(void *op, ConnContext *c) { puts("gone-secure"); }
static void cb_insecure(void *op, ConnContext *c) { puts("gone-insecure"); }
static void cb_still(void *op, ConnContext *c, int reply) { puts("still-secure"); }
static int cb_max(void *op, ConnContext *c) { return mms; }

static const char *cb_error(void *op, ConnContext *c, OtrlErrorCode code)
{
    return code == OTRL_ERRCODE_MSG_NOT_IN_PRIVATE ? "not in private" : "unreadable";
}

static void cb_error_free(void *op, const char *message) {}

static const char *const EVENTS[] = {
    "NONE", "ENCRYPTION_REQUIRED", "ENCRYPTION_ERROR", "CONNECTION_ENDED",
    "SETUP_ERROR", "MSG_REFLECTED", "MSG_RESENT", "RCVDMSG_NOT_IN_PRIVATE",
    "RCVDMSG_UNREADABLE", "RCVDMSG_MALFORMED", "LOG_HEARTBEAT_RCVD",
    "LOG_HEARTBEAT_SENT", "RCVDMSG_GENERAL_ERR", "RCVDMSG_UNENCRYPTED",
    "RCVDMSG_UNRECOGNIZED", "RCVDMSG_FOR_OTHER_INSTANCE",
};

static void cb_event(void *op, OtrlMessageEvent event, ConnContext *c,
                     const char *message, gcry_error_t err)
{
    char word[64];
    size_t len = message ? strlen(message) : 0;
    if (event == OTRL_MSGEVENT_RCVDMSG_UNENCRYPTED) {
        print_b64("plain-warning", message, len);
        return;
    }
    snprintf(word, sizeof word, "event %s", EVENTS[event]);
    print_b64(word, message, len);
}

static void cb_instag(void *op, const char *a, const char *p)
{
    FILE *nowhere = tmpfile();
    otrl_instag_generate_FILEp(us, nowhere, a, p);
    fclose(nowhere);
}

static void cb_smp(void *op, OtrlSMPEvent event, ConnContext *c,
                   unsigned short percent, char *question);

static void print_extra_key(const char *way, unsigned int use,
                            const unsigned char *data, size_t len,
                            const unsigned char *key)
{
    printf("extrakey %s %u ", way, use);
    print_hex(key, OTRL_EXTRAKEY_BYTES);
    print_b64("", data, len);
}

static void cb_extra_key(void *op, ConnContext *c, unsigned int use,
                         const unsigned char *data, size_t len,
                         const unsigned char *key)
{
    print_extra_key("recv", use, data, len, key);
}

static OtrlMessageAppOps ops = {
    .policy = cb_policy,
    .is_logged_in = cb_logged_in,
    .inject_message = cb_inject,
    .update_context_list = cb_nothing,
    .new_fingerprint = cb_new_fingerprint,
    .write_fingerprints = cb_nothing,
    .gone_secure = cb_secure,
    .gone_insecure = cb_insecure,
    .still_secure = cb_still,
    .max_message_size = cb_max,
    .received_symkey = cb_extra_key,
    .otr_error_message = cb_error,
    .otr_error_message_free = cb_error_free,
    .handle_smp_event = cb_smp,
    .handle_msg_event = cb_event,
    .create_instag = cb_instag,
};

static const char *const SMP_EVENTS[] = {
    "none", "error", "abort", "cheated", "ask-answer", "ask-secret",
    "in-progress", "success", "failure",
};

static void cb_smp(void *op, OtrlSMPEvent event, ConnContext *c,
                   unsigned short percent, char *question)
{
    printf("smp %s", SMP_EVENTS[event]);
    if (event == OTRL_SMPEVENT_ASK_FOR_ANSWER)
        print_b64("", question, strlen(question));
    else
        putchar('\n');
    asker = event == OTRL_SMPEVENT_ASK_FOR_ANSWER ||
            event == OTRL_SMPEVENT_ASK_FOR_SECRET ? c->their_instance : 0;
    /* OTRv3, "Receiving a SMP message": what does not fit the state, or whose proofs
     * do not hold, is answered by an abort. libotr leaves that to us. */
    if (event == OTRL_SMPEVENT_ERROR || event == OTRL_SMPEVENT_CHEATED)
        otrl_message_abort_smp(us, &ops, NULL, c);
}

/* ---- commands ------------------------------------------------------------ */

static void do_recv(const char *arg)
{
    char *message = from_b64(arg, NULL), *shown = NULL;
    OtrlTLV *tlvs = NULL;
    int internal = otrl_message_receiving(us, &ops, NULL, account, PROTOCOL, peer,
                                          message, &shown, &tlvs, NULL, NULL, NULL);
    if (!internal) {
        const char *text = shown ? shown : message;
        print_b64("display", text, strlen(text));
    }
    for (OtrlTLV *tlv = tlvs; tlv; tlv = tlv->next) {
        printf("tlv %u ", tlv->type);
        print_hex(tlv->data, tlv->len);
        putchar('\n');
    }
    otrl_tlv_free(tlvs);
    otrl_message_free(shown);
    free(message);
}

static void send_text(const char *text, OtrlTLV *tlvs)
{
    char *sent = NULL;
    gcry_error_t err = otrl_message_sending(
        us, &ops, NULL, account, PROTOCOL, peer, OTRL_INSTAG_BEST, text, tlvs, &sent,
        OTRL_FRAGMENT_SEND_ALL, NULL, NULL, NULL);
    if (err)
        printf("error %s\n", gcry_strerror(err));
    else if (!sent) /* libotr leaves what it does not touch to the application */
        cb_inject(NULL, account, PROTOCOL, peer, text);
    otrl_message_free(sent);
}

static void do_send(const char *arg)
{
    char *text = from_b64(arg, NULL);
    send_text(text, NULL);
    free(text);
}

static void do_query(void)
{
    char *query = otrl_proto_default_query_msg(account, cb_policy(NULL, NULL));
    cb_inject(NULL, account, PROTOCOL, peer, query);
    free(query);
}

static ConnContext *context_of(otrl_instag_t instance)
{
    return otrl_context_find(us, peer, account, PROTOCOL, instance, 0, NULL, NULL,
                             NULL);
}

/* Returns the context of an encrypted session; says so and returns NULL otherwise. */
static ConnContext *encrypted(otrl_instag_t instance)
{
    ConnContext *c = context_of(instance);
    if (c && c->msgstate == OTRL_MSGSTATE_ENCRYPTED)
        return c;
    puts("error not encrypted");
    return NULL;
}

static void do_tlv(const char *type, const char *value)
{
    size_t len;
    unsigned char *data = (unsigned char *)from_b64(value, &len);
    OtrlTLV *tlv = otrl_tlv_new(atoi(type), len, data);
    if (encrypted(OTRL_INSTAG_BEST))
        send_text("", tlv);
    otrl_tlv_free(tlv);
    free(data);
}

static void do_smp(const char *arg, const char *asked)
{
    size_t len;
    char *secret = from_b64(arg, &len);
    char *question = asked ? from_b64(asked, NULL) : NULL;
    ConnContext *c = encrypted(OTRL_INSTAG_BEST);
    /* OTRv3, "User requests to begin SMP": one that runs is aborted first. */
    if (c && c->smstate->nextExpected != OTRL_SMP_EXPECT1)
        otrl_message_abort_smp(us, &ops, NULL, c);
    if (c && question)
        otrl_message_initiate_smp_q(us, &ops, NULL, c, question,
                                    (unsigned char *)secret, len);
    else if (c)
        otrl_message_initiate_smp(us, &ops, NULL, c, (unsigned char *)secret, len);
    free(question);
    free(secret);
}

static void do_smp_reply(const char *arg)
{
    size_t len;
    char *secret = from_b64(arg, &len);
    ConnContext *c = encrypted(asker ? asker : OTRL_INSTAG_BEST);
    if (c && asker)
        otrl_message_respond_smp(us, &ops, NULL, c, (unsigned char *)secret, len);
    else if (c)
        puts("error nobody asks");
    asker = 0;
    free(secret);
}

static void do_smp_abort(void)
{
    ConnContext *c = encrypted(OTRL_INSTAG_BEST);
    if (c)
        otrl_message_abort_smp(us, &ops, NULL, c);
    asker = 0;
}

static void do_extra_key(const char *use_text, const char *arg)
{
    unsigned int use = strtoul(use_text, NULL, 10);
    unsigned char key[OTRL_EXTRAKEY_BYTES];
    size_t len;
    unsigned char *data = (unsigned char *)from_b64(arg, &len);
    ConnContext *c = encrypted(OTRL_INSTAG_BEST);
    if (c && !otrl_message_symkey(us, &ops, NULL, c, use, data, len, key))
        print_extra_key("sent", use, data, len, key);
    free(data);
}

/* As if the client had crashed and come back: no session, and nobody is told. */
static void do_forget(void)
{
    for (ConnContext *c = us->context_root; c; c = c->next)
        otrl_context_force_plaintext(c);
    otrl_context_forget_all(us);
    asker = 0;
}

static void do_state(void)
{
    static const char *const STATES[] = {"plain", "encrypted", "finished"};
    ConnContext *c = context_of(OTRL_INSTAG_BEST);
    if (!c) {
        puts("state plain fp=- ssid=- half=- version=0 our=0 their=0 trust=");
        return;
    }
    int encrypted = c->msgstate == OTRL_MSGSTATE_ENCRYPTED;
    printf("state %s fp=", STATES[c->msgstate]);
    print_hex(encrypted ? c->active_fingerprint->fingerprint : NULL,
              encrypted ? 20 : 0);
    printf(" ssid=");
    print_hex(c->sessionid, encrypted ? c->sessionid_len : 0);
    printf(" half=%s version=%u our=%x their=%x trust=%s\n",
           !encrypted ? "-"
           : c->sessionid_half == OTRL_SESSIONID_FIRST_HALF_BOLD ? "first" : "second",
           encrypted ? c->protocol_version : 0, c->our_instance, c->their_instance,
           encrypted && c->active_fingerprint->trust ? c->active_fingerprint->trust
                                                     : "");
}

#define MAX_WORDS 3

/* Returns 0 when the command is unknown or an argument is missing. */
static int run_with_arguments(char *const words[MAX_WORDS])
{
    const char *name = words[0];
    if (!words[1])
        return 0;
    if (!strcmp(name, "recv"))
        do_recv(words[1]);
    else if (!strcmp(name, "send"))
        do_send(words[1]);
    else if (!strcmp(name, "smp"))
        do_smp(words[1], words[2]);
    else if (!strcmp(name, "smp-reply"))
        do_smp_reply(words[1]);
    else if (!strcmp(name, "extrakey"))
        do_extra_key(words[1], words[2] ? words[2] : "-");
    else if (!strcmp(name, "tlv") && words[2])
        do_tlv(words[1], words[2]);
    else if (!strcmp(name, "mms"))
        mms = atoi(words[1]);
    else if (!strcmp(name, "clock"))
        ahead_s += atol(words[1]);
    else
        return 0;
    return 1;
}

/* Returns 0 when the command is unknown or has an argument too many. */
static int run_alone(const char *name)
{
    if (!strcmp(name, "query"))
        do_query();
    else if (!strcmp(name, "smp-abort"))
        do_smp_abort();
    else if (!strcmp(name, "end"))
        otrl_message_disconnect_all_instances(us, &ops, NULL, account, PROTOCOL,
                                              peer);
    else if (!strcmp(name, "forget"))
        do_forget();
    else if (!strcmp(name, "poll"))
        otrl_message_poll(us, &ops, NULL);
    else if (!strcmp(name, "state"))
        do_state();
    else
        return 0;
    return 1;
}

/* Returns 0 when the peer shall quit. */
static int run(char *line)
{
    char *words[MAX_WORDS] = {NULL};
    char *rest = line;
    for (int i = 0; i < MAX_WORDS; i++)
        words[i] = strsep(&rest, " ");
    if (!strcmp(words[0], "quit"))
        return 0;
    if (!run_with_arguments(words) && (words[1] || !run_alone(words[0])))
        puts("error unknown command");
    return 1;
}

/* ---- start --------------------------------------------------------------- */

static int load_key(const char *path)
{
    if (access(path, R_OK) && otrl_privkey_generate(us, path, account, PROTOCOL))
        return 0;
    if (!otrl_privkey_find(us, account, PROTOCOL) && otrl_privkey_read(us, path))
        return 0;
    return otrl_privkey_find(us, account, PROTOCOL) != NULL;
}

static void set_instag(const char *hex)
{
    FILE *file = tmpfile();
    fprintf(file, "%s\t%s\t%s\n", account, PROTOCOL, hex);
    rewind(file);
    otrl_instag_read_FILEp(us, file);
    fclose(file);
}

int main(int argc, char **argv)
{
    const char *key = NULL, *instag = NULL;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--key")) key = argv[i + 1];
        if (!strcmp(argv[i], "--account")) account = argv[i + 1];
        if (!strcmp(argv[i], "--peer")) peer = argv[i + 1];
        if (!strcmp(argv[i], "--mms")) mms = atoi(argv[i + 1]);
        if (!strcmp(argv[i], "--instag")) instag = argv[i + 1];
    }
    gcry_control(GCRYCTL_ENABLE_QUICK_RANDOM, 0); /* test keys */
    OTRL_INIT;
    us = otrl_userstate_create();
    if (!key || !load_key(key)) {
        puts("error no key");
        return 1;
    }
    if (instag)
        set_instag(instag);
    unsigned char fingerprint[20];
    otrl_privkey_fingerprint_raw(us, fingerprint, account, PROTOCOL);
    printf("ready ");
    print_hex(fingerprint, sizeof fingerprint);
    putchar('\n');
    fflush(stdout);

    char *line = NULL;
    size_t room = 0;
    /* The end of the input ends us: whoever started us is gone. */
    while (getline(&line, &room, stdin) > 0) {
        line[strcspn(line, "\r\n")] = '\0';
        if (!run(line))
            break;
        puts("ok");
        fflush(stdout);
    }
    free(line);
    otrl_userstate_free(us);
    return 0;
}
