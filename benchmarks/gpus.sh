#!/usr/bin/env bash
# Measures this machine's NVIDIA GPUs; with one it takes a quarter of an hour.
#
#     benchmarks/gpus.sh [FOLDER]            records go to benchmarks/results
#     benchmarks/gpus.sh --smoke [FOLDER]    tries all of it on the CPU, tiny
#
# It installs nothing: what is missing is said, and the rest is measured.
# PYTHON names the Python to use, .venv/bin/python or python3 by default, and
# MINUTES, 10 by default, is what the networks may take; all else takes 5
# with one GPU.
set -uo pipefail
smoke=() folder=
for word; do
    case $word in
        --smoke) smoke=(--smoke) ;;
        -*) echo "Usage: benchmarks/gpus.sh [--smoke] [FOLDER]" >&2; exit 2 ;;
        *) folder=$(realpath -m "$word") ;;
    esac
done
cd "$(dirname "$0")/.." || exit
export TF_CPP_MIN_LOG_LEVEL=3
test -x .venv/bin/python && own=.venv/bin/python
PYTHON=${PYTHON:-${own:-python3}} MINUTES=${MINUTES:-10}

sees() { "$PYTHON" -c "$1" >/dev/null 2>&1; }
query=(--query-gpu=name,memory.total --format=csv,noheader,nounits)
cards=$(nvidia-smi "${query[@]}" 2>/dev/null)
ours=ours settings=(GPU "GPU, bf16") missing=()
if [ ${#smoke[@]} = 1 ]; then
    card=smoke settings=("no oneDNN") batches=()
    scaling=("PyConvResNetMini on 1" "PyConvResNetMini on 2")
    folder=${folder:-$PWD/runs/benchmarks}
elif [ -z "$cards" ]; then
    echo "There is no NVIDIA GPU here; --smoke tries this on the CPU." >&2
    exit 2
else
    IFS=, read -r card memory <<<"$cards"
    count=$(wc -l <<<"$cards")
    card=$count-$(tr -cs '[:alnum:]\n' - <<<"${card,,}")
    scaling=()
    for number in 1 2 4 8; do
        [ "$number" -gt "$count" ] || scaling+=("PyConvResNet50 on $number")
    done
    batches=(--batches 1 128 8)  # of products, images and clips
    [ "$memory" -ge 60000 ] || batches=(--batches 1 32 2)
    sees "import torch; assert torch.cuda.is_available()" ||
        missing+=("PyTorch with CUDA (pip install torch)")
    if ! sees "import tensorflow as tf
assert tf.config.list_physical_devices('GPU')"; then
        missing+=("TensorFlow with CUDA (pip install 'tensorflow[and-cuda]')")
        settings=() tensorflow=missing
        # The networks run with Keras on JAX too.
        sees "import jax; assert jax.default_backend() == 'gpu'" &&
            ours=ours_jax
    fi
fi
[ ${#missing[@]} = 0 ] || echo "Missing, so left out: ${missing[*]}" >&2

failed=()
part() { # NAME SECONDS MODULE ARGUMENTS; an interrupt keeps what it has
    printf '\n== %s, at most %s seconds\n' "$1" "$2"
    timeout --signal=INT --kill-after=30 "$2" "$PYTHON" -m "${@:3}" \
        "${smoke[@]}" --results "${folder:-benchmarks/results}/$card-$1.json" ||
        failed+=("$1 (exit status $?)")
}

CUDA_VISIBLE_DEVICES=0 part networks $((60 * MINUTES)) benchmarks.gpus \
    --parts product network video_network --contenders "$ours" torch \
    --minutes $((MINUTES - 1)) "${batches[@]}"
[ "${tensorflow-}" ] || part mirrored $((90 * ${#scaling[@]})) benchmarks.gpus \
    --parts mirrored --subjects "${scaling[@]}"
for setting in "${settings[@]}"; do
    [ "${setting%bf16}" = "$setting" ] && name=ways || name=ways-bf16
    CUDA_VISIBLE_DEVICES=0 part "$name" 90 \
        benchmarks.grouped_conv "stage 1, 9x9" "stage 2, 7x7" "stage 3, 5x5" \
        "video stage 1, 7x9x9" "video stage 1, 3x3x3" "video stage 3, 3x5x5" \
        --setting "$setting" --batch 128
done
[ ${#failed[@]} = 0 ] || { echo "Failed: ${failed[*]}" >&2; exit 1; }
