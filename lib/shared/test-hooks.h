/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Named steps of the protocol, at which a test can stop, kill or delay this
 * process. Empty unless built with -DSF_TEST_HOOKS (tests/chaos, and unit tests
 * that need one side to be at a certain step); the test program defines
 * sf_hook(). Some steps lie under a lock: a hook calls nothing of lib. */
#ifndef SF_HOOKS_H
#define SF_HOOKS_H

#ifdef SF_TEST_HOOKS
void sf_hook (const char *name);
#define SF_HOOK(name) sf_hook (name)
#else
#define SF_HOOK(name) do { } while (0)
#endif

#endif
