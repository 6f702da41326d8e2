// What the programs of this directory share: the messages of vhost-user that they use, and a split ring (VIRTIO 1.3 §2.7) as it lies in memory.
#ifndef SLUICE_VHOST_USER_H
#define SLUICE_VHOST_USER_H
#include <stdint.h>

#define BIT(n) (1ull << (n))

enum { F_SEG_MAX = 2, F_RO = 5, F_BLK_SIZE = 6, F_FLUSH = 9, F_MQ = 12, F_INDIRECT = 28, F_EVENT_IDX = 29, F_PROTOCOL = 30, F_VERSION_1 = 32 };
enum { P_MQ = 0, P_REPLY_ACK = 3, P_CONFIG = 9 };
enum {
  GET_FEATURES = 1, SET_FEATURES = 2, SET_OWNER = 3, SET_MEM_TABLE = 5, SET_VRING_NUM = 8, SET_VRING_ADDR = 9, SET_VRING_BASE = 10,
  GET_VRING_BASE = 11, SET_VRING_KICK = 12, SET_VRING_CALL = 13, GET_PROTOCOL_FEATURES = 15, SET_PROTOCOL_FEATURES = 16, GET_QUEUE_NUM = 17,
  SET_VRING_ENABLE = 18, GET_CONFIG = 24
};
enum { MESSAGE_VERSION = 1, MESSAGE_REPLY = 4, MESSAGE_NEED_REPLY = 8, MESSAGE_HEADER = 12, MESSAGE_NO_FD = 0x100 };
enum { CONFIG_BYTES = 60, CONFIG_BLK_SIZE = 20, CONFIG_SEG_MAX = 12, CONFIG_NUM_QUEUES = 34 }; // offsets in struct virtio_blk_config
enum { BLK_IN = 0, BLK_OUT = 1, BLK_FLUSH = 4, SECTOR = 512 };

struct message {
  uint32_t request, flags, size;
  union {
    uint64_t u64;
    struct { uint32_t index, num; } state;
    struct { uint32_t index, flags; uint64_t desc, used, avail, log; } address;
    struct { uint32_t regions, padding; struct { uint64_t guest, size, user, offset; } region[8]; } memory;
    struct { uint32_t offset, size, flags; uint8_t bytes[256]; } config;
  } payload;
} __attribute__((packed));

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
struct desc { uint64_t addr; uint32_t len; uint16_t flags, next; };
struct avail { uint16_t flags, idx, ring[]; };            // used_event behind the last entry
struct used_elem { uint32_t id, len; };
struct used { uint16_t flags, idx; struct used_elem ring[]; }; // avail_event behind the last entry
struct blk_header { uint32_t type, reserved; uint64_t sector; };

// Whether a side that was at `before` and is at `after` now has passed what the other side asked to be notified of (VIRTIO 1.3 §2.7.7.1).
static inline int passed(uint16_t event, uint16_t after, uint16_t before) { return (uint16_t)(after - event - 1) < (uint16_t)(after - before); }

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}
#endif
