/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Marks the path of a frame from one process to the other. */
#ifndef SF_HOT_H
#define SF_HOT_H

/* Places the function beside others that have this. At the rate of a camera all
 * caches are cold, and the cost of the path is above all the pages it lies on:
 * together, these lie on fewer. */
#define SF_HOT __attribute__ ((hot))

#endif
