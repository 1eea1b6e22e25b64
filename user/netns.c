// SPDX-License-Identifier: GPL-2.0
#include "netns.h"
#include "error.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMED "/run/netns"
#define OURS  "/proc/self/ns/net"

int netns_enter(const char *name)
{
	char *path;
	int fd, ret = 0;

	path = strchr(name, '/') ? xstrdup(name) : xasprintf(NAMED "/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		ret = fail("network namespace %s: cannot open %s: %s", name,
			   path, strerror(errno));
	else if (setns(fd, CLONE_NEWNET))
		ret = refused("network namespace %s: cannot enter it: %s%s",
			      name, strerror(errno),
			      errno == EPERM ? ": it needs CAP_SYS_ADMIN" : "");
	if (fd >= 0)
		close(fd);
	free(path);
	return ret;
}

int netns_switch(struct netns_list *list, size_t index)
{
	int fd, error = 0;

	if (!index && !list->away)
		return 0;
	if (!index)
		return setns(list->home, CLONE_NEWNET) ? errno : 0;
	if (list->home < 0)
		return EBADF;
	fd = open(list->entry[index].path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (setns(fd, CLONE_NEWNET))
		error = errno;
	else
		list->away = true;
	close(fd);
	return error;
}

static struct netns *find(const struct netns_list *list,
			  const struct stat *about)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (list->entry[i].inode == about->st_ino &&
		    list->entry[i].device == about->st_dev)
			return &list->entry[i];
	return NULL;
}

/* What is found first has the better name. */
static void add(struct netns_list *list, const struct stat *about,
		const char *name, const char *path)
{
	struct netns *entry = find(list, about);

	if (entry && !entry->name && name)
		entry->name = xstrdup(name);
	if (entry)
		return;
	if (list->count == list->size) {
		list->size = list->size ? list->size * 2 : 16;
		list->entry = xrealloc(list->entry,
				       list->size * sizeof(*list->entry));
	}
	entry = &list->entry[list->count++];
	entry->name = name ? xstrdup(name) : NULL;
	entry->path = xstrdup(path);
	entry->device = about->st_dev;
	entry->inode = about->st_ino;
}

/* Those of "ip netns"; what only has a name there is no namespace. */
static void add_named(struct netns_list *list, bool all)
{
	DIR *dir = opendir(NAMED);
	struct dirent *entry;
	struct stat about;
	char *path;

	while (dir && (entry = readdir(dir))) {
		if (*entry->d_name == '.')
			continue;
		path = xasprintf(NAMED "/%s", entry->d_name);
		if (!stat(path, &about) && list->count &&
		    about.st_dev == list->entry->device &&
		    (all || find(list, &about)))
			add(list, &about, entry->d_name, path);
		free(path);
	}
	if (dir)
		closedir(dir);
}

static void add_of_processes(struct netns_list *list)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	struct stat about;
	char *path;

	if (!dir)
		list->no_proc = true;
	while (dir && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		path = xasprintf("/proc/%s/ns/net", entry->d_name);
		if (!stat(path, &about))
			add(list, &about, path, path);
		else if (errno == EACCES || errno == EPERM)
			list->hidden = true;
		free(path);
	}
	if (dir)
		closedir(dir);
}

void netns_list_get(struct netns_list *list, bool all)
{
	struct stat about;

	memset(list, 0, sizeof(*list));
	list->home = all ? open(OURS, O_RDONLY | O_CLOEXEC) : -1;
	if (stat(OURS, &about)) {
		memset(&about, 0, sizeof(about));
		list->no_proc = true;
	}
	add(list, &about, NULL, OURS);
	if (list->no_proc)
		return;
	add_named(list, all);
	if (all)
		add_of_processes(list);
}

void netns_list_clear(struct netns_list *list)
{
	while (list->count) {
		free(list->entry[--list->count].name);
		free(list->entry[list->count].path);
	}
	free(list->entry);
	if (list->home >= 0)
		close(list->home);
	memset(list, 0, sizeof(*list));
	list->home = -1;
}
