// SPDX-License-Identifier: GPL-2.0
#include "device.h"

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

static int read_info(const struct nlattr *attr, void *data)
{
	struct device *device = data;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND &&
	    mnl_attr_validate(attr, MNL_TYPE_STRING) >= 0)
		device->vrf = !strncmp(mnl_attr_get_str(attr), "vrf",
				       mnl_attr_get_payload_len(attr));
	return MNL_CB_OK;
}

static int read_attr(const struct nlattr *attr, void *data)
{
	struct device *device = data;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		if (mnl_attr_validate(attr, MNL_TYPE_STRING) >= 0)
			snprintf(device->name, sizeof(device->name), "%.*s",
				 mnl_attr_get_payload_len(attr),
				 mnl_attr_get_str(attr));
		break;
	case IFLA_LINKINFO:
		mnl_attr_parse_nested(attr, read_info, device);
		break;
	}
	return MNL_CB_OK;
}

static int read_link(const struct nlmsghdr *nlh, void *data)
{
	if (nlh->nlmsg_type == RTM_NEWLINK)
		mnl_attr_parse(nlh, sizeof(struct ifinfomsg), read_attr, data);
	return MNL_CB_STOP;
}

void device_find(struct device *device)
{
	static _Alignas(struct nlmsghdr) char buffer[32 * 1024];
	struct mnl_socket *sock;
	struct ifinfomsg *link;
	struct nlmsghdr *nlh;
	ssize_t got;

	if (!device->index)
		return;
	snprintf(device->name, sizeof(device->name), "if%u", device->index);
	sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!sock)
		return;
	nlh = mnl_nlmsg_put_header(buffer);
	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	link = mnl_nlmsg_put_extra_header(nlh, sizeof(*link));
	link->ifi_index = device->index;
	if (!mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) &&
	    mnl_socket_sendto(sock, nlh, nlh->nlmsg_len) > 0) {
		got = mnl_socket_recvfrom(sock, buffer, sizeof(buffer));
		if (got > 0)
			mnl_cb_run(buffer, got, 0, 0, read_link, device);
	}
	mnl_socket_close(sock);
}
