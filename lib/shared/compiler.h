/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a frame passes on its way from one process to the other. */
#ifndef SF_HOT_H
#define SF_HOT_H

/* Puts the function beside the others that have this. A camera's frame finds
 * all caches cold, so what its way costs is above all the number of pages it
 * lies on: together, these lie on fewer. */
#define SF_HOT __attribute__ ((hot))

#endif
