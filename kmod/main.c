// SPDX-License-Identifier: GPL-2.0
/*
 * kraw: who receives an IP protocol's packets.
 *
 * Life of the module and of a namespace: up in the order of dependence, down in
 * its reverse. Loading does nothing but make the netlink family known.
 *
 * Whoever asks for a datagram socket of the protocol numbers for experiments (RFC
 * 3692) has the module loaded, too; without a claim it answers as before.
 */
#include <linux/module.h>
#include <linux/net.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include "config.h"
#include "dgram.h"
#include "input.h"
#include "mirror.h"
#include "net.h"
#include "netlink.h"
#include "one.h"
#include "output.h"
#include "record.h"
#include "rule.h"
#include "text.h"
#include "tracer.h"
#include "uapi/linux/kraw.h"

unsigned int kraw_net_id __read_mostly;

struct kraw_net *kraw_net(const struct net *net)
{
	return net_generic(net, kraw_net_id);
}

static int __net_init net_init(struct net *net)
{
	struct kraw_net *kn = kraw_net(net);

	kn->net = net;
	kraw_input_init(kn);
	kraw_output_init(kn);
	kraw_tracer_net_init(kn);
	kraw_config_net_init(kn);
	return 0;
}

/*
 * Before the namespace's devices go. A grace period lies between this and the
 * end of struct kraw_net, and of the module's text.
 */
static void __net_exit net_pre_exit(struct net *net)
{
	kraw_config_net_exit(kraw_net(net));
	kraw_tracer_net_exit(kraw_net(net));
}

static struct pernet_operations net_ops = {
	.init		= net_init,
	.pre_exit	= net_pre_exit,
	.id		= &kraw_net_id,
	.size		= sizeof(struct kraw_net),
};

static int __init kraw_init(void)
{
	int err;

	kraw_one_init();
	kraw_mirror_init();
	err = kraw_rule_init();
	if (err)
		return err;
	err = kraw_config_init();
	if (err)
		goto err_rule;
	err = register_pernet_subsys(&net_ops);
	if (err)
		goto err_config;
	err = kraw_tracer_init();
	if (err)
		goto err_net;
	err = kraw_netlink_init();
	if (err)
		goto err_tracer;
	return 0;

err_tracer:
	kraw_tracer_exit();
err_net:
	unregister_pernet_subsys(&net_ops);
err_config:
	kraw_config_exit();
err_rule:
	kraw_rule_exit();
	return err;
}

static void __exit kraw_exit(void)
{
	kraw_netlink_exit();
	kraw_tracer_exit();
	unregister_pernet_subsys(&net_ops);
	kraw_dgram_exit();
	kraw_config_exit();
	kraw_record_exit();
	kraw_rule_exit();
	kraw_text_exit();
}

module_init(kraw_init);
module_exit(kraw_exit);

MODULE_DESCRIPTION("Shows and decides who receives an IP protocol's packets");
MODULE_AUTHOR("the kraw project");
MODULE_LICENSE("GPL");
MODULE_ALIAS_GENL_FAMILY(KRAW_GENL_NAME);
MODULE_ALIAS_NET_PF_PROTO_TYPE(PF_INET, 253, 2);	/* SOCK_DGRAM */
MODULE_ALIAS_NET_PF_PROTO_TYPE(PF_INET, 254, 2);
MODULE_ALIAS_NET_PF_PROTO_TYPE(PF_INET6, 253, 2);
MODULE_ALIAS_NET_PF_PROTO_TYPE(PF_INET6, 254, 2);
