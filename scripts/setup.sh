#!/usr/bin/env bash
# Make or refresh .venv and, where apt and the rights are there, the Debian packages. Safe to repeat.
# Usage: scripts/setup.sh [dev]
set -euo pipefail
cd "$(dirname "$0")/.."

extra="${1:-}"
target=".${extra:+[$extra]}"
stamp=".venv/.llemma-setup${extra:+-$extra}"

# Run a command quietly, with a dot every few seconds so that nobody takes it for dead.
dotted() {
    ( while sleep 4; do printf '.' >&2; done ) &
    local dots=$! code=0
    "$@" || code=$?
    kill "$dots" 2>/dev/null || true
    wait "$dots" 2>/dev/null || true
    echo >&2
    return "$code"
}

python=""
for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
    if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 &&
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python="$candidate"
        break
    fi
done
if [ -z "$python" ]; then
    echo "error: no Python 3.11 or newer found" >&2
    echo "  mend: install one, or name it: make reproduce PYTHON=/path/to/python3.11" >&2
    exit 3
fi

# The digest of everything that decides what .venv holds; unchanged means nothing to do.
wanted="$(cat pyproject.toml constraints.txt scripts/setup.sh | cksum) $("$python" --version) $(pwd)"
if [ ! -x .venv/bin/llemma ] || [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
    echo "setup: Python packages into .venv (about 2 GB on disk, a minute or two)" >&2
    rm -f "$stamp"
    [ -x .venv/bin/python ] || dotted "$python" -m venv .venv
    dotted .venv/bin/python -m pip install -qq --disable-pip-version-check --upgrade -c constraints.txt pip
    dotted .venv/bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e "$target"
    printf '%s' "$wanted" >"$stamp"
fi

debian="bubblewrap coq libcoq-coquelicot"
missing=""
for package in $debian; do
    if ! dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed'; then
        missing="$missing $package"
    fi
done
if [ -n "$missing" ]; then
    sudo=""
    if [ "$(id -u)" != 0 ]; then sudo="sudo -n"; fi
    if command -v apt-get >/dev/null 2>&1 && { [ -z "$sudo" ] || $sudo true 2>/dev/null; }; then
        echo "setup: Debian packages:$missing" >&2
        add="$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends"
        if ! dotted sh -c "{ $add $missing || { $sudo apt-get update -qq && $add $missing; }; } >.venv/apt.log 2>&1"; then
            echo "setup: apt could not install them (see .venv/apt.log)" >&2
        else
            missing=""
        fi
    fi
    if [ -n "$missing" ] && [ ! -f .venv/.llemma-told ]; then
        echo "setup: going on without:$missing" >&2
        echo "  cost: no proofs from Rocq's library in the corpus (coq); no sandbox for untrusted programs (bubblewrap)" >&2
        echo "  mend: sudo apt-get install$missing, then the same command again" >&2
        touch .venv/.llemma-told
    fi
fi
