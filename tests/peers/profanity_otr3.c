/* Teaches profanity the version of OTR that its libotr speaks.
 *
 * profanity allows its libotr 4 the protocol versions 1 and 2 only, and asks it for
 * the "master" context of a contact, which in version 3 is never the one that is
 * encrypted: a session has a context of its own for each instance of the contact.
 * Loaded before libotr (LD_PRELOAD), this stands between the two and changes just
 * that: version 3 is allowed and nothing else is, the account gets an instance tag,
 * and who asks for a contact's master context gets its best one. All of OTR is still
 * libotr's doing.
 *
 * Build: gcc -shared -fPIC -o profanity_otr3.so profanity_otr3.c -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <gcrypt.h>
/* Order matters: message.h uses what proto.h and tlv.h define. */
#include <libotr/proto.h>
#include <libotr/tlv.h>
#include <libotr/context.h>
#include <libotr/instag.h>
#include <libotr/message.h>
#include <libotr/userstate.h>

/* The library's function of a name; without it there is nothing to be done. */
static void *library(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    return found;
}

static otrl_instag_t best(otrl_instag_t instance)
{
    return instance == OTRL_INSTAG_MASTER ? OTRL_INSTAG_BEST : instance;
}

static OtrlPolicy only_version_3(void *opdata, ConnContext *context)
{
    return OTRL_POLICY_ALLOW_V3;
}

static OtrlUserState user_state;

static void create_tag(void *opdata, const char *accountname, const char *protocol)
{
    otrl_instag_generate(user_state, "/dev/null", accountname, protocol);
}

static OtrlMessageAppOps with_version_3(OtrlUserState us, const OtrlMessageAppOps *ops)
{
    OtrlMessageAppOps changed = *ops;
    user_state = us;
    changed.policy = only_version_3;
    changed.create_instag = create_tag;
    return changed;
}

ConnContext *otrl_context_find(OtrlUserState us, const char *user,
    const char *accountname, const char *protocol, otrl_instag_t instance,
    int add_if_missing, int *addedp,
    void (*add_app_data)(void *data, ConnContext *context), void *data)
{
    typedef ConnContext *(*Find)(OtrlUserState, const char *, const char *,
        const char *, otrl_instag_t, int, int *,
        void (*)(void *, ConnContext *), void *);
    Find find = (Find)library("otrl_context_find");
    Dl_info caller, itself;
    /* libotr calls its own function by way of here, too: it gets what it wants. */
    int is_libotr = dladdr(__builtin_return_address(0), &caller)
        && dladdr((void *)find, &itself)
        && caller.dli_fbase == itself.dli_fbase;
    return find(us, user, accountname, protocol,
        is_libotr ? instance : best(instance), add_if_missing, addedp,
        add_app_data, data);
}

gcry_error_t otrl_message_sending(OtrlUserState us, const OtrlMessageAppOps *ops,
    void *opdata, const char *accountname, const char *protocol,
    const char *recipient, otrl_instag_t instance, const char *original_msg,
    OtrlTLV *tlvs, char **messagep, OtrlFragmentPolicy fragments,
    ConnContext **contextp, void (*add_app_data)(void *data, ConnContext *context),
    void *data)
{
    typedef gcry_error_t (*Sending)(OtrlUserState, const OtrlMessageAppOps *,
        void *, const char *, const char *, const char *, otrl_instag_t,
        const char *, OtrlTLV *, char **, OtrlFragmentPolicy, ConnContext **,
        void (*)(void *, ConnContext *), void *);
    Sending sending = (Sending)library("otrl_message_sending");
    OtrlMessageAppOps changed = with_version_3(us, ops);
    return sending(us, &changed, opdata, accountname, protocol, recipient,
        best(instance), original_msg, tlvs, messagep, fragments, contextp,
        add_app_data, data);
}

int otrl_message_receiving(OtrlUserState us, const OtrlMessageAppOps *ops,
    void *opdata, const char *accountname, const char *protocol,
    const char *sender, const char *message, char **newmessagep, OtrlTLV **tlvsp,
    ConnContext **contextp, void (*add_app_data)(void *data, ConnContext *context),
    void *data)
{
    typedef int (*Receiving)(OtrlUserState, const OtrlMessageAppOps *, void *,
        const char *, const char *, const char *, const char *, char **,
        OtrlTLV **, ConnContext **, void (*)(void *, ConnContext *), void *);
    Receiving receiving = (Receiving)library("otrl_message_receiving");
    OtrlMessageAppOps changed = with_version_3(us, ops);
    return receiving(us, &changed, opdata, accountname, protocol, sender, message,
        newmessagep, tlvsp, contextp, add_app_data, data);
}

void otrl_message_disconnect(OtrlUserState us, const OtrlMessageAppOps *ops,
    void *opdata, const char *accountname, const char *protocol,
    const char *username, otrl_instag_t instance)
{
    typedef void (*Disconnect)(OtrlUserState, const OtrlMessageAppOps *, void *,
        const char *, const char *, const char *, otrl_instag_t);
    Disconnect disconnect = (Disconnect)library("otrl_message_disconnect");
    OtrlMessageAppOps changed = with_version_3(us, ops);
    disconnect(us, &changed, opdata, accountname, protocol, username,
        best(instance));
}
