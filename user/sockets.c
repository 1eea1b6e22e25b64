// SPDX-License-Identifier: GPL-2.0
/*
 * The raw sockets of this network namespace and the processes that hold them.
 * The kernel's sock_diag knows most of a socket; where it is missing, the files
 * in /proc/net do.
 */
#include "sockets.h"
#include "error.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct raw_socket *add_socket(struct raw_sockets *sockets)
{
	struct raw_socket *entry;

	if (sockets->count == sockets->size) {
		sockets->size = sockets->size ? sockets->size * 2 : 32;
		sockets->entry = xrealloc(sockets->entry,
					  sockets->size *
						  sizeof(*sockets->entry));
	}
	entry = &sockets->entry[sockets->count++];
	memset(entry, 0, sizeof(*entry));
	return entry;
}

static int read_diag(const struct nlmsghdr *nlh, void *data)
{
	const struct inet_diag_msg *diag = mnl_nlmsg_get_payload(nlh);
	struct raw_sockets *sockets = data;
	struct raw_socket *entry;
	const struct nlattr *attr;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*diag))
		return MNL_CB_OK;
	entry = add_socket(sockets);
	entry->family = diag->idiag_family;
	/* A raw socket has no port, its protocol stands there. */
	entry->protocol = ntohs(diag->id.idiag_sport);
	memcpy(entry->local, diag->id.idiag_src, sizeof(entry->local));
	memcpy(entry->peer, diag->id.idiag_dst, sizeof(entry->peer));
	entry->ifindex = diag->id.idiag_if;
	entry->receive_queue = diag->idiag_rqueue;
	entry->uid = diag->idiag_uid;
	entry->inode = diag->idiag_inode;
	mnl_attr_for_each(attr, nlh, sizeof(*diag)) {
		const uint32_t *memory;

		if (mnl_attr_get_type(attr) != INET_DIAG_SKMEMINFO ||
		    mnl_attr_get_payload_len(attr) <=
			    SK_MEMINFO_DROPS * sizeof(*memory))
			continue;
		memory = mnl_attr_get_payload(attr);
		entry->drops = memory[SK_MEMINFO_DROPS];
	}
	return MNL_CB_OK;
}

/* The end of a dump carries its error: ENOENT without raw_diag. */
static int end_diag(const struct nlmsghdr *nlh, void *data)
{
	int error = 0;

	(void)data;
	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(error))
		memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));
	if (!error)
		return MNL_CB_STOP;
	errno = -error;
	return MNL_CB_ERROR;
}

/* 0 or an errno */
static int dump_diag(struct mnl_socket *sock, uint8_t family,
		     struct raw_sockets *sockets)
{
	static mnl_cb_t control[NLMSG_MIN_TYPE] = {
		[NLMSG_DONE] = end_diag,
	};
	static _Alignas(struct nlmsghdr) char buffer[64 * 1024];
	struct inet_diag_req_raw *request;
	struct nlmsghdr *nlh;
	ssize_t got;
	int ret;

	nlh = mnl_nlmsg_put_header(buffer);
	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = family;
	request = mnl_nlmsg_put_extra_header(nlh, sizeof(*request));
	request->sdiag_family = family;
	request->sdiag_protocol = IPPROTO_RAW;
	request->idiag_ext = 1 << (INET_DIAG_SKMEMINFO - 1);
	request->idiag_states = UINT32_MAX;
	if (mnl_socket_sendto(sock, nlh, nlh->nlmsg_len) < 0)
		return errno;
	do {
		got = mnl_socket_recvfrom(sock, buffer, sizeof(buffer));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno;
		ret = mnl_cb_run2(buffer, got, family,
				  mnl_socket_get_portid(sock), read_diag,
				  sockets, control, NLMSG_MIN_TYPE);
		if (ret < 0)
			return errno;
	} while (got < 0 || ret > MNL_CB_STOP);
	return 0;
}

static int read_all_diag(struct raw_sockets *sockets)
{
	struct mnl_socket *sock;
	int error;

	sock = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	if (!sock)
		return errno;
	error = mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) ? errno : 0;
	if (!error)
		error = dump_diag(sock, AF_INET, sockets);
	if (!error)
		error = dump_diag(sock, AF_INET6, sockets);
	mnl_socket_close(sock);
	return error;
}

/* Each group of eight digits is a word of the address as it is in memory. */
static bool read_address(const char *digits, uint8_t family, uint8_t *address)
{
	unsigned int words = family == AF_INET ? 1 : 4;
	unsigned int i;
	uint32_t word;

	if (strlen(digits) != words * 8)
		return false;
	for (i = 0; i < words; i++) {
		if (sscanf(digits + i * 8, "%8" SCNx32, &word) != 1)
			return false;
		memcpy(address + i * 4, &word, sizeof(word));
	}
	return true;
}

static int read_proc(const char *path, uint8_t family,
		     struct raw_sockets *sockets)
{
	struct raw_socket one, *entry;
	char local[33], peer[33];
	unsigned int protocol;
	char line[512];
	FILE *file;

	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT && family == AF_INET6 ? 0 : errno;
	while (fgets(line, sizeof(line), file)) {
		memset(&one, 0, sizeof(one));
		if (sscanf(line,
			   " %*d: %32[0-9A-F]:%x %32[0-9A-F]:%*x %*x %*x:%" SCNx32
			   " %*x:%*x %*x %" SCNu32 " %*u %" SCNu64
			   " %*d %*s %" SCNu32,
			   local, &protocol, peer, &one.receive_queue, &one.uid,
			   &one.inode, &one.drops) != 7)
			continue;
		if (!read_address(local, family, one.local) ||
		    !read_address(peer, family, one.peer))
			continue;
		one.family = family;
		one.protocol = protocol;
		one.no_device = true;
		entry = add_socket(sockets);
		*entry = one;
	}
	fclose(file);
	return 0;
}

static int read_all_proc(struct raw_sockets *sockets)
{
	sockets->count = 0;
	sockets->no_diag = true;
	return read_proc("/proc/net/raw", AF_INET, sockets) ?:
		       read_proc("/proc/net/raw6", AF_INET6, sockets);
}

static int by_inode(const void *a, const void *b)
{
	const struct raw_socket *one = a, *other = b;

	return (one->inode > other->inode) - (one->inode < other->inode);
}

static int by_protocol(const void *a, const void *b)
{
	const struct raw_socket *one = a, *other = b;

	if (one->protocol != other->protocol)
		return one->protocol - other->protocol;
	if (one->family != other->family)
		return one->family == AF_INET ? -1 : 1;
	return by_inode(a, b);
}

static char *process_name(int proc, const char *pid)
{
	char *path = xasprintf("%s/comm", pid);
	char name[64] = "?";
	ssize_t len;
	int fd;

	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
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

static void add_owner(struct raw_socket *entry, char *name, pid_t pid, int fd)
{
	struct socket_owner *owner;

	entry->owner = xrealloc(entry->owner,
				(entry->owners + 1) * sizeof(*entry->owner));
	owner = &entry->owner[entry->owners++];
	owner->name = name;
	owner->pid = pid;
	owner->fd = fd;
}

/* Looks at the descriptors of one process; the sockets are sorted by inode. */
static void read_process(int proc, const char *pid, struct raw_sockets *sockets,
			 bool *hidden)
{
	char *path = xasprintf("%s/fd", pid);
	struct raw_socket key, *entry;
	struct dirent *fd;
	char target[64];
	ssize_t len;
	DIR *dir;
	int at;

	at = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(path);
	dir = at < 0 ? NULL : fdopendir(at);
	if (!dir) {
		if (errno == EACCES || errno == EPERM)
			*hidden = true;
		if (at >= 0)
			close(at);
		return;
	}
	while ((fd = readdir(dir))) {
		len = readlinkat(at, fd->d_name, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		if (sscanf(target, "socket:[%" SCNu64 "]", &key.inode) != 1)
			continue;
		entry = bsearch(&key, sockets->entry, sockets->count,
				sizeof(key), by_inode);
		if (entry)
			add_owner(entry, process_name(proc, pid), atoi(pid),
				  atoi(fd->d_name));
	}
	closedir(dir);
}

static void find_owners(struct raw_sockets *sockets)
{
	/* Processes of others may not even be listed. */
	bool hidden = geteuid() != 0;
	struct dirent *entry;
	DIR *proc;
	size_t i;

	proc = opendir("/proc");
	if (!proc)
		hidden = true;
	while (proc && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]))
			read_process(dirfd(proc), entry->d_name, sockets,
				     &hidden);
	if (proc)
		closedir(proc);
	for (i = 0; i < sockets->count; i++)
		sockets->entry[i].hidden = hidden && !sockets->entry[i].owners;
}

/* Leaves those of one protocol. */
static void filter(struct raw_sockets *sockets, int protocol)
{
	size_t from, to = 0;

	for (from = 0; from < sockets->count; from++)
		if (sockets->entry[from].protocol == protocol)
			sockets->entry[to++] = sockets->entry[from];
	sockets->count = to;
}

int raw_sockets_get(struct raw_sockets *sockets, int protocol)
{
	int error;

	memset(sockets, 0, sizeof(*sockets));
	error = read_all_diag(sockets);
	if (error)
		error = read_all_proc(sockets);
	if (error)
		return refused("cannot read the raw sockets: neither sock_diag nor /proc/net/raw works here: %s",
			       strerror(error));
	if (protocol >= 0)
		filter(sockets, protocol);
	if (!sockets->count)
		return 0;
	qsort(sockets->entry, sockets->count, sizeof(*sockets->entry),
	      by_inode);
	find_owners(sockets);
	qsort(sockets->entry, sockets->count, sizeof(*sockets->entry),
	      by_protocol);
	return 0;
}

void raw_sockets_clear(struct raw_sockets *sockets)
{
	size_t i, j;

	for (i = 0; i < sockets->count; i++) {
		for (j = 0; j < sockets->entry[i].owners; j++)
			free(sockets->entry[i].owner[j].name);
		free(sockets->entry[i].owner);
	}
	free(sockets->entry);
	memset(sockets, 0, sizeof(*sockets));
}
