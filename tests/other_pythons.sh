#!/usr/bin/env bash
# Runs the suite with the Pythons of other Debian releases, each in a chroot of its own.
#
#     tests/other_pythons.sh [--keep DIR] [SUITE...]
#
# SUITE is a release's name; without one: trixie (Python 3.13) and sid (3.14).
# --keep DIR makes the chroots in DIR and leaves them there, so that the next run is faster.
# Needs root, debootstrap and git on Debian. What is tested is the last commit.
# pip's settings, proxies and certificates are the caller's.
# Status: 0 every suite passed, 1 one failed, 2 wrong usage or nothing to run it with.
set -euo pipefail
script=$(realpath "${BASH_SOURCE[0]}")
cd "$(dirname "$script")/.."

packages=python3,python3-venv,ca-certificates,nginx-light,aria2,git,strace,locales
namespace=
scratch=

step() {
    printf '\n== %s (%d s)\n' "$*" "$SECONDS"
}

refuse() {
    printf '%s: %s\n' "${script##*/}" "$1" >&2
    exit 2
}

# The archive that this machine's apt uses for its own release.
mirror() {
    local found
    found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main')
    found=$(grep -v -- '-security' <<<"$found" | head -n 1) || true
    [ -n "$found" ] || refuse "apt knows no archive: add one to its sources"
    printf '%s\n' "$found"
}

# The README's own line, so that what it promises is what is tested.
readme_test_command() {
    grep -E '^python3 -m venv .* && .*pytest$' README.md
}

# The files that pip's settings and the certificates' variables name; pip passes over folders
# that are not there.
settings_files() {
    printf '%s\n' /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt \
        /etc/pip.conf /etc/xdg/pip/pip.conf "$HOME/.pip/pip.conf" "$HOME/.config/pip/pip.conf" \
        "${PIP_CONFIG_FILE:-}" "${SSL_CERT_FILE:-}" "${REQUESTS_CA_BUNDLE:-}"
    { python3 -m pip config list 2>/dev/null || true; } |
        { grep -oE "[' ]/[^' ]+" || true; } | cut -c 2-
}

copy_settings() {
    local root=$1 file
    while IFS= read -r file; do
        [ ! -f "$file" ] || install -D -m 600 "$file" "$root$file"
    done < <(settings_files)
}

# The variables that the suite and pip get in the chroot, each as NAME=VALUE and a zero byte.
chroot_environment() {
    printf '%s\0' PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        "HOME=$HOME" LANG=C.UTF-8
    grep -zE '^(PIP_[A-Z_]+|SSL_CERT_FILE|REQUESTS_CA_BUNDLE|[a-zA-Z]+_(proxy|PROXY))=' \
        /proc/self/environ || true
}

# Runs in a mount and a PID namespace: whatever ends it, no mount and no process is left.
inside() {
    local suite=$1 root=$2 environment=()
    if [ ! -e "$root.made" ]; then
        step "Debian $suite"
        rm -rf --one-file-system "$root"
        debootstrap --variant=minbase --include="$packages" "$suite" "$root" "$(mirror)" \
            >"$root.log" || { tail -n 20 "$root.log" >&2; return 1; }
        touch "$root.made"
    fi
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    copy_settings "$root"
    rm -rf "$root/checkout"
    mkdir "$root/checkout"
    git archive HEAD | tar -x -C "$root/checkout"

    step "Tests in $suite: $(chroot "$root" python3 --version)"
    mapfile -d '' environment < <(chroot_environment)
    # Background jobs, and nohup, have signals ignored that the tests send.
    env -i --default-signal=HUP,INT,QUIT "${environment[@]}" \
        chroot "$root" bash -euo pipefail -c "cd /checkout && $(readme_test_command)"
}

stop_namespace() {
    local first
    [ -n "$namespace" ] || return 0
    # With a PID namespace's first process all others end, before unshare does.
    first=$(ps -o pid= --ppid "$namespace") || return 0
    kill -KILL $first || true
    wait "$namespace" || true
}

finish() {
    local status=$?
    trap - EXIT INT TERM
    stop_namespace
    [ -z "$scratch" ] || rm -rf --one-file-system "$scratch"
    exit "$status"
}

run_suite() {
    local status=0
    # A job in the background can be waited for, and a trap ends the wait.
    unshare --mount --pid --fork "$script" --inside "$1" "$2/$1" &
    namespace=$!
    wait "$namespace" || status=$?
    namespace=
    return "$status"
}

verdict() {
    local suite=$1 root=$2/$1 python=
    python=$(chroot "$root" python3 --version 2>/dev/null) || python='no Python'
    printf '%s: %s: %s\n' "$suite" "$python" "$3"
}

main() {
    local suites=() chroots= suite word status=0 verdicts=()
    while [ $# -gt 0 ]; do
        case $1 in
            --keep) [ $# -gt 1 ] || refuse '--keep needs a folder'; chroots=$2; shift ;;
            -*) refuse "unknown option $1: see the head of this file" ;;
            *) suites+=("$1") ;;
        esac
        shift
    done
    [ ${#suites[@]} -gt 0 ] || suites=(trixie sid)
    [ "$(id -u)" = 0 ] || refuse 'only root can make a chroot: use sudo'
    for word in debootstrap unshare git ps; do
        command -v "$word" >/dev/null || refuse "$word is missing: install it"
    done
    git diff --quiet HEAD || echo 'What is not committed is not tested.' >&2

    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    if [ -n "$chroots" ]; then
        mkdir -p "$chroots"
        chroots=$(realpath "$chroots")
    else
        scratch=$(mktemp -d)
        chroots=$scratch
    fi
    for suite in "${suites[@]}"; do
        word=passed
        run_suite "$suite" "$chroots" || { word=FAILED; status=1; }
        verdicts+=("$(verdict "$suite" "$chroots" "$word")")
    done
    step 'Verdicts'
    printf '%s\n' "${verdicts[@]}"
    return "$status"
}

if [ "${1:-}" = --inside ]; then
    inside "$2" "$3"
else
    main "$@"
fi
