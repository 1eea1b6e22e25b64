/* SPDX-License-Identifier: GPL-2.0 */
/* Texts of refusals that name something. */
#ifndef _KRAW_TEXT_H
#define _KRAW_TEXT_H

#include <linux/compiler_attributes.h>

struct netlink_ext_ack;
struct nlattr;

__printf(3, 4)
void kraw_text_refuse(struct netlink_ext_ack *extack, const struct nlattr *attr,
		      const char *fmt, ...);
void kraw_text_exit(void);

#endif /* _KRAW_TEXT_H */
