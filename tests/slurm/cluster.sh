#!/usr/bin/env bash
# A Slurm of one node on this machine, for checks: munged, slurmctld and slurmd with all of their state below one folder.
# No systemd, no cgroups, no accounting, and as root or as anybody else; a Slurm of the machine's own is not touched.
#
#   cluster.sh start DIR   starts what does not run yet, waits for the node and prints `export SLURM_CONF=...`
#   cluster.sh stop DIR    cancels all jobs and ends the three; DIR stays, for its logs
#
# FLAGLAB_SLURM_CPUS (default 2) is the number of the node's CPUs, whatever the machine has. Ports are the first two
# neighbours from 26817 that nobody listens on.
set -euo pipefail

usage() { echo "usage: $0 start|stop DIR" >&2; exit 2; }
[ $# -eq 2 ] || usage
mkdir -p "$2"
dir="$(cd "$2" && pwd)"
PATH="$PATH:/usr/sbin:/sbin"
export SLURM_CONF="$dir/slurm.conf"

# A daemon that has ended may stand in the table of processes for long where nobody reaps it.
alive() {
    [ -s "$dir/$1.pid" ] && awk -v name="$1" '
        /^Name:/ { same = index($2, substr(name, 1, 15)) == 1 }
        /^State:/ { gone = $2 == "Z" || $2 == "X" }
        END { exit !(same && !gone) }' "/proc/$(cat "$dir/$1.pid" 2>/dev/null)/status" 2>/dev/null
}

# until_true SECONDS COMMAND...
until_true() {
    local left=$(($1 * 5))
    shift
    until "$@"; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        sleep 0.2
    done
}

explain() {
    echo "$0: $1" >&2
    tail -n 15 "$dir/$2.log" >&2 || true
    exit 1
}

answers() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

configure() {
    local port=26817 cpus="${FLAGLAB_SLURM_CPUS:-2}" host memory
    while answers "$port" || answers $((port + 1)); do port=$((port + 2)); done
    host="$(hostname -s)"
    memory="$(awk '/^MemTotal/ { print int($2 / 1024) - 256 }' /proc/meminfo)"
    mkdir -p "$dir/state" "$dir/spool" "$dir/munge"
    # munged insists on folders that nobody else can write to.
    chmod 0755 "$dir/munge"
    if [ ! -s "$dir/munge/key" ]; then
        (umask 077 && head -c 128 /dev/urandom >"$dir/munge/key")
    fi
    cat >"$SLURM_CONF" <<CONF
ClusterName=flaglab
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=200000,batch_sched_delay=0,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
KillWait=2
MinJobAge=600
MessageTimeout=10
SlurmctldTimeout=30
SlurmdTimeout=30
InactiveLimit=0
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
}

node_is() { [ "$(sinfo --noheader --format=%T 2>/dev/null)" = "$1" ]; }
is_ready() { node_is idle || node_is mixed || node_is allocated; }

start() {
    local program
    for program in munged slurmctld slurmd sinfo; do
        command -v "$program" >/dev/null ||
            { echo "$0: $program is not installed (Debian: slurm-wlm, munge)" >&2; exit 3; }
    done
    alive slurmctld || alive slurmd || configure
    if ! alive munged; then
        rm -f "$dir/munge/socket"
        munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munged.pid" \
            --seed-file="$dir/munge/seed" --log-file="$dir/munged.log" --num-threads=2 >&2 || explain "munged does not start" munged
    fi
    until_true 10 test -S "$dir/munge/socket" || explain "munged does not answer" munged
    alive slurmctld || slurmctld >&2 || explain "slurmctld does not start" slurmctld
    until_true 30 scontrol ping >/dev/null 2>&1 || explain "slurmctld does not answer" slurmctld
    alive slurmd || slurmd >&2 || explain "slurmd does not start" slurmd
    # A node that was stopped with tasks on it is down until it is told otherwise.
    until_true 5 is_ready || scontrol update "nodename=$(hostname -s)" state=resume 2>/dev/null || true
    until_true 30 is_ready || explain "the node does not become idle" slurmd
    echo "export SLURM_CONF=$(printf %q "$SLURM_CONF")"
}

is_empty() { [ -z "$(squeue --noheader 2>/dev/null)" ]; }
is_gone() { ! alive "$1"; }

stop() {
    if alive slurmctld; then
        scancel --user="$(id -un)" 2>/dev/null || true
        until_true 15 is_empty || true
    fi
    local daemon
    for daemon in slurmd slurmctld munged; do
        if alive "$daemon"; then
            kill "$(cat "$dir/$daemon.pid")"
            until_true 15 is_gone "$daemon" || kill -9 "$(cat "$dir/$daemon.pid")" 2>/dev/null || true
        fi
        rm -f "$dir/$daemon.pid"
    done
}

case "$1" in
    start) start ;;
    stop) stop ;;
    *) usage ;;
esac
