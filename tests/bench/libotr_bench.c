/* Two ends of libotr in one process, timed: a command a line, figures back.
 *
 *     ake N                seconds of CPU for each key exchange, from query to encrypted
 *     greeting N           the same, with a first message each way
 *     alternating N BYTES  seconds for each message when the ends take turns
 *     same N BYTES         seconds for each message of a row that one end sends
 *     smp N                seconds for each comparison that succeeds
 *     keygen N             seconds of each of N DSA key generations
 *     memory N             bytes of one conversation: by malloc, by resident size
 *
 * A figure is printed for each run or, for messages, one for all; "ok" ends the
 * answer. Both ends' work is counted, sending and receiving; carrying a text from
 * one to the other is a copy of it. With --quick-random, libgcrypt takes weaker
 * random bytes where it can.
 *
 * Build: gcc -O2 -o libotr_bench libotr_bench.c -lotr -lgcrypt
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gcrypt.h>
/* Order matters: message.h uses what proto.h and tlv.h define. */
#include <libotr/proto.h>
#include <libotr/tlv.h>
#include <libotr/context.h>
#include <libotr/instag.h>
#include <libotr/message.h>
#include <libotr/privkey.h>
#include <libotr/userstate.h>

#define PROTOCOL "prpl-jabber"
#define ACCOUNT "us"
#define MAX_WAITING 16
#define MAX_TEXT 65536
/* A bench that forgot us must not leave a process behind. */
#define LIFE_S 900

struct end {
    OtrlUserState us;
    struct end *other;
    ConnContext *session; /* the encrypted one, as libotr told last */
    int is_asked;         /* a comparison waits for our secret */
    int n_equal;          /* comparisons that came out equal */
    char received[MAX_TEXT];
};

struct letter {
    struct end *to;
    char *contact;
    char *text;
};

static struct end alice, bob;
static struct letter waiting[MAX_WAITING];
static int n_waiting;

static void die(const char *why)
{
    fprintf(stderr, "libotr_bench: %s\n", why);
    exit(1);
}

/* ---- what libotr asks of its application --------------------------------- */

static OtrlPolicy cb_policy(void *op, ConnContext *c)
{
    return OTRL_POLICY_ALLOW_V3;
}

static int cb_logged_in(void *op, const char *a, const char *p, const char *r)
{
    return 1;
}

static void cb_inject(void *op, const char *a, const char *p, const char *r,
                      const char *message)
{
    if (n_waiting == MAX_WAITING)
        die("too many messages wait");
    waiting[n_waiting++] =
        (struct letter){((struct end *)op)->other, strdup(r), strdup(message)};
}

static void cb_secure(void *op, ConnContext *c)
{
    ((struct end *)op)->session = c;
}

static void cb_smp(void *op, OtrlSMPEvent event, ConnContext *c,
                   unsigned short percent, char *question)
{
    struct end *end = op;
    switch (event) {
    case OTRL_SMPEVENT_ASK_FOR_SECRET:
        end->is_asked = 1;
        break;
    case OTRL_SMPEVENT_SUCCESS:
        end->n_equal++;
        break;
    case OTRL_SMPEVENT_IN_PROGRESS:
        break;
    default:
        die("the comparison went wrong");
    }
}

static void cb_event(void *op, OtrlMessageEvent event, ConnContext *c,
                     const char *message, gcry_error_t err)
{
    /* Its name for any message without text, those of a comparison among them. */
    if (event == OTRL_MSGEVENT_LOG_HEARTBEAT_RCVD)
        return;
    fprintf(stderr, "libotr_bench: event %d\n", event);
    die("libotr is not content");
}

static OtrlMessageAppOps ops = {
    .policy = cb_policy,
    .is_logged_in = cb_logged_in,
    .inject_message = cb_inject,
    .gone_secure = cb_secure,
    .handle_smp_event = cb_smp,
    .handle_msg_event = cb_event,
};

/* ---- two ends -------------------------------------------------------------- */

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void receive(struct end *end, const char *contact, const char *text)
{
    char *shown = NULL;
    OtrlTLV *tlvs = NULL;
    int is_internal =
        otrl_message_receiving(end->us, &ops, end, ACCOUNT, PROTOCOL, contact, text,
                               &shown, &tlvs, NULL, NULL, NULL);
    if (!is_internal)
        snprintf(end->received, MAX_TEXT, "%s", shown ? shown : text);
    otrl_message_free(shown);
    otrl_tlv_free(tlvs);
}

/* Carry messages both ways until nobody has anything to say. */
static void carry(void)
{
    while (n_waiting) {
        struct letter letter = waiting[0];
        memmove(waiting, waiting + 1, (size_t)--n_waiting * sizeof waiting[0]);
        receive(letter.to, letter.contact, letter.text);
        free(letter.contact);
        free(letter.text);
    }
}

static void agree(const char *contact)
{
    char *query = otrl_proto_default_query_msg(ACCOUNT, OTRL_POLICY_ALLOW_V3);
    alice.session = bob.session = NULL;
    receive(&bob, contact, query);
    free(query);
    carry();
    if (!alice.session || !bob.session)
        die("no session came of it");
}

static void say(struct end *end, const char *contact, const char *text)
{
    char *sent = NULL;
    if (otrl_message_sending(end->us, &ops, end, ACCOUNT, PROTOCOL, contact,
                             OTRL_INSTAG_BEST, text, NULL, &sent,
                             OTRL_FRAGMENT_SEND_SKIP, NULL, NULL, NULL) ||
        !sent)
        die("not sent");
    receive(end->other, contact, sent);
    otrl_message_free(sent);
    if (strcmp(end->other->received, text))
        die("another text came out");
}

static void forget(void)
{
    struct end *ends[] = {&alice, &bob};
    for (int i = 0; i < 2; i++) {
        for (ConnContext *c = ends[i]->us->context_root; c; c = c->next)
            otrl_context_force_plaintext(c);
        otrl_context_forget_all(ends[i]->us);
    }
}

static void agree_afresh(void)
{
    forget();
    agree("them");
}

/* Until every key of a running conversation has been in use. */
static void warm_up(const char *contact)
{
    for (int i = 0; i < 3; i++) {
        say(&alice, contact, "hello");
        say(&bob, contact, "hello");
    }
}

/* ---- the commands ----------------------------------------------------------- */

static void time_ake(int n, int greets)
{
    for (int i = 0; i < n; i++) {
        forget();
        double began = cpu_s();
        agree("them");
        if (greets) {
            say(&alice, "them", "hello");
            say(&bob, "them", "hello");
        }
        printf("%.9f\n", cpu_s() - began);
    }
}

static void time_messages(int n, int n_bytes, int takes_turns)
{
    char *text = malloc((size_t)n_bytes + 1);
    memset(text, 'x', (size_t)n_bytes);
    text[n_bytes] = 0;
    agree_afresh();
    warm_up("them");
    /* The first of a row rotates the keys, which the others do not. */
    if (!takes_turns)
        say(&alice, "them", text);
    double began = cpu_s();
    for (int i = 0; i < n; i++)
        say(takes_turns && i % 2 ? &bob : &alice, "them", text);
    printf("%.9f\n", (cpu_s() - began) / n);
    free(text);
}

static void time_smp(int n)
{
    static const unsigned char secret[] = "the name of the cat";
    const size_t len = sizeof secret - 1;
    for (int i = 0; i < n; i++) {
        agree_afresh();
        alice.n_equal = bob.n_equal = bob.is_asked = 0;
        double began = cpu_s();
        otrl_message_initiate_smp(alice.us, &ops, &alice, alice.session, secret, len);
        carry();
        if (!bob.is_asked)
            die("nobody was asked");
        otrl_message_respond_smp(bob.us, &ops, &bob, bob.session, secret, len);
        carry();
        double took = cpu_s() - began;
        if (alice.n_equal != 1 || bob.n_equal != 1)
            die("the secrets are not equal");
        printf("%.9f\n", took);
    }
}

static void time_keygen(int n)
{
    for (int i = 0; i < n; i++) {
        void *key;
        if (otrl_privkey_generate_start(alice.us, "another", PROTOCOL, &key))
            die("no key begun");
        double began = cpu_s();
        if (otrl_privkey_generate_calculate(key))
            die("no key made");
        printf("%.9f\n", cpu_s() - began);
        otrl_privkey_generate_cancelled(alice.us, key);
    }
}

static double resident_bytes(void)
{
    long total, resident;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (!statm || fscanf(statm, "%ld %ld", &total, &resident) != 2)
        die("no statm");
    fclose(statm);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double allocated_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return (double)info.uordblks + (double)info.hblkhd;
}

/* libotr's own figures hold all of it: it has libgcrypt use malloc as well. */
static void weigh(int n)
{
    char contact[32];
    forget();
    agree("first");
    warm_up("first");
    malloc_trim(0);
    double allocated = allocated_bytes(), resident = resident_bytes();
    for (int i = 0; i < n; i++) {
        snprintf(contact, sizeof contact, "them-%d", i);
        agree(contact);
        warm_up(contact);
    }
    printf("%.1f\n", (allocated_bytes() - allocated) / (2 * n));
    printf("%.1f\n", (resident_bytes() - resident) / (2 * n));
    forget();
}

static void obey(char *line)
{
    char word[16] = "";
    int n = 0, n_bytes = 100;
    int found = sscanf(line, "%15s %d %d", word, &n, &n_bytes);
    if (found < 2 || n < 1 || n_bytes < 1 || n_bytes >= MAX_TEXT)
        die("a command and how often");
    if (!strcmp(word, "ake"))
        time_ake(n, 0);
    else if (!strcmp(word, "greeting"))
        time_ake(n, 1);
    else if (!strcmp(word, "alternating"))
        time_messages(n, n_bytes, 1);
    else if (!strcmp(word, "same"))
        time_messages(n, n_bytes, 0);
    else if (!strcmp(word, "smp"))
        time_smp(n);
    else if (!strcmp(word, "keygen"))
        time_keygen(n);
    else if (!strcmp(word, "memory"))
        weigh(n);
    else
        die("no such command");
    puts("ok");
    fflush(stdout);
}

static void set_up(struct end *end, struct end *other)
{
    FILE *nowhere = tmpfile();
    end->us = otrl_userstate_create();
    end->other = other;
    if (!nowhere ||
        otrl_privkey_generate_FILEp(end->us, nowhere, ACCOUNT, PROTOCOL) ||
        otrl_instag_generate_FILEp(end->us, nowhere, ACCOUNT, PROTOCOL))
        die("no key or tag");
    fclose(nowhere);
}

int main(int argc, char **argv)
{
    char line[128];
    alarm(LIFE_S);
    /* Order matters: libgcrypt takes this only before its first random byte. */
    if (argc > 1 && !strcmp(argv[1], "--quick-random"))
        gcry_control(GCRYCTL_ENABLE_QUICK_RANDOM, 0);
    OTRL_INIT;
    set_up(&alice, &bob);
    set_up(&bob, &alice);
    while (fgets(line, sizeof line, stdin))
        obey(line);
    return 0;
}
