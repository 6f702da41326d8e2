// The front end's side of a vhost-user connection: messages with their replies. A failure ends the program with one line on stderr.
#ifndef SLUICE_FRONT_END_H
#define SLUICE_FRONT_END_H
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "vhost-user.h"

static uint64_t protocol; // the protocol features of the connection that is spoken on

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("ring-load: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  exit(1);
}

static void send_message(int connection, uint32_t request, struct message *m, uint32_t size, int fd) {
  char control[CMSG_SPACE(sizeof(int))] = { 0 };
  m->request = request;
  m->flags = MESSAGE_VERSION | (protocol & BIT(P_REPLY_ACK) && request != SET_PROTOCOL_FEATURES ? MESSAGE_NEED_REPLY : 0);
  m->size = size;
  struct iovec vector = { m, MESSAGE_HEADER + size };
  struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1 };
  if (fd >= 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    *rights = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  }
  if (sendmsg(connection, &header, MSG_NOSIGNAL) != (ssize_t)vector.iov_len) fail("message %u was not sent: %s", request, strerror(errno));
}

static void receive_reply(int connection, uint32_t request, struct message *m) {
  if (recv(connection, m, MESSAGE_HEADER, MSG_WAITALL) != MESSAGE_HEADER) fail("the back end closed the connection at message %u", request);
  if (m->request != request || !(m->flags & MESSAGE_REPLY) || m->size > sizeof m->payload)
    fail("message %u of %u bytes instead of a reply to %u", m->request, m->size, request);
  if (m->size && recv(connection, &m->payload, m->size, MSG_WAITALL) != (ssize_t)m->size) fail("the reply to message %u is cut short", request);
}

static void get(int connection, uint32_t request, struct message *m, uint32_t size) {
  uint64_t acknowledging = protocol & BIT(P_REPLY_ACK);
  protocol &= ~acknowledging; // a request that is replied to anyway
  send_message(connection, request, m, size, -1);
  protocol |= acknowledging;
  receive_reply(connection, request, m);
}

static void set(int connection, uint32_t request, struct message *m, uint32_t size, int fd) {
  send_message(connection, request, m, size, fd);
  if (!(m->flags & MESSAGE_NEED_REPLY)) return;
  receive_reply(connection, request, m);
  if (m->payload.u64) fail("the back end refused message %u", request);
}

static int connect_to(const char *path) {
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  if (strlen(path) >= sizeof address.sun_path) fail("%s is too long for the path of a socket", path);
  strcpy(address.sun_path, path);
  int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(connection, (void *)&address, sizeof address)) fail("%s: %s", path, strerror(errno));
  return connection;
}
#endif
