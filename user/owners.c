// SPDX-License-Identifier: GPL-2.0
/*
 * The processes that hold sockets, from /proc/PID/fd. Threads share the
 * descriptors of their process, unless they have asked for their own
 * (unshare(2), CLONE_FILES): then they are looked at as well.
 */
#include "owners.h"
#include "error.h"
#include "output.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* A walk through /proc. */
struct walk {
	struct owners **sockets; /* by inode */
	size_t count;
	int proc;
	bool our_pids; /* its numbers are what system calls take */
	enum owners_blind blind;
};

static int by_inode(const void *a, const void *b)
{
	const struct owners *one = *(struct owners *const *)a;
	const struct owners *other = *(struct owners *const *)b;

	return (one->inode > other->inode) - (one->inode < other->inode);
}

static char *task_name(const struct walk *walk, const char *task)
{
	char *path = xasprintf("%s/comm", task);
	char name[64] = "?";
	ssize_t len;
	int fd;

	fd = openat(walk->proc, path, O_RDONLY | O_CLOEXEC);
	free(path);
	if (fd >= 0) {
		len = read(fd, name, sizeof(name) - 1);
		if (len > 0)
			name[len] = '\0';
		name[strcspn(name, "\n")] = '\0';
		close(fd);
	}
	return xstrdup(name);
}

/* A thread that shares what its process has is no owner of its own. */
static bool known(const struct owners *socket, pid_t pid, int fd)
{
	size_t i = socket->count;

	while (i-- && socket->list[i].pid == pid)
		if (socket->list[i].fd == fd && !socket->list[i].thread)
			return true;
	return false;
}

static void add_owner(struct owners *socket, char *name, pid_t pid,
		      pid_t thread, int fd)
{
	struct owner *owner;

	socket->list = xrealloc(socket->list,
				(socket->count + 1) * sizeof(*socket->list));
	owner = &socket->list[socket->count++];
	owner->name = name;
	owner->pid = pid;
	owner->thread = thread;
	owner->fd = fd;
}

/* The socket behind a descriptor, if it is one of ours. */
static struct owners *find_socket(const struct walk *walk, int dir,
				  const char *fd)
{
	struct owners key, *wanted = &key, **found;
	char target[64];
	ssize_t len;

	len = readlinkat(dir, fd, target, sizeof(target) - 1);
	if (len < 0)
		return NULL;
	target[len] = '\0';
	if (sscanf(target, "socket:[%" SCNu64 "]", &key.inode) != 1)
		return NULL;
	found = bsearch(&wanted, walk->sockets, walk->count, sizeof(wanted),
			by_inode);
	return found ? *found : NULL;
}

/* Of all reasons not to see somebody the most telling one is kept. */
static void not_seen(struct walk *walk, int error)
{
	if (error == EPERM)
		walk->blind = OWNERS_HIDEPID;
	else if (error == EACCES && walk->blind != OWNERS_HIDEPID)
		walk->blind = OWNERS_OTHERS;
}

/*
 * Looks at the descriptors of "PID" or of "PID/task/TID". Whoever has died
 * meanwhile has none.
 */
static void read_task(struct walk *walk, const char *task, pid_t pid,
		      pid_t thread)
{
	char *path = xasprintf("%s/fd", task);
	struct owners *socket;
	struct dirent *entry;
	DIR *dir = NULL;
	int at, fd;

	at = openat(walk->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(path);
	if (at >= 0)
		dir = fdopendir(at);
	if (!dir) {
		not_seen(walk, errno);
		if (at >= 0)
			close(at);
		return;
	}
	while ((entry = readdir(dir))) {
		socket = find_socket(walk, at, entry->d_name);
		fd = atoi(entry->d_name);
		if (socket && !(thread && known(socket, pid, fd)))
			add_owner(socket, task_name(walk, task), pid, thread,
				  fd);
	}
	closedir(dir);
}

/* Whether a thread surely has the descriptors of its process. */
static bool shares(const struct walk *walk, pid_t pid, pid_t thread)
{
	return walk->our_pids &&
	       !syscall(SYS_kcmp, pid, thread, KCMP_FILES, 0, 0);
}

static void read_threads(struct walk *walk, const char *tasks, pid_t pid)
{
	struct dirent *entry;
	pid_t thread;
	DIR *dir = NULL;
	char *task;
	int at;

	at = openat(walk->proc, tasks, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at >= 0)
		dir = fdopendir(at);
	if (!dir && at >= 0)
		close(at);
	while (dir && (entry = readdir(dir))) {
		thread = atoi(entry->d_name);
		if (thread <= 0 || thread == pid || shares(walk, pid, thread))
			continue;
		task = xasprintf("%s/%s", tasks, entry->d_name);
		read_task(walk, task, pid, thread);
		free(task);
	}
	if (dir)
		closedir(dir);
}

static void read_process(struct walk *walk, const char *name)
{
	char *tasks = xasprintf("%s/task", name);
	pid_t pid = atoi(name);
	struct stat about;

	read_task(walk, name, pid, 0);
	/* It has a link for each thread, beside the usual two. */
	if (!fstatat(walk->proc, tasks, &about, 0) && about.st_nlink != 3)
		read_threads(walk, tasks, pid);
	free(tasks);
}

/* Whether /proc is that of our own process namespace. */
static bool has_our_pids(int proc)
{
	char self[16];
	ssize_t len;

	len = readlinkat(proc, "self", self, sizeof(self) - 1);
	if (len < 0)
		return false;
	self[len] = '\0';
	return atoi(self) == getpid();
}

static DIR *open_proc(void)
{
	DIR *proc = opendir("/proc");
	struct statfs about;

	if (proc && (fstatfs(dirfd(proc), &about) ||
		     about.f_type != PROC_SUPER_MAGIC)) {
		closedir(proc);
		proc = NULL;
	}
	return proc;
}

static void walk_proc(struct walk *walk)
{
	DIR *proc = open_proc();
	struct dirent *entry;

	if (!proc) {
		walk->blind = OWNERS_NO_PROC;
		return;
	}
	walk->proc = dirfd(proc);
	walk->our_pids = has_our_pids(walk->proc);
	/* There is always a first process; so it may be hidden. */
	if (faccessat(walk->proc, "1", F_OK, 0))
		walk->blind = OWNERS_HIDEPID;
	while ((entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]))
			read_process(walk, entry->d_name);
	closedir(proc);
}

void owners_find(struct owners **sockets, size_t count)
{
	struct walk walk = { .sockets = sockets, .count = count };
	size_t i;

	if (!count)
		return;
	qsort(sockets, count, sizeof(*sockets), by_inode);
	walk_proc(&walk);
	for (i = 0; i < count; i++)
		sockets[i]->blind = walk.blind;
}

void owners_clear(struct owners *owners)
{
	while (owners->count)
		free(owners->list[--owners->count].name);
	free(owners->list);
	owners->list = NULL;
}

json_t *owners_json(const struct owners *owners)
{
	json_t *list, *one;
	size_t i;

	if (!owners->count && owners->blind != OWNERS_ALL_SEEN)
		return json_null();
	list = json_array();
	for (i = 0; i < owners->count; i++) {
		const struct owner *owner = &owners->list[i];

		one = json_object();
		json_object_set_new(one, "name", output_string(owner->name));
		json_object_set_new(one, "pid", json_integer(owner->pid));
		if (owner->thread)
			json_object_set_new(one, "thread",
					    json_integer(owner->thread));
		json_object_set_new(one, "fd", json_integer(owner->fd));
		json_array_append_new(list, one);
	}
	return list;
}

static const char *nobody_text(enum owners_blind blind)
{
	switch (blind) {
	case OWNERS_NO_PROC:
		return "owner unknown (no /proc)";
	case OWNERS_HIDEPID:
		return "owner unknown (/proc hides processes)";
	case OWNERS_OTHERS:
		return "owner unknown (needs root)";
	default:
		return "no process to be seen from here";
	}
}

json_t *owners_text(const struct owners *owners)
{
	char *text = NULL, *longer, *thread;
	json_t *value;
	size_t i;

	if (!owners->count)
		return json_string(nobody_text(owners->blind));
	for (i = 0; i < owners->count; i++) {
		const struct owner *owner = &owners->list[i];

		thread = owner->thread ?
				 xasprintf(" thread %d", owner->thread) :
				 xstrdup("");
		longer = xasprintf("%s%s%s pid %d%s fd %d", text ? text : "",
				   text ? ", " : "", owner->name, owner->pid,
				   thread, owner->fd);
		free(thread);
		free(text);
		text = longer;
	}
	value = output_string(text);
	free(text);
	return value;
}

const char *owners_advice(enum owners_blind blind)
{
	switch (blind) {
	case OWNERS_NO_PROC:
		return "there is no /proc here to look for processes in";
	case OWNERS_HIDEPID:
		return "/proc does not show the processes of others (hidepid): be root";
	case OWNERS_OTHERS:
		return "it needs root to look into the processes of others";
	default:
		return NULL;
	}
}
