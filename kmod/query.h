/* SPDX-License-Identifier: GPL-2.0 */
/* The commands of the netlink family that read, as its table has them. */
#ifndef _KRAW_QUERY_H
#define _KRAW_QUERY_H

struct genl_info;
struct netlink_callback;
struct sk_buff;

int kraw_query_proto(struct sk_buff *skb, struct genl_info *info);
int kraw_query_protos(struct sk_buff *msg, struct netlink_callback *cb);
int kraw_query_rule(struct sk_buff *skb, struct genl_info *info);
int kraw_query_rules_start(struct netlink_callback *cb);
int kraw_query_rules(struct sk_buff *msg, struct netlink_callback *cb);
int kraw_query_config(struct sk_buff *skb, struct genl_info *info);
int kraw_query_handlers(struct sk_buff *msg, struct netlink_callback *cb);
int kraw_query_explain(struct sk_buff *msg, struct netlink_callback *cb);
int kraw_query_explain_done(struct netlink_callback *cb);

#endif /* _KRAW_QUERY_H */
