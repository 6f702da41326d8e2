// The floor below every vhost-user-blk back end: the least C that completes the requests of split rings. Nothing is validated and no data is
// touched, so it is for measurements under ring-load alone, a program that is trusted. Every request gets status OK.
//
//   floor SOCKET poll|sleep [QUEUES]
//
// One thread serves all queues of a connection, one connection at a time. `poll` never sleeps; `sleep` sleeps on the kick eventfds.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "vhost-user.h"

enum { MAX_QUEUES = 64, MAX_REGIONS = 8, DISK_SECTORS = 4 << 20 };

struct region { uint64_t guest, user, size; uint8_t *at; size_t mapped; void *mapping; };
struct queue {
  struct desc *table;
  struct avail *avail;
  struct used *used;
  uint16_t *used_event, *avail_event;
  uint64_t desc_user, avail_user, used_user;
  uint16_t mask, num, avail_index, used_index;
  int enabled, kick, call;
};

static struct region regions[MAX_REGIONS];
static struct queue queues[MAX_QUEUES], *serving[MAX_QUEUES];
static int region_count, queue_count = 1, serving_count, polling, event_idx, running;
static volatile int stopping;
static pthread_t server;

static inline void *at_guest(uint64_t address) {
  for (int i = 0; i < region_count; i++) if (address - regions[i].guest < regions[i].size) return regions[i].at + (address - regions[i].guest);
  return 0;
}

static void *at_user(uint64_t address) {
  for (int i = 0; i < region_count; i++) if (address - regions[i].user < regions[i].size) return regions[i].at + (address - regions[i].user);
  return 0;
}

// ---- the rings

static inline int serve(struct queue *q) {
  uint16_t end = __atomic_load_n(&q->avail->idx, __ATOMIC_ACQUIRE), before = q->used_index;
  if (end == q->avail_index) return 0;
  for (; q->avail_index != end; q->avail_index++) {
    uint16_t head = q->avail->ring[q->avail_index & q->mask];
    struct desc *d = &q->table[head], *table = q->table;
    uint32_t written = 1;
    if (d->flags & DESC_INDIRECT) d = table = at_guest(d->addr);
    while (d->flags & DESC_NEXT) {
      if (d->flags & DESC_WRITE) written += d->len;
      d = &table[d->next];
    }
    *(uint8_t *)at_guest(d->addr) = 0;
    q->used->ring[q->used_index++ & q->mask] = (struct used_elem){ head, written };
  }
  // pairs with the driver's acquire of idx: it sees entries and statuses
  __atomic_store_n(&q->used->idx, q->used_index, __ATOMIC_RELEASE);
  // pairs with the driver's fence between used_event and its last look at idx
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  int wanted = event_idx ? passed(__atomic_load_n(q->used_event, __ATOMIC_RELAXED), q->used_index, before)
                         : !(__atomic_load_n(&q->avail->flags, __ATOMIC_RELAXED) & 1);
  uint64_t one = 1;
  if (wanted && write(q->call, &one, sizeof one) < 0) perror("floor: call");
  return 1;
}

static void want_kicks(struct queue *q, int wanted) {
  if (!event_idx) __atomic_store_n(&q->used->flags, (uint16_t)!wanted, __ATOMIC_RELAXED);
  else if (wanted) __atomic_store_n(q->avail_event, q->avail_index, __ATOMIC_RELAXED);
}

static void sleep_until_kicked(void) {
  struct pollfd kicks[MAX_QUEUES];
  uint64_t value;
  for (int i = 0; i < serving_count; i++) want_kicks(serving[i], 1);
  // pairs with the driver's fence between publishing idx and reading avail_event
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  for (int i = 0; i < serving_count; i++) if (__atomic_load_n(&serving[i]->avail->idx, __ATOMIC_RELAXED) != serving[i]->avail_index) return;
  if (serving_count == 1) { // its eventfd blocks: one system call
    if (read(serving[0]->kick, &value, sizeof value) < 0) perror("floor: kick");
    return;
  }
  for (int i = 0; i < serving_count; i++) kicks[i] = (struct pollfd){ serving[i]->kick, POLLIN, 0 };
  if (poll(kicks, serving_count, -1) <= 0) return;
  for (int i = 0; i < serving_count; i++) if (kicks[i].revents && read(serving[i]->kick, &value, sizeof value) < 0) perror("floor: kick");
}

static void *serve_all(void *unused) {
  while (!stopping) {
    int busy = 0;
    for (int i = 0; i < serving_count; i++) busy |= serve(serving[i]);
    if (busy) continue;
    if (polling) relax(); else sleep_until_kicked();
  }
  return unused;
}

// ---- vhost-user: the rings stop for every message that changes them

static void halt(void) {
  if (!running) return;
  uint64_t one = 1;
  stopping = 1;
  if (write(serving[0]->kick, &one, sizeof one) < 0) perror("floor: kick");
  pthread_join(server, 0);
  running = 0;
}

static void resume(void) {
  serving_count = 0;
  for (int i = 0; i < queue_count; i++) {
    struct queue *q = &queues[i];
    if (!q->enabled || q->kick < 0 || !q->num || !q->desc_user || !region_count) continue;
    q->mask = q->num - 1;
    q->table = at_user(q->desc_user);
    q->avail = at_user(q->avail_user);
    q->used = at_user(q->used_user);
    q->used_event = &q->avail->ring[q->num];
    q->avail_event = (uint16_t *)&q->used->ring[q->num];
    q->used_index = q->used->idx;
    if (polling) want_kicks(q, 0);
    serving[serving_count++] = q;
  }
  if (!serving_count) return;
  for (int i = 0; i < serving_count; i++) fcntl(serving[i]->kick, F_SETFL, serving_count == 1 ? 0 : O_NONBLOCK);
  stopping = 0;
  if (pthread_create(&server, 0, serve_all, 0)) exit(1);
  running = 1;
}

static void forget_regions(void) {
  for (int i = 0; i < region_count; i++) munmap(regions[i].mapping, regions[i].mapped);
  region_count = 0;
}

static void map_regions(struct message *m, const int *fds, int count) {
  forget_regions();
  for (int i = 0; i < count && i < MAX_REGIONS; i++) {
    struct region *r = &regions[region_count++];
    uint64_t offset = m->payload.memory.region[i].offset;
    *r = (struct region){ .guest = m->payload.memory.region[i].guest, .user = m->payload.memory.region[i].user, .size = m->payload.memory.region[i].size };
    r->mapped = r->size + offset;
    r->mapping = mmap(0, r->mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fds[i], 0);
    if (r->mapping == MAP_FAILED) { perror("floor: mmap"); exit(1); }
    r->at = (uint8_t *)r->mapping + offset;
    close(fds[i]);
  }
}

static void describe_disk(struct message *m) {
  uint8_t config[256] = { 0 };
  uint64_t capacity = DISK_SECTORS;
  uint32_t segments = 126, block = SECTOR;
  uint16_t count = queue_count;
  memcpy(config, &capacity, sizeof capacity);
  memcpy(config + CONFIG_SEG_MAX, &segments, sizeof segments);
  memcpy(config + CONFIG_BLK_SIZE, &block, sizeof block);
  memcpy(config + CONFIG_NUM_QUEUES, &count, sizeof count);
  if (m->payload.config.offset < sizeof config && m->payload.config.size <= sizeof config - m->payload.config.offset)
    memcpy(m->payload.config.bytes, config + m->payload.config.offset, m->payload.config.size);
}

static void replace(int *fd, int with) {
  if (*fd >= 0) close(*fd);
  *fd = with;
}

// Returns the size of the reply's payload; 0 for a message that has none.
static uint32_t obey(struct message *m, const int *fds, int fd_count) {
  uint32_t index = m->payload.state.index & 0xff;
  struct queue *q = &queues[index < MAX_QUEUES ? index : 0];
  switch (m->request) {
  case GET_FEATURES:
    m->payload.u64 = BIT(F_VERSION_1) | BIT(F_PROTOCOL) | BIT(F_EVENT_IDX) | BIT(F_INDIRECT) | BIT(F_SEG_MAX) | BIT(F_BLK_SIZE) | BIT(F_FLUSH) | BIT(F_MQ);
    return 8;
  case SET_FEATURES: event_idx = !!(m->payload.u64 & BIT(F_EVENT_IDX)); return 0;
  case GET_PROTOCOL_FEATURES: m->payload.u64 = BIT(P_MQ) | BIT(P_REPLY_ACK) | BIT(P_CONFIG); return 8;
  case GET_QUEUE_NUM: m->payload.u64 = queue_count; return 8;
  case GET_CONFIG: describe_disk(m); return m->size;
  case SET_MEM_TABLE: halt(); map_regions(m, fds, fd_count); resume(); return 0;
  case SET_VRING_NUM: q->num = m->payload.state.num; return 0;
  case SET_VRING_BASE: q->avail_index = m->payload.state.num; return 0;
  case SET_VRING_ADDR: q->desc_user = m->payload.address.desc, q->avail_user = m->payload.address.avail, q->used_user = m->payload.address.used; return 0;
  case SET_VRING_KICK: halt(); replace(&q->kick, fd_count ? fds[0] : -1); resume(); return 0;
  case SET_VRING_CALL: halt(); replace(&q->call, fd_count ? fds[0] : -1); resume(); return 0;
  case SET_VRING_ENABLE: halt(); q->enabled = m->payload.state.num; resume(); return 0;
  case GET_VRING_BASE:
    halt();
    q->enabled = 0;
    m->payload.state.num = q->avail_index;
    resume();
    return 8;
  default: return 0;
  }
}

static int receive_message(int connection, struct message *m, int *fds) {
  char control[CMSG_SPACE(MAX_REGIONS * sizeof(int))];
  struct iovec vector = { m, MESSAGE_HEADER };
  struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
  if (recvmsg(connection, &header, MSG_WAITALL | MSG_CMSG_CLOEXEC) != MESSAGE_HEADER || m->size > sizeof m->payload) return -1;
  if (m->size && recv(connection, &m->payload, m->size, MSG_WAITALL) != (ssize_t)m->size) return -1;
  struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
  if (!rights) return 0;
  int count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  memcpy(fds, CMSG_DATA(rights), count * sizeof(int));
  return count;
}

static void serve_connection(int connection) {
  struct message m;
  int fds[MAX_REGIONS], fd_count, acknowledging = 0;
  for (int i = 0; i < MAX_QUEUES; i++) queues[i] = (struct queue){ .kick = -1, .call = -1 };
  while ((fd_count = receive_message(connection, &m, fds)) >= 0) {
    if (m.request == SET_PROTOCOL_FEATURES) acknowledging = !!(m.payload.u64 & BIT(P_REPLY_ACK));
    uint32_t reply = obey(&m, fds, fd_count);
    if (!reply && acknowledging && m.flags & MESSAGE_NEED_REPLY) {
      m.payload.u64 = 0;
      reply = 8;
    }
    if (!reply) continue;
    m.flags = MESSAGE_VERSION | MESSAGE_REPLY;
    m.size = reply;
    if (send(connection, &m, MESSAGE_HEADER + reply, MSG_NOSIGNAL) < 0) break;
  }
  halt();
  forget_regions();
  for (int i = 0; i < MAX_QUEUES; i++) replace(&queues[i].kick, -1), replace(&queues[i].call, -1);
  close(connection);
}

int main(int count, char **arguments) {
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  if (count > 3) queue_count = atoi(arguments[3]);
  int wrong = count < 3 || count > 4 || queue_count < 1 || queue_count > MAX_QUEUES || strlen(arguments[1]) >= sizeof address.sun_path;
  if (wrong || (strcmp(arguments[2], "poll") && strcmp(arguments[2], "sleep"))) {
    fprintf(stderr, "usage: floor SOCKET poll|sleep [QUEUES]\n");
    return 2;
  }
  polling = !strcmp(arguments[2], "poll");
  strcpy(address.sun_path, arguments[1]);
  unlink(address.sun_path);
  int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(listening, (void *)&address, sizeof address) || listen(listening, 1)) return perror("floor: bind"), 1;
  for (int connection; (connection = accept(listening, 0, 0)) >= 0;) serve_connection(connection);
  return 1;
}
