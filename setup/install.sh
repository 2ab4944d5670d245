#!/bin/sh
# Install Debian packages, as root, without starting the services they bring.
#
# usage: sh setup/install.sh PACKAGE...
#
# Ends with 0, or with 69 after saying why. Never with 1: that is sudo's refusal.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
# shellcheck source=setup/say.sh
. "$here/say.sh"
# shellcheck source=setup/services.sh
. "$here/services.sh"

if [ "$(id -u)" -ne 0 ]; then
    say "Installing packages takes root; run this with sudo or from a root shell." >&2
    exit 69
fi
# Under su the PATH may lack what dpkg needs; the umask of a careful person would
# make the files that packages create unreadable to everybody else.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
umask 022
install_quietly /usr/sbin/policy-rc.d /run/lock/coykiosk-setup.lock "$@"
