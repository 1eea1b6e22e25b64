// SPDX-License-Identifier: GPL-2.0
/*
 * Texts of refusals that name something.
 *
 * An extended acknowledgment holds a pointer to its text, and the text is read
 * after the command has returned. Kernels before 6.2 have no buffer for it
 * either. So a text that is put together at run time is kept until the module
 * goes, once for each wording. What goes into one is the kernel's (numbers, the
 * names of handlers, of devices that exist), and LIMIT bounds the rest.
 */
#include "text.h"

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include <linux/stdarg.h>
#include <linux/string.h>

#define LIMIT	512	/* texts */

struct text {
	struct list_head list;
	char str[];
};

static LIST_HEAD(texts);
static DEFINE_MUTEX(texts_lock);	/* guards texts and texts_count */
static unsigned int texts_count;

static const char *text_find(const char *str)
{
	const struct text *text;

	list_for_each_entry(text, &texts, list)
		if (!strcmp(text->str, str))
			return text->str;
	return NULL;
}

static const char *text_keep(const char *str)
{
	struct text *text;
	const char *kept;

	mutex_lock(&texts_lock);
	kept = text_find(str);
	if (!kept && texts_count < LIMIT) {
		text = kmalloc(struct_size(text, str, strlen(str) + 1),
			       GFP_KERNEL);
		if (text) {
			strcpy(text->str, str);
			list_add(&text->list, &texts);
			texts_count++;
			kept = text->str;
		}
	}
	mutex_unlock(&texts_lock);
	return kept;
}

/**
 * kraw_text_refuse - say why a request is refused
 * @extack:	the request's extended acknowledgment, may be NULL
 * @attr:	the attribute at fault, may be NULL
 * @fmt:	printf format of the text
 *
 * Without memory, or with too many texts already, the refusal goes without one.
 */
void kraw_text_refuse(struct netlink_ext_ack *extack, const struct nlattr *attr,
		      const char *fmt, ...)
{
	char buf[160];
	va_list args;

	if (!extack)
		return;
	va_start(args, fmt);
	vsnprintf(buf, sizeof(buf), fmt, args);
	va_end(args);
	extack->_msg = text_keep(buf);
	if (attr)
		NL_SET_BAD_ATTR(extack, attr);
}

/* Only when no request can be under way any more: the family is gone. */
void kraw_text_exit(void)
{
	struct text *text, *next;

	list_for_each_entry_safe(text, next, &texts, list)
		kfree(text);
}
