// A vhost-user-blk front end that loads a back end's rings with as little work of its own as it can: the descriptor chains are written
// once, before the load; a request then costs an entry of the avail ring, a completion an entry of the used ring and its status byte.
// For rates that the load in Java does not reach. It checks statuses and nothing else: data is checked by `sluice bench`.
//
// One thread drives one queue, or all queues of all disks round-robin. The main thread speaks vhost-user, then reads the counters at both ends of the
// measured time: the loops read no clock. VIRTIO 1.3 §2.7 has the rings, the vhost-user specification the messages.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "front-end.h"

enum { LINE = 64, PAGE = 4096, HUGE_PAGE = 2 << 20, MAX_DISKS = 128, MAX_QUEUES = 512, UNFINISHED = 0xff };
#define GUEST_BASE 0x100000ull

// What one queue's loop touches; the counters are its own, read by the main thread twice.
struct queue {
  struct desc *table;
  struct avail *avail;
  struct used *used;
  uint16_t *used_event, *avail_event; // the last field of the avail ring, and of the used ring
  struct blk_header *headers;             // of slot n: one of LINE bytes each
  uint8_t *statuses, *chains;         // an indirect table of LINE bytes for each slot
  int chain_length;
  uint16_t mask, avail_index, used_index;
  int kick, call;
  uint64_t next_sector, random;
  volatile uint64_t completed __attribute__((aligned(128)));
  volatile uint64_t errors, kicks, calls;
} __attribute__((aligned(128)));

static struct queue queues[MAX_QUEUES];
static struct {
  const char *type, *pattern;
  int queues, depth, size, cpu, threads, pid, sleeping, check, batch, publish, indirect, event_idx, stride, rewrite;
  double seconds, warmup;
} o = {
  .type = "read", .pattern = "fixed", .queues = 1, .depth = 64, .size = 4096, .cpu = -1, .threads = 1, .check = 1, .batch = 1, .publish = 1, .indirect = 1,
  .event_idx = 1, .stride = LINE, .seconds = 5, .warmup = 1 };
// The disks have the same features: they are of one process. A disk's queues are the next o.queues of all.
static const char *const *sockets;
static int connections[MAX_DISKS], disks, total_queues, memory = -1, slot_descriptors, moving_sectors;
static uint64_t features, capacity_sectors = UINT64_MAX;
static uint8_t *shared;
static size_t shared_size, disk_size, data_size;
static volatile int stopping;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

// ---- vhost-user

static void negotiate(int connection, int first) {
  struct message m = { 0 };
  protocol = 0;
  get(connection, GET_FEATURES, &m, 0);
  uint64_t wanted = BIT(F_VERSION_1) | BIT(F_PROTOCOL) | BIT(F_MQ) | BIT(F_FLUSH) | BIT(F_SEG_MAX) | BIT(F_RO) | BIT(F_BLK_SIZE);
  if (o.indirect) wanted |= BIT(F_INDIRECT);
  if (o.event_idx) wanted |= BIT(F_EVENT_IDX);
  if (!first && features != (m.payload.u64 & wanted)) fail("the disks differ in their features");
  features = m.payload.u64 & wanted;
  if (!(features & BIT(F_VERSION_1)) || !(features & BIT(F_PROTOCOL))) fail("the back end offers no VERSION_1 or no protocol features");
  set(connection, SET_OWNER, &m, 0, -1);
  get(connection, GET_PROTOCOL_FEATURES, &m, 0);
  uint64_t chosen = m.payload.u64 & (BIT(P_MQ) | BIT(P_REPLY_ACK) | BIT(P_CONFIG));
  m.payload.u64 = chosen;
  set(connection, SET_PROTOCOL_FEATURES, &m, 8, -1);
  protocol = chosen;
  if (!(protocol & BIT(P_CONFIG))) fail("the back end has no configuration space (protocol feature CONFIG)");
  uint64_t queues_offered = 1, capacity;
  if (protocol & BIT(P_MQ)) {
    get(connection, GET_QUEUE_NUM, &m, 0);
    queues_offered = m.payload.u64;
  }
  if (queues_offered < (uint64_t)o.queues) fail("the back end has %llu queues", (unsigned long long)queues_offered);
  m.payload.config.offset = 0;
  m.payload.config.size = CONFIG_BYTES;
  m.payload.config.flags = 0;
  get(connection, GET_CONFIG, &m, 12 + CONFIG_BYTES);
  memcpy(&capacity, m.payload.config.bytes, sizeof capacity);
  if (capacity < capacity_sectors) capacity_sectors = capacity;
  m.payload.u64 = features;
  set(connection, SET_FEATURES, &m, 8, -1);
}

// ---- memory: a region of one file for each disk, taken from its start upwards

static size_t taken;

static void *take(size_t size, size_t alignment) {
  size_t at = (taken + alignment - 1) & -alignment;
  taken = at + size;
  if (taken > shared_size) fail("the shared memory is too small");
  return shared + at;
}

static uint64_t guest(const void *address) { return GUEST_BASE + ((const uint8_t *)address - shared); }

static size_t data_stride(void) { return (data_size + PAGE - 1) / PAGE * PAGE; }

static uint32_t operation(void) { return !strcmp(o.type, "write") ? BLK_OUT : !strcmp(o.type, "flush") ? BLK_FLUSH : BLK_IN; }

static void write_chain(struct queue *q, int slot, struct desc *chain, uint16_t first, uint8_t *data) {
  int last = 0;
  memset(data, 0x5a, data_size);
  q->headers[slot * (LINE / sizeof(struct blk_header))] = (struct blk_header){ .type = operation(), .sector = q->next_sector };
  if (operation() != BLK_FLUSH) q->next_sector = (q->next_sector + data_size / SECTOR) % (capacity_sectors / (data_size / SECTOR) * (data_size / SECTOR));
  chain[last++] = (struct desc){ guest(&q->headers[slot * (LINE / sizeof(struct blk_header))]), sizeof(struct blk_header), DESC_NEXT, first + 1 };
  if (operation() != BLK_FLUSH) {
    chain[last] = (struct desc){ guest(data), data_size, DESC_NEXT | (operation() == BLK_IN ? DESC_WRITE : 0), first + last + 1 };
    last++;
  }
  chain[last] = (struct desc){ guest(&q->statuses[(size_t)slot * o.stride]), 1, DESC_WRITE, 0 };
  q->statuses[(size_t)slot * o.stride] = UNFINISHED;
}

// The heads of a queue's chains are 0, n, 2n, ...: n is 1 with indirect tables, the length of a chain without.
static void prepare(struct queue *q, int index) {
  int num = 128;
  while (num < o.depth * slot_descriptors) num *= 2;
  if (num > 32768) fail("no ring holds %d requests", o.depth);
  q->mask = num - 1;
  q->table = take(num * sizeof(struct desc), PAGE);
  q->avail = take(sizeof(struct avail) + 2 * num + 2, PAGE);
  q->used = take(sizeof(struct used) + 8 * num + 2, PAGE);
  q->used_event = &q->avail->ring[num];
  q->avail_event = (uint16_t *)&q->used->ring[num];
  q->headers = take((size_t)o.depth * LINE, PAGE);
  q->statuses = take((size_t)o.depth * o.stride, PAGE);
  q->random = 0x9e3779b97f4a7c15ull * (index + 1);
  q->next_sector = capacity_sectors / o.queues * (index % o.queues) / (data_size / SECTOR) * (data_size / SECTOR);
  uint8_t *data = take(data_stride() * o.depth, PAGE);
  q->chains = take((size_t)LINE * o.depth, LINE);
  q->chain_length = operation() == BLK_FLUSH ? 2 : 3;
  for (int slot = 0; slot < o.depth; slot++, data += data_stride()) {
    uint16_t head = slot * slot_descriptors;
    if (features & BIT(F_INDIRECT)) {
      struct desc *chain = (struct desc *)(q->chains + (size_t)slot * LINE);
      write_chain(q, slot, chain, 0, data);
      q->table[head] = (struct desc){ guest(chain), q->chain_length * sizeof(struct desc), DESC_INDIRECT, 0 };
    } else write_chain(q, slot, &q->table[head], head, data);
  }
  q->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  q->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static void start_queues(int disk) {
  int connection = connections[disk];
  struct message m = { 0 };
  m.payload.memory.regions = 1;
  m.payload.memory.region[0].guest = GUEST_BASE + disk * disk_size;
  m.payload.memory.region[0].size = disk_size;
  m.payload.memory.region[0].user = (uintptr_t)shared + disk * disk_size;
  m.payload.memory.region[0].offset = disk * disk_size;
  set(connection, SET_MEM_TABLE, &m, 8 + 32, memory);
  for (int i = 0; i < o.queues; i++) {
    struct queue *q = &queues[disk * o.queues + i];
    m.payload.state.index = i;
    m.payload.state.num = q->mask + 1;
    set(connection, SET_VRING_NUM, &m, 8, -1);
    m.payload.state.index = i;
    m.payload.state.num = 0;
    set(connection, SET_VRING_BASE, &m, 8, -1);
    m.payload.address.index = i;
    m.payload.address.flags = 0;
    m.payload.address.desc = (uintptr_t)q->table;
    m.payload.address.used = (uintptr_t)q->used;
    m.payload.address.avail = (uintptr_t)q->avail;
    m.payload.address.log = 0;
    set(connection, SET_VRING_ADDR, &m, 40, -1);
    m.payload.u64 = i;
    set(connection, SET_VRING_CALL, &m, 8, q->call);
    m.payload.u64 = i;
    set(connection, SET_VRING_KICK, &m, 8, q->kick);
    m.payload.state.index = i;
    m.payload.state.num = 1;
    set(connection, SET_VRING_ENABLE, &m, 8, -1);
  }
}

// ---- the load

static inline void move_sector(struct queue *q, uint16_t slot) {
  uint64_t blocks = capacity_sectors / (data_size / SECTOR), block;
  if (moving_sectors == 2) {
    q->random ^= q->random << 13, q->random ^= q->random >> 7, q->random ^= q->random << 17; // xorshift64
    block = (uint64_t)(((unsigned __int128)q->random * blocks) >> 64);
  } else block = q->next_sector / (data_size / SECTOR), q->next_sector = (block + 1) % blocks * (data_size / SECTOR);
  q->headers[slot * (LINE / sizeof(struct blk_header))].sector = block * (data_size / SECTOR);
}

// What a driver writes for each request that prepares nothing beforehand: header and descriptors, here with the values that they have.
static inline void rewrite_chain(struct queue *q, uint16_t slot) {
  struct desc *chain = features & BIT(F_INDIRECT) ? (struct desc *)(q->chains + (size_t)slot * LINE) : &q->table[slot * slot_descriptors];
  volatile uint64_t *sector = &q->headers[slot * (LINE / sizeof(struct blk_header))].sector;
  *sector = *sector;
  for (int i = 0; i < q->chain_length; i++) {
    volatile uint64_t *address = &chain[i].addr;
    *address = *address;
  }
  if (!(features & BIT(F_INDIRECT))) return;
  volatile uint64_t *table = &q->table[slot].addr;
  *table = *table;
}

// Publishes what was written to the avail ring since `published` and kicks if the back end asks for it.
static inline void publish(struct queue *q, uint16_t published) {
  // pairs with the back end's read of idx: it sees the entries
  __atomic_store_n(&q->avail->idx, q->avail_index, __ATOMIC_RELEASE);
  // pairs with the back end's fence between arming its notifications and its last look at idx
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  int wanted;
  if (features & BIT(F_EVENT_IDX)) {
    uint16_t event = __atomic_load_n(q->avail_event, __ATOMIC_RELAXED);
    wanted = passed(event, q->avail_index, published);
  } else wanted = !(__atomic_load_n(&q->used->flags, __ATOMIC_RELAXED) & 1);
  if (!wanted) return;
  uint64_t one = 1;
  if (write(q->kick, &one, 8) == 8) q->kicks++;
}

// Takes what is finished and submits as much again; the number of completions.
static inline unsigned turn(struct queue *q) {
  uint16_t index = __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE), published = q->avail_index;
  uint16_t finished = index - q->used_index;
  if (finished < o.batch) return 0;
  uint64_t errors = 0;
  int again = !stopping, check = o.check;
  for (uint16_t at = q->used_index; at != index; at++) {
    uint16_t head = q->used->ring[at & q->mask].id, slot = slot_descriptors == 1 ? head : head / slot_descriptors;
    if (__builtin_expect(slot >= o.depth, 0)) fail("the back end completed chain %u, which there is not", head);
    if (check) {
      uint8_t *status = &q->statuses[(size_t)slot * o.stride];
      errors += *status != 0;
      *status = UNFINISHED;
    }
    if (moving_sectors) move_sector(q, slot);
    if (o.rewrite) rewrite_chain(q, slot);
    if (!again) continue;
    q->avail->ring[q->avail_index++ & q->mask] = head;
    if ((uint16_t)(q->avail_index - published) < o.publish) continue;
    publish(q, published);
    published = q->avail_index;
  }
  q->used_index = index;
  q->completed += finished;
  if (errors) q->errors += errors;
  if (q->avail_index != published) publish(q, published);
  return finished;
}

// Without a call for the next 16384 completions, or with one for the next.
static void arm(struct queue *q, int wanted) {
  if (features & BIT(F_EVENT_IDX)) __atomic_store_n(q->used_event, (uint16_t)(wanted ? q->used_index : q->used_index - 1), __ATOMIC_RELAXED);
  else __atomic_store_n(&q->avail->flags, (uint16_t)!wanted, __ATOMIC_RELAXED);
}

static unsigned in_flight(struct queue *q) { return (uint16_t)(q->avail_index - q->used_index); }

static void submit_first(struct queue *q) {
  arm(q, o.sleeping);
  for (int slot = 0; slot < o.depth; slot++) q->avail->ring[q->avail_index++ & q->mask] = slot * slot_descriptors;
  publish(q, 0);
}

static void poll_loop(struct queue *q, int count) {
  uint16_t armed[MAX_QUEUES] = { 0 };
  for (unsigned flying = 1; flying;) {
    flying = 0;
    unsigned finished = 0;
    for (int i = 0; i < count; i++) {
      finished += turn(&q[i]);
      flying += in_flight(&q[i]);
      if ((uint16_t)(q[i].used_index - armed[i]) > 16384) {
        arm(&q[i], 0);
        armed[i] = q[i].used_index;
      }
    }
    if (!finished) relax();
  }
}

static void sleep_loop(struct queue *q, int count) {
  struct pollfd calls[MAX_QUEUES];
  for (int i = 0; i < count; i++) calls[i] = (struct pollfd){ q[i].call, POLLIN, 0 };
  for (unsigned flying = 1; flying;) {
    flying = 0;
    unsigned finished = 0;
    for (int i = 0; i < count; i++) {
      finished += turn(&q[i]);
      arm(&q[i], 1);
      flying += in_flight(&q[i]);
    }
    // pairs with the back end's fence between publishing idx and reading used_event
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (int i = 0; i < count; i++) finished += __atomic_load_n(&q[i].used->idx, __ATOMIC_RELAXED) != q[i].used_index;
    if (finished || !flying) continue;
    if (poll(calls, count, 1000) <= 0) continue;
    for (int i = 0; i < count; i++) {
      uint64_t value;
      if (calls[i].revents && read(q[i].call, &value, 8) == 8) q[i].calls++;
    }
  }
}

static void *drive(void *first) {
  struct queue *q = first;
  int count = o.threads == 1 ? total_queues : 1;
  if (o.cpu >= 0) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(o.cpu, &cpus);
    if (sched_setaffinity(0, sizeof cpus, &cpus)) fail("CPU %d: %s", o.cpu, strerror(errno));
  }
  for (int i = 0; i < count; i++) submit_first(&q[i]);
  if (o.sleeping) sleep_loop(q, count); else poll_loop(q, count);
  return 0;
}

// ---- what the main thread measures

struct snapshot { double seconds, backend, own; uint64_t completed, errors, kicks, calls; };

// CPU seconds of all threads of a process: the scheduler's own sum, in nanoseconds.
static double cpu_seconds(int pid) {
  char path[320], text[128];
  double sum = 0;
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *tasks = opendir(path);
  if (!tasks) fail("there is no process %d", pid);
  for (struct dirent *task; (task = readdir(tasks));) {
    if (task->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pid, task->d_name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, text, sizeof text - 1);
    if (file >= 0) close(file);
    if (length <= 0) continue; // a thread that has just ended
    text[length] = 0;
    sum += strtoull(text, 0, 10) / 1e9;
  }
  closedir(tasks);
  return sum;
}

static struct snapshot measure(void) {
  struct snapshot s = { .seconds = now() };
  struct rusage usage;
  for (int i = 0; i < total_queues; i++) {
    s.completed += queues[i].completed;
    s.errors += queues[i].errors;
    s.kicks += queues[i].kicks;
    s.calls += queues[i].calls;
  }
  if (o.pid) s.backend = cpu_seconds(o.pid);
  getrusage(RUSAGE_SELF, &usage);
  s.own = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  return s;
}

// Sleeps; a back end that closes the connection ends the load.
static void wait_for(double seconds) {
  double end = now() + seconds;
  for (double left; (left = end - now()) > 0;) {
    struct pollfd closed[MAX_DISKS];
    for (int i = 0; i < disks; i++) closed[i] = (struct pollfd){ connections[i], POLLIN, 0 };
    if (poll(closed, disks, (int)(left * 1000) + 1) > 0) fail("the back end closed the connection under load");
  }
}

static const char *truth(int value) { return value ? "true" : "false"; }

static void report(struct snapshot *a, struct snapshot *b, uint64_t errors) {
  double seconds = b->seconds - a->seconds, requests = (double)(b->completed - a->completed), own = b->own - a->own, backend = b->backend - a->backend;
  printf("{\"type\":\"%s\",\"pattern\":\"%s\",\"size\":%d,\"disks\":%d,\"queues\":%d,\"depth\":%d,\"threads\":%d,\"publish\":%d,",
    o.type, o.pattern, o.size, disks, o.queues, o.depth, o.threads == 1 ? 1 : total_queues, o.publish);
  printf("\"sleeping\":%s,\"indirect\":%s,\"eventIdx\":%s,", truth(o.sleeping), truth(!!(features & BIT(F_INDIRECT))), truth(!!(features & BIT(F_EVENT_IDX))));
  printf("\"requests\":%.0f,\"seconds\":%.6f,\"requestsPerSecond\":%.0f,\"errors\":%llu,", requests, seconds, requests / seconds, (unsigned long long)errors);
  printf("\"kicks\":%llu,\"calls\":%llu,", (unsigned long long)(b->kicks - a->kicks), (unsigned long long)(b->calls - a->calls));
  if (o.pid) printf("\"backendCpuSeconds\":%.6f,\"backendCpuMicros\":%.4f,", backend, backend * 1e6 / requests);
  printf("\"loadCpuSeconds\":%.6f,\"loadCpuMicros\":%.4f}\n", own, own * 1e6 / requests);
}

static const char USAGE[] =
  "usage: ring-load SOCKET... [OPTION...]: loads the disks of a vhost-user-blk back end and prints one line of JSON\n"
  "  --seconds S        measured time (5), after --warmup S (1)\n"
  "  --depth N          requests in flight in each queue (64)\n"
  "  --queues N         queues of each disk (1), --threads each|one: a thread for each, or one for all (one)\n"
  "  --size BYTES       of a request (4096)\n"
  "  --type T           read, write or flush (read); a write overwrites what the disk has\n"
  "  --pattern P        fixed: each slot its own sectors, headers never written again; sequential; random (fixed)\n"
  "  --wait poll|sleep  polls the used ring, or sleeps on the call eventfd (poll)\n"
  "  --batch N          takes completions when there are N of them (1)\n"
  "  --publish N        publishes requests after every N of them and after the last: 1 as a driver that submits one by one, 64 in batches (1)\n"
  "  --cpu N            runs the loops on this CPU\n"
  "  --pid P            of the back end: its CPU time over the measured interval\n"
  "  --rewrite          writes header and descriptors for every request, as a driver does that prepares nothing\n"
  "  --status-stride N  bytes from one status to the next (64)\n"
  "  --no-check, --no-indirect, --no-event-idx\n";

static int number(const char *text, int least, int most) {
  char *end;
  long value = strtol(text, &end, 10);
  if (*end || end == text || value < least || value > most) fail("%s is not a number from %d to %d", text, least, most);
  return value;
}

static int which(const char *text, const char *first, const char *second) {
  if (strcmp(text, first) && strcmp(text, second)) fail("%s is neither %s nor %s", text, first, second);
  return !strcmp(text, second);
}

static void parse(int count, char **arguments) {
  static const struct option options[] = {
    { "seconds", 1, 0, 's' }, { "warmup", 1, 0, 'w' }, { "depth", 1, 0, 'd' }, { "queues", 1, 0, 'q' }, { "threads", 1, 0, 't' }, { "size", 1, 0, 'b' },
    { "type", 1, 0, 'T' }, { "pattern", 1, 0, 'P' }, { "wait", 1, 0, 'W' }, { "batch", 1, 0, 'B' }, { "publish", 1, 0, 'u' }, { "cpu", 1, 0, 'c' },
    { "pid", 1, 0, 'p' }, { "status-stride", 1, 0, 'S' }, { "rewrite", 0, &o.rewrite, 1 }, { "no-check", 0, &o.check, 0 }, { "no-indirect", 0, &o.indirect, 0 },
    { "no-event-idx", 0, &o.event_idx, 0 }, { "help", 0, 0, 'h' }, { 0 }
  };
  for (int c; (c = getopt_long(count, arguments, "h", options, 0)) != -1;) {
    switch (c) {
    case 0: break;
    case 's': o.seconds = atof(optarg); break;
    case 'w': o.warmup = atof(optarg); break;
    case 'd': o.depth = number(optarg, 1, 32768); break;
    case 'q': o.queues = number(optarg, 1, MAX_QUEUES); break;
    case 't': o.threads = which(optarg, "one", "each") ? 2 : 1; break;
    case 'b': o.size = number(optarg, 512, 64 << 20) / 512 * 512; break;
    case 'T': o.type = optarg; break;
    case 'P': o.pattern = optarg; break;
    case 'W': o.sleeping = which(optarg, "poll", "sleep"); break;
    case 'B': o.batch = number(optarg, 1, 32768); break;
    case 'u': o.publish = number(optarg, 1, 32768); break;
    case 'c': o.cpu = number(optarg, 0, CPU_SETSIZE - 1); break;
    case 'p': o.pid = number(optarg, 1, 1 << 30); break;
    case 'S': o.stride = number(optarg, 1, PAGE); break;
    default: fputs(USAGE, c == 'h' ? stdout : stderr); exit(c == 'h' ? 0 : 2);
    }
  }
  disks = count - optind;
  sockets = (const char *const *)&arguments[optind];
  if (disks < 1) {
    fputs(USAGE, stderr);
    exit(2);
  }
  total_queues = disks * o.queues;
  if (disks > MAX_DISKS || total_queues > MAX_QUEUES) fail("at most %d disks and %d queues", MAX_DISKS, MAX_QUEUES);
  if (strcmp(o.type, "flush")) which(o.type, "read", "write");
  if (strcmp(o.pattern, "fixed")) moving_sectors = 1 + which(o.pattern, "sequential", "random");
  if (o.batch > o.depth || !(o.seconds > 0) || !(o.warmup >= 0)) fail("the batch is at most the depth, the times are positive");
}

static void share_memory(void) {
  size_t entries = 128;
  while (entries < (size_t)o.depth * slot_descriptors) entries *= 2;
  size_t rings = entries * (sizeof(struct desc) + sizeof(uint16_t) + sizeof(struct used_elem)), slots = o.depth * (data_stride() + o.stride + 2 * LINE);
  disk_size = (o.queues * (rings + slots + 10 * PAGE) + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE; // each of seven parts starts a page
  shared_size = disk_size * disks;
  memory = memfd_create("ring-load", MFD_CLOEXEC);
  if (memory < 0 || ftruncate(memory, shared_size)) fail("shared memory: %s", strerror(errno));
  shared = mmap(0, shared_size, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (shared == MAP_FAILED) fail("shared memory of %zu bytes: %s", shared_size, strerror(errno));
}

// Ends the loops when their requests have returned, and asks the back end where each queue stopped.
static void stop_queues(pthread_t *threads, int started) {
  struct timespec end;
  stopping = 1;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += 10;
  for (int i = 0; i < started; i++) if (pthread_timedjoin_np(threads[i], 0, &end)) fail("requests are lost: the back end completed none for 10 s");
  for (int i = 0; i < total_queues; i++) {
    struct message m = { .payload.state = { i % o.queues, 0 } };
    get(connections[i / o.queues], GET_VRING_BASE, &m, 8);
    if ((uint16_t)m.payload.state.num != queues[i].avail_index) fail("queue %d stopped at %u instead of %u", i, m.payload.state.num, queues[i].avail_index);
  }
}

int main(int count, char **arguments) {
  static pthread_t threads[MAX_QUEUES];
  parse(count, arguments);
  data_size = operation() == BLK_FLUSH ? SECTOR : o.size;
  for (int i = 0; i < disks; i++) negotiate(connections[i] = connect_to(sockets[i]), i == 0);
  if (capacity_sectors < data_size / SECTOR) fail("the disk has %llu sectors", (unsigned long long)capacity_sectors);
  if (operation() == BLK_OUT && features & BIT(F_RO)) fail("the disk is read-only");
  slot_descriptors = features & BIT(F_INDIRECT) ? 1 : 3;
  share_memory();
  for (int i = 0; i < total_queues; i++) {
    if (i % o.queues == 0) taken = i / o.queues * disk_size;
    prepare(&queues[i], i);
  }
  for (int i = 0; i < disks; i++) start_queues(i);
  int started = o.threads == 1 ? 1 : total_queues;
  for (int i = 0; i < started; i++) if (pthread_create(&threads[i], 0, drive, &queues[i])) fail("thread %d does not start", i);
  wait_for(o.warmup);
  struct snapshot before = measure();
  wait_for(o.seconds);
  struct snapshot after = measure();
  stop_queues(threads, started);
  if (after.completed == before.completed) fail("no request was completed");
  uint64_t errors = 0;
  for (int i = 0; i < total_queues; i++) errors += queues[i].errors;
  report(&before, &after, errors);
  return errors ? 3 : 0;
}
