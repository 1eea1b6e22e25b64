/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_VERSION_H
#define KRAW_VERSION_H

#define KRAW_VERSION "0.1"

#endif /* KRAW_VERSION_H */
