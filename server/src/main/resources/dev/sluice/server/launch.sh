# Sourced by whatever starts a Java virtual machine with a command of Sluice in it: both launchers, and commands that start another one.
#   in:   home       (optional) the directory of the installation
#   out:  memory     options for the heap: ours, as far as the user has not chosen
#         aot        empty if the user's options do not go with an AOT cache of ours
#         LC_ALL     a locale in which every UTF-8 path can be had
# It starts no other program but where it fails or reads a file of the user's options, as each would take time at every start.

# The Java virtual machine decodes arguments and encodes paths in the locale's character set, and with a locale that is not installed in ASCII. Paths are UTF-8
# wherever they are written, and what is printed is English with ISO dates and digits.
LC_ALL=C.UTF-8
export LC_ALL

launch_failed() {
    printf 'sluice: error: %s\n' "$1" >&2
    exit 1
}

launch_utf8() { # refuses a path, the second argument, with bytes that are not UTF-8: the virtual machine cannot find what it names
    case $2 in *[!\ -~]*) ;; *) return 0 ;; esac
    command -v iconv >/dev/null 2>&1 || return 0
    printf %s "$2" | iconv -f UTF-8 -t UTF-8 >/dev/null 2>&1 || {
        printf 'sluice: error: %s ' "$1"
        for launch_byte in $(printf %s "$2" | od -An -v -tx1); do
            case $launch_byte in
                7f | [!2-7]?) printf '\\x%s' "$launch_byte" ;;
                *) printf "\\$(printf %03o "0x$launch_byte")" ;;
            esac
        done
        printf ', which is not UTF-8: rename it, paths must be UTF-8\n'
        exit 2
    } >&2
}
launch_utf8 "it is installed in" "${home:-}"
launch_utf8 "SLUICE_CLASSPATH is" "${SLUICE_CLASSPATH:-}"

# ':' separates the entries of a class path, and '!/' a jar from its entry: the virtual machine would find nothing, or not all.
case ${home:-} in
    *:*) launch_failed "it is installed in $home, and a Java class path cannot have a ':' in a path: move it to a directory without one" ;;
    *!/* | *!) launch_failed "it is installed in $home, and Java takes what stands before '!/' for a jar: move it to a directory whose path has no '!' at the end of a name" ;;
esac

launch_rest=${SLUICE_CLASSPATH:-}
while [ -n "$launch_rest" ]; do
    launch_entry=${launch_rest%%:*}
    case $launch_rest in *:*) launch_rest=${launch_rest#*:} ;; *) launch_rest= ;; esac
    # DIRECTORY/* stands for the jars in it, and nothing for the working directory.
    case $launch_entry in '' | '*') continue ;; esac
    [ -r "${launch_entry%/\*}" ] || launch_failed "SLUICE_CLASSPATH names $launch_entry, which does not exist or cannot be read: correct or remove it"
done

# The virtual machine alone needs so many threads. It would say in several lines that it cannot have one, or stand still.
launch_threads=20
launch_limit=
{ while read -r launch_word launch_rest; do
    case $launch_word-$launch_rest in
        Max-processes*)
            launch_rest=${launch_rest#processes}
            launch_rest=${launch_rest#"${launch_rest%%[! ]*}"}
            launch_limit=${launch_rest%% *}
            break ;;
    esac
done </proc/self/limits; } 2>/dev/null || :
case $launch_limit in
    *[!0-9]* | '') ;;
    *) [ "$launch_limit" -ge "$launch_threads" ] || [ "$(id -u)" -eq 0 ] ||
        launch_failed "the user may have $launch_limit processes and threads (ulimit -u), and this needs $launch_threads at least: raise the limit" ;;
esac
launch_group=
{ while read -r launch_word; do
    case $launch_word in 0::/*) launch_group=${launch_word#0::} ;; esac
done </proc/self/cgroup; } 2>/dev/null || :
for launch_dir in "/sys/fs/cgroup${launch_group%/}" /sys/fs/cgroup; do
    if [ -r "$launch_dir/pids.max" ] && [ -r "$launch_dir/pids.current" ]; then
        read -r launch_most <"$launch_dir/pids.max" || :
        read -r launch_now <"$launch_dir/pids.current" || :
        [ "$launch_most" = max ] || [ "$((launch_most - launch_now))" -ge "$launch_threads" ] ||
            launch_failed "the control group may have $launch_most tasks (pids.max in $launch_dir; TasksMax= of systemd) and has $launch_now, and this needs $launch_threads more at least: raise the limit"
        break
    fi
done

launch_size() { # the KiB of a size as -Xmx takes it, in launch_kib; empty if it is none
    launch_kib=${1%[kKmMgGtT]}
    case $launch_kib in '' | *[!0-9]* | 0* | ?????????????*) launch_kib=; return ;; esac
    case $1 in
        *[kK]) ;;
        *[mM]) launch_kib=$((launch_kib * 1024)) ;;
        *[gG]) launch_kib=$((launch_kib * 1048576)) ;;
        *[tT]) launch_kib=$((launch_kib * 1073741824)) ;;
        *) launch_kib=$((launch_kib / 1024)) ;;
    esac
}

# Loops allocate next to nothing: the simplest collector starts fastest, has no threads of its own, and stops them for a millisecond where it has little to
# copy (docs/decisions/014-serial-gc.md). So a small young generation, with room for what a scrape holds, and a heap that begins small: what starting
# does touches the pages that it needs. -XX:+AlwaysPreTouch also makes the virtual machine read its archive of classes in place of mapping it.
# Whatever of this the user names, wherever, is the user's alone: two collectors, or a greatest heap below the first one, end the start.
launch_collector='-XX:+UseSerialGC' launch_survivors='-XX:SurvivorRatio=2' launch_young='-Xmn8m' launch_first='-Xms16m' launch_greatest='-Xmx512m'
aot=yes
launch_look() {
    for launch_word in $1; do
        launch_word=${launch_word#[\"\']}
        launch_word=${launch_word%[\"\']}
        case $launch_word in
            @?*) [ ! -r "${launch_word#@}" ] || launch_look "$(cat "${launch_word#@}")" ;;
            -XX:VMOptionsFile=?*) [ ! -r "${launch_word#*=}" ] || launch_look "$(cat "${launch_word#*=}")" ;;
            -XX:-UseSerialGC | -XX:+UseSerialGC | -XX:+UseParallelGC | -XX:+UseG1GC | -XX:+UseZGC | -XX:+UseShenandoahGC | -XX:+UseEpsilonGC)
                launch_collector='' launch_survivors='' launch_young=''
                # The others lay out or load objects in another way than the cache was made for.
                case $launch_word in *+UseSerialGC | *+UseParallelGC | *+UseG1GC) ;; *) aot='' ;; esac ;;
            -XX:[+-]UseCompressed* | -XX:[+-]UseCompactObjectHeaders | -XX:ObjectAlignmentInBytes=*) aot='' ;;
            -Xmn* | -XX:NewSize=* | -XX:MaxNewSize=* | -XX:NewRatio=*) launch_young='' ;;
            -XX:SurvivorRatio=* | -XX:InitialSurvivorRatio=*) launch_survivors='' ;;
            -Xms* | -XX:InitialHeapSize=* | -XX:MinHeapSize=* | -XX:SoftMaxHeapSize=*)
                case $launch_word in *SoftMax*) ;; *) launch_first='' ;; esac
                launch_word=${launch_word#-Xms}
                launch_size "${launch_word#*=}"
                [ -n "$launch_kib" ] && [ "$launch_kib" -le 524288 ] || launch_greatest='' ;;
            -XX:InitialRAMPercentage=*) launch_first='' launch_greatest='' ;;
            -Xmx* | -XX:MaxHeapSize=*)
                launch_greatest=''
                launch_word=${launch_word#-Xmx}
                launch_size "${launch_word#*=}"
                [ -n "$launch_kib" ] && [ "$launch_kib" -ge 65536 ] || launch_young=''
                [ -n "$launch_kib" ] && [ "$launch_kib" -ge 16384 ] || launch_first=''
                # Without compressed references, which the cache has.
                [ -n "$launch_kib" ] && [ "$launch_kib" -lt 31457280 ] || aot='' ;;
            -XX:MaxRAM=* | -XX:MaxRAMPercentage=* | -XX:MinRAMPercentage=*) launch_greatest='' ;;
            -XX:AOTCache=* | -XX:AOTCacheOutput=* | -XX:AOTConfiguration=* | -XX:AOTMode=record | -XX:AOTMode=create | -XX:AOTMode=off | -XX:SharedArchiveFile=* | -XX:ArchiveClassesAtExit=* | -Xshare:*) aot='' ;;
        esac
    done
}
set -f
launch_look "${JAVA_TOOL_OPTIONS:-} ${JDK_JAVA_OPTIONS:-} ${SLUICE_JAVA_OPTS:-} ${_JAVA_OPTIONS:-}"
set +f
memory="$launch_collector $launch_first $launch_greatest $launch_young $launch_survivors"
