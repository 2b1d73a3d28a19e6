#!/usr/bin/env bash
# Rebuild the starter score from Debian's documentation packages (apt-get download; about 500 MB, nothing is installed).
# Usage: scripts/starter-score.sh [FOLDER]    FOLDER keeps the packages and the rows; default build/starter
set -euo pipefail
cd "$(dirname "$0")/.."

folder="${1:-build/starter}"
mkdir -p "$folder"
python="${PYTHON:-.venv/bin/python}"
"$python" bench/starter_rows.py "$folder/rows.jsonl" "$folder"
"$python" -m llemma corpus train-score "$folder/rows.jsonl" \
    --about "passages of 39 Debian documentation packages, 17 of them mathematical" \
    --out src/llemma/corpus/web/quality/starter.safetensors
