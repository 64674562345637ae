/* A disk that hangs, and one that loses what was not flushed. See faulty_disk.rs.

   FAULTY_DISK_DATA  the directory of the affected files
   FAULTY_DISK       a directory with `hangs`, whose first byte selects what waits (1: flushes,
                     2: also writes), and with a file `undo-INODE` for each file that was written
                     since its last flush: for every write the length of the file and the old
                     bytes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile const uint8_t *hangs;
static const char *notes, *data;
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void start(void) {
  char path[4096];
  notes = getenv("FAULTY_DISK");
  data = getenv("FAULTY_DISK_DATA");
  if (!notes || !data) abort();
  snprintf(path, sizeof path, "%s/hangs", notes);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  void *mapped = file < 0 ? MAP_FAILED : mmap(0, 1, PROT_READ, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) abort();
  close(file);
  hangs = mapped;
}

/* Whether the file is affected; `known` gets its status. */
static int is_meant(int file, struct stat *known) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0 || fstat(file, known) != 0) return 0;
  path[length] = 0;
  return strncmp(path, data, strlen(data)) == 0;
}

static void wait_while_it_hangs(int from) {
  while (*hangs >= from) usleep(1000);
}

static void undo_path(char *path, size_t size, const struct stat *known) {
  snprintf(path, size, "%s/undo-%llu", notes, (unsigned long long)known->st_ino);
}

/* Records the bytes that a change overwrites. */
static void note(int file, const struct stat *known, off_t offset, size_t count) {
  struct { uint64_t length, offset, old; } head = {known->st_size, offset, 0};
  if (offset < known->st_size) {
    uint64_t rest = known->st_size - offset;
    head.old = count < rest ? count : rest;
  }
  char path[4096], *record = malloc(sizeof head + head.old);
  undo_path(path, sizeof path, known);
  int undo = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (!record || undo < 0) abort();
  memcpy(record, &head, sizeof head);
  if (pread(file, record + sizeof head, head.old, offset) != (ssize_t)head.old) abort();
  ssize_t whole = sizeof head + head.old;
  if (syscall(SYS_write, undo, record, whole) != whole) abort();
  close(undo);
  free(record);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
  struct stat known;
  if (!is_meant(file, &known)) return syscall(SYS_pwrite64, file, bytes, count, offset);
  wait_while_it_hangs(2);
  pthread_mutex_lock(&writing);
  note(file, &known, offset, count);
  ssize_t written = syscall(SYS_pwrite64, file, bytes, count, offset);
  pthread_mutex_unlock(&writing);
  return written;
}

int ftruncate64(int file, off64_t length) {
  struct stat known;
  if (!is_meant(file, &known)) return syscall(SYS_ftruncate, file, length);
  wait_while_it_hangs(2);
  pthread_mutex_lock(&writing);
  note(file, &known, length, length < known.st_size ? known.st_size - length : 0);
  int result = syscall(SYS_ftruncate, file, length);
  pthread_mutex_unlock(&writing);
  return result;
}

static int flush(int file, long call) {
  struct stat known, noted;
  if (!is_meant(file, &known)) return syscall(call, file);
  wait_while_it_hangs(1);
  char path[4096];
  undo_path(path, sizeof path, &known);
  off_t before = stat(path, &noted) == 0 ? noted.st_size : 0;
  int result = syscall(call, file);
  pthread_mutex_lock(&writing);
  /* One thread writes and flushes a file, so nothing was added meanwhile. */
  if (result == 0 && stat(path, &noted) == 0 && noted.st_size == before)
    syscall(SYS_unlinkat, AT_FDCWD, path, 0);
  pthread_mutex_unlock(&writing);
  return result;
}

int fdatasync(int file) { return flush(file, SYS_fdatasync); }
int fsync(int file) { return flush(file, SYS_fsync); }

/* The inode of a removed file may be reused, so its record is removed with its name. */
static void forget(const char *path) {
  struct stat known;
  char undo[4096];
  if (strncmp(path, data, strlen(data)) != 0 || stat(path, &known) != 0) return;
  undo_path(undo, sizeof undo, &known);
  syscall(SYS_unlinkat, AT_FDCWD, undo, 0);
}

int unlink(const char *path) {
  forget(path);
  return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int rename(const char *from, const char *to) {
  forget(to);
  return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
