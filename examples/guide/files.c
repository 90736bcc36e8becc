// SPDX-License-Identifier: Apache-2.0
/*
 * files.c: files and directories without blocking the core, a file to whoever wants it, pipes. See
 * docs/guide/files-pipes-and-foreign-libraries.md. The run prints what happens.
 */
#include <soon/soon.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whole or not at all, also after a crash. */
static int save(int dir, const char *name, const char *text)
{
	return soon_file_replace(dir, name, text, strlen(text), 0644);
}

static int load(int dir, const char *name, char *buf, size_t size)
{
	int fd = soon_openat(dir, name, O_RDONLY, 0);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = soon_read_full(fd, buf, size - 1, NULL);
	(void)soon_close(fd); /* nothing was written */
	buf[n < 0 ? 0 : n] = '\0';
	return n < 0 ? (int)n : 0;
}

/* Removes all files of a directory and tells how many there were. */
static int sweep(const char *path)
{
	soon_dir_entry entry;
	soon_dir *dir;
	int count = 0, rc = soon_dir_open(AT_FDCWD, path, &dir);

	if (rc < 0)
		return rc;
	while ((rc = soon_dir_next(dir, &entry)) > 0) {
		rc = soon_unlinkat(soon_dir_fd(dir), entry.name, 0);
		if (rc < 0)
			break;
		count++;
	}
	(void)soon_dir_close(dir); /* only read */
	return rc < 0 ? rc : count;
}

/* Sends a file; what a cut left out may be sent later, from `*done` on. */
static ssize_t send_file(int out, int dir, const char *name, size_t *done)
{
	int fd = soon_openat(dir, name, O_RDONLY, 0);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = soon_sendfile(out, fd, 0, SIZE_MAX, done);
	(void)soon_close(fd); /* nothing was written */
	return n;
}

static int print_all(int fd)
{
	char buf[64];
	ssize_t n;

	while ((n = soon_read(fd, buf, sizeof buf)) > 0)
		printf("through the pipe: %.*s", (int)n, buf);
	return (int)n;
}

/* A pipe between two tasks: who reads sees the end when the other end is closed. */
static int through_a_pipe(int dir)
{
	size_t done;
	ssize_t n;
	int fds[2], rc = soon_pipe(fds, 0);

	if (rc < 0)
		return rc;
	SOON_GROUP(g);
	rc = soon_spawn(&g, print_all, fds[0]);
	n = rc == 0 ? send_file(fds[1], dir, "greeting", &done) : rc;
	(void)soon_close(fds[1]); /* a pipe has nothing more to say */
	rc = (int)soon_group_close(&g, n < 0 ? n : 0);
	(void)soon_close(fds[0]); /* only read */
	return rc;
}

static int app(char *path)
{
	char text[64];
	int dir = soon_open(path, O_RDONLY | O_DIRECTORY, 0), rc = dir;

	if (rc >= 0)
		rc = save(dir, "greeting", "hello\n");
	if (rc == 0)
		rc = load(dir, "greeting", text, sizeof text);
	if (rc == 0) {
		printf("read: %s", text);
		rc = through_a_pipe(dir);
	}
	if (rc == 0)
		rc = soon_renameat(dir, "greeting", dir, "farewell", 0);
	if (rc == 0)
		rc = sweep(path);
	printf("swept: %d\n", rc);
	if (dir >= 0)
		(void)soon_close(dir); /* only read */
	return rc < 0 ? rc : soon_rmdir(path);
}

int main(void)
{
	char path[] = "/tmp/soon-guide-XXXXXX";

	if (mkdtemp(path) == NULL || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return 1;
	return soon_run(app, path) < 0;
}
