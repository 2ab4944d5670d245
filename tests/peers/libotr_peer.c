/* A libotr 4 client without a network: lines in, lines out.
 *
 * Reference end for interoperability tests. Commands (binary and text arguments in
 * base64, "-" for empty): recv B64 | send B64 | query | end | mms N | poll | state
 * | quit. Every command's output ends with "ok".
 *
 * Build: gcc -o libotr_peer libotr_peer.c -lotr -lgcrypt
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
/* A test that forgot us must not leave a process behind. */
#define LIFE_S 100

static OtrlUserState us;
static const char *account = "us";
static const char *peer = "them";
static int mms = 0;

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
static char *from_b64(const char *arg)
{
    size_t len = strcmp(arg, "-") ? strlen(arg) : 0;
    char *data = calloc(1, len + 1);
    if (len)
        otrl_base64_decode((unsigned char *)data, arg, len);
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
    .otr_error_message = cb_error,
    .otr_error_message_free = cb_error_free,
    .handle_msg_event = cb_event,
    .create_instag = cb_instag,
};

/* ---- commands ------------------------------------------------------------ */

static void do_recv(const char *arg)
{
    char *message = from_b64(arg), *shown = NULL;
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

static void do_send(const char *arg)
{
    char *text = from_b64(arg), *sent = NULL;
    gcry_error_t err = otrl_message_sending(
        us, &ops, NULL, account, PROTOCOL, peer, OTRL_INSTAG_BEST, text, NULL, &sent,
        OTRL_FRAGMENT_SEND_ALL, NULL, NULL, NULL);
    if (err)
        printf("error %s\n", gcry_strerror(err));
    else if (!sent) /* libotr leaves what it does not touch to the application */
        cb_inject(NULL, account, PROTOCOL, peer, text);
    otrl_message_free(sent);
    free(text);
}

static void do_query(void)
{
    char *query = otrl_proto_default_query_msg(account, cb_policy(NULL, NULL));
    cb_inject(NULL, account, PROTOCOL, peer, query);
    free(query);
}

static void do_state(void)
{
    static const char *const STATES[] = {"plain", "encrypted", "finished"};
    ConnContext *c = otrl_context_find(us, peer, account, PROTOCOL, OTRL_INSTAG_BEST,
                                       0, NULL, NULL, NULL);
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

/* Returns 0 when the peer shall quit. */
static int run(char *line)
{
    line[strcspn(line, "\r\n")] = '\0';
    char *arg = strchr(line, ' ');
    if (arg)
        *arg++ = '\0';
    if (!strcmp(line, "quit"))
        return 0;
    if (!strcmp(line, "recv") && arg)
        do_recv(arg);
    else if (!strcmp(line, "send") && arg)
        do_send(arg);
    else if (!strcmp(line, "query"))
        do_query();
    else if (!strcmp(line, "end"))
        otrl_message_disconnect_all_instances(us, &ops, NULL, account, PROTOCOL,
                                              peer);
    else if (!strcmp(line, "mms") && arg)
        mms = atoi(arg);
    else if (!strcmp(line, "poll"))
        otrl_message_poll(us, &ops, NULL);
    else if (!strcmp(line, "state"))
        do_state();
    else
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
    alarm(LIFE_S);
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
    while (getline(&line, &room, stdin) > 0 && run(line)) {
        puts("ok");
        fflush(stdout);
    }
    free(line);
    otrl_userstate_free(us);
    return 0;
}
