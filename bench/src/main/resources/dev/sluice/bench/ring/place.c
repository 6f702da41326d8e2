// Where two CPUs are to each other, and a command on one of them.
//
//   place measure CPU CPU         prints the nanoseconds of a cache line's round trip between them, as JSON
//   place run CPU COMMAND...      becomes the command, pinned to that CPU
//
// The virtual CPUs of a shared machine move: what costs 60 ns now may cost 300 in a minute, and every figure of a ring with it.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "vhost-user.h"

enum { CHUNKS = 200, TRIPS = 250, TOTAL = CHUNKS * TRIPS };

static volatile uint32_t line __attribute__((aligned(128)));
static int cpus[2];

static int pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) == 0) return 1;
  fprintf(stderr, "place: this process may not run on CPU %d\n", cpu);
  return 0;
}

static double nanos(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

// Sees odd numbers and writes even ones.
static void *echo(void *unused) {
  if (!pin(cpus[1])) exit(1);
  for (uint32_t i = 0; i < TOTAL; i++) {
    while (line != 2 * i + 1) relax();
    line = 2 * i + 2;
  }
  return unused;
}

static int ascending(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }

// The tenth of the chunks from below: those in which something else ran on either CPU do not count. How many took twice as long says how many they are.
static int measure(void) {
  double chunks[CHUNKS];
  pthread_t other;
  if (!pin(cpus[0]) || pthread_create(&other, 0, echo, 0)) return 1;
  uint32_t i = 0;
  for (int chunk = 0; chunk < CHUNKS; chunk++) {
    double start = nanos();
    for (int trip = 0; trip < TRIPS; trip++, i++) {
      line = 2 * i + 1;
      while (line != 2 * i + 2) relax();
    }
    chunks[chunk] = (nanos() - start) / TRIPS;
  }
  pthread_join(other, 0);
  qsort(chunks, CHUNKS, sizeof *chunks, ascending);
  double trip = chunks[CHUNKS / 10];
  int disturbed = 0;
  for (int chunk = 0; chunk < CHUNKS; chunk++) disturbed += chunks[chunk] > 2 * trip;
  printf("{\"roundTripNanos\":%.1f,\"median\":%.1f,\"disturbed\":%.3f}\n", trip, chunks[CHUNKS / 2], (double)disturbed / CHUNKS);
  return 0;
}

int main(int count, char **arguments) {
  if (count == 4 && !strcmp(arguments[1], "measure")) {
    cpus[0] = atoi(arguments[2]);
    cpus[1] = atoi(arguments[3]);
    return measure();
  }
  if (count < 4 || strcmp(arguments[1], "run")) {
    fprintf(stderr, "usage: place measure CPU CPU | place run CPU COMMAND...\n");
    return 2;
  }
  if (!pin(atoi(arguments[2]))) return 1;
  execvp(arguments[3], &arguments[3]);
  perror(arguments[3]);
  return 127;
}
