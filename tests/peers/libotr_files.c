/* What libotr and libgcrypt make of key files, for interoperability tests.
 *
 *   new OUT NAME PROTOCOL [NAME PROTOCOL]...   make keys, each added to OUT
 *   add IN OUT NAME PROTOCOL                   read IN, make one more key, write OUT
 *   keys IN                read private keys; a line each: name, protocol,
 *                          fingerprint, whether the private part fits
 *   fingerprints IN OUT    read, print contact, account, protocol, fingerprint, trust
 *                          and whether libotr trusts it; write OUT
 *   tags IN OUT            read, print account, protocol, tag; write OUT
 *   sexps                  on standard input, until it ends: "scan HEX" prints the
 *                          canonical form in hex or "refused"; "atom HEX" prints how
 *                          libgcrypt writes a list of this one string, in hex
 *
 * All output but tags and fingerprints is in hex, "-" for nothing.
 *
 * Build: gcc -o libotr_files libotr_files.c -lotr -lgcrypt
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gcrypt.h>
/* Order matters: proto.h is used by those below. */
#include <libotr/proto.h>
#include <libotr/context.h>
#include <libotr/instag.h>
#include <libotr/privkey.h>
#include <libotr/userstate.h>

/* A test that forgot us must not leave a process behind. */
#define LIFE_S 100

static OtrlUserState us;

static void die(const char *what, gcry_error_t err)
{
    printf("error %s: %s\n", what, gcry_strerror(err));
    fflush(stdout);
    _exit(1);
}

static void check(const char *what, gcry_error_t err)
{
    if (err)
        die(what, err);
}

static FILE *open_file(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (!file)
        die(path, gcry_error_from_errno(errno));
    return file;
}

static void print_hex(const void *data, size_t len, const char *end)
{
    const unsigned char *bytes = data;
    if (!len)
        putchar('-');
    for (size_t i = 0; i < len; i++)
        printf("%02x", bytes[i]);
    fputs(end, stdout);
}

static void print_text(const char *text, const char *end)
{
    print_hex(text, text ? strlen(text) : 0, end);
}

/* ---- private keys -------------------------------------------------------- */

static void read_keys(const char *path)
{
    FILE *file = open_file(path, "rb");
    check("private keys", otrl_privkey_read_FILEp(us, file));
    fclose(file);
}

static void make_key(const char *path, const char *name, const char *protocol)
{
    FILE *file = open_file(path, "w+b");
    check("generate", otrl_privkey_generate_FILEp(us, file, name, protocol));
    fclose(file);
}

static void print_keys(void)
{
    unsigned char hash[20];
    for (OtrlPrivKey *key = us->privkey_root; key; key = key->next) {
        print_text(key->accountname, " ");
        print_text(key->protocol, " ");
        gcry_md_hash_buffer(GCRY_MD_SHA1, hash, key->pubkey_data,
                            key->pubkey_datalen);
        print_hex(hash, sizeof hash, " ");
        puts(gcry_pk_testkey(key->privkey) ? "unusable" : "usable");
    }
}

/* ---- fingerprints and tags ----------------------------------------------- */

static void do_fingerprints(const char *in, const char *out)
{
    FILE *file = open_file(in, "rb");
    check("fingerprints", otrl_privkey_read_fingerprints_FILEp(us, file, NULL, NULL));
    fclose(file);
    for (ConnContext *c = us->context_root; c; c = c->next)
        for (Fingerprint *f = c->fingerprint_root.next; f; f = f->next) {
            print_text(c->username, " ");
            print_text(c->accountname, " ");
            print_text(c->protocol, " ");
            print_hex(f->fingerprint, 20, " ");
            print_text(f->trust, " ");
            puts(otrl_context_is_fingerprint_trusted(f) ? "trusted" : "untrusted");
        }
    file = open_file(out, "wb");
    check("write", otrl_privkey_write_fingerprints_FILEp(us, file));
    fclose(file);
}

static void do_tags(const char *in, const char *out)
{
    FILE *file = open_file(in, "rb");
    check("tags", otrl_instag_read_FILEp(us, file));
    fclose(file);
    for (OtrlInsTag *tag = us->instag_root; tag; tag = tag->next) {
        print_text(tag->accountname, " ");
        print_text(tag->protocol, " ");
        printf("%08x\n", tag->instag);
    }
    file = open_file(out, "wb");
    check("write", otrl_instag_write_FILEp(us, file));
    fclose(file);
}

/* ---- s-expressions ------------------------------------------------------- */

static void print_sexp(gcry_sexp_t sexp, int format)
{
    size_t room = gcry_sexp_sprint(sexp, format, NULL, 0);
    char *text = calloc(1, room + 1);
    size_t len = gcry_sexp_sprint(sexp, format, text, room);
    print_hex(text, len, "\n");
    free(text);
}

static void do_sexp(const char *command, const char *hex)
{
    size_t len = strcmp(hex, "-") ? strlen(hex) / 2 : 0;
    char *data = calloc(1, len + 1);
    gcry_sexp_t sexp = NULL;
    for (size_t i = 0; i < len; i++) {
        unsigned int byte = 0;
        sscanf(hex + 2 * i, "%2x", &byte);
        data[i] = (char)byte;
    }
    if (!strcmp(command, "atom")) {
        check("build", gcry_sexp_build(&sexp, NULL, "(%b)", (int)len, data));
        print_sexp(sexp, GCRYSEXP_FMT_ADVANCED);
    } else if (gcry_sexp_sscan(&sexp, NULL, data, len)) {
        puts("refused");
    } else {
        print_sexp(sexp, GCRYSEXP_FMT_CANON);
    }
    gcry_sexp_release(sexp);
    free(data);
    fflush(stdout);
}

static void do_sexps(void)
{
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        line[strcspn(line, "\r\n")] = '\0';
        char *hex = strchr(line, ' ');
        if (!hex)
            break;
        *hex++ = '\0';
        do_sexp(line, hex);
    }
    free(line);
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    alarm(LIFE_S);
    gcry_control(GCRYCTL_ENABLE_QUICK_RANDOM, 0); /* test keys */
    OTRL_INIT;
    us = otrl_userstate_create();
    if (!strcmp(command, "new") && argc >= 5) {
        for (int i = 3; i + 1 < argc; i += 2)
            make_key(argv[2], argv[i], argv[i + 1]);
        print_keys();
    } else if (!strcmp(command, "add") && argc == 6) {
        read_keys(argv[2]);
        make_key(argv[3], argv[4], argv[5]);
        print_keys();
    } else if (!strcmp(command, "keys") && argc == 3) {
        read_keys(argv[2]);
        print_keys();
    } else if (!strcmp(command, "fingerprints") && argc == 4) {
        do_fingerprints(argv[2], argv[3]);
    } else if (!strcmp(command, "tags") && argc == 4) {
        do_tags(argv[2], argv[3]);
    } else if (!strcmp(command, "sexps")) {
        do_sexps();
    } else {
        puts("error unknown command");
        return 1;
    }
    otrl_userstate_free(us);
    return 0;
}
