// SPDX-License-Identifier: GPL-2.0
#include "diag.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define SEQUENCE 1

/* What ends a dump starts with its error. */
static int end_dump(const struct nlmsghdr *nlh, void *data)
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

static int talk(struct mnl_socket *sock, const void *request, size_t len,
		mnl_cb_t seen, void *data)
{
	static mnl_cb_t control[NLMSG_MIN_TYPE] = {
		[NLMSG_ERROR] = end_dump, /* libmnl has none beside ours */
		[NLMSG_DONE] = end_dump,
	};
	static _Alignas(struct nlmsghdr) char buffer[64 * 1024];
	struct nlmsghdr *nlh;
	ssize_t got;
	int ret;

	nlh = mnl_nlmsg_put_header(buffer);
	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = SEQUENCE;
	memcpy(mnl_nlmsg_put_extra_header(nlh, len), request, len);
	if (mnl_socket_sendto(sock, nlh, nlh->nlmsg_len) < 0)
		return errno;
	do {
		do {
			got = mnl_socket_recvfrom(sock, buffer, sizeof(buffer));
		} while (got < 0 && errno == EINTR);
		if (got < 0)
			return errno;
		ret = mnl_cb_run2(buffer, got, SEQUENCE,
				  mnl_socket_get_portid(sock), seen, data,
				  control, NLMSG_MIN_TYPE);
		if (ret < 0)
			return errno;
	} while (ret > MNL_CB_STOP);
	return 0;
}

int diag_dump(const void *request, size_t len, mnl_cb_t seen, void *data)
{
	struct mnl_socket *sock;
	int error;

	sock = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	if (!sock)
		return errno;
	error = mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) ? errno : 0;
	if (!error)
		error = talk(sock, request, len, seen, data);
	mnl_socket_close(sock);
	return error;
}

void diag_memory_get(const struct nlattr *attr, struct diag_memory *memory)
{
	const uint32_t *value = mnl_attr_get_payload(attr);

	if (mnl_attr_get_payload_len(attr) <= SK_MEMINFO_DROPS * sizeof(*value))
		return;
	memory->queue = value[SK_MEMINFO_RMEM_ALLOC];
	memory->limit = value[SK_MEMINFO_RCVBUF];
	memory->drops = value[SK_MEMINFO_DROPS];
}
